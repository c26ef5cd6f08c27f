"""Trained models in use: their files, predictions for new images, and counts of cells."""
