"""Whether every node is fit to run the study."""
