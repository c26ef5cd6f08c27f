"""A trial's W&B run: written, read back, and compared with storage."""
