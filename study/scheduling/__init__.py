"""Which trial starts next, what is retried, and how a launch ended."""
