"""Which tables there are, their rows filled with scores, and how they are laid out."""
