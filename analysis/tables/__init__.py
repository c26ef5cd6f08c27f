"""The tables of a study: which there are, their rows filled with scores, and their layout."""
