"""How a study stands, while it runs or from its storage."""
