"""The article's own numbers, and the checks that they pass or fail."""
