"""Predictions of test images, confusion matrices, and scores computed from them."""
