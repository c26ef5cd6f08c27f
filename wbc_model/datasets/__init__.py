"""Datasets as their authors publish them: where the files lie, and what each image shows."""
