"""Checks whether every node is fit to run the study."""
