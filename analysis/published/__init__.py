"""The article's published numbers, and checks of their consistency."""
