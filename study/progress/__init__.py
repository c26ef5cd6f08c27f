"""The progress of a study, while it runs or from its storage."""
