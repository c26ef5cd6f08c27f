"""The finished runs of a study, read from storage or from a W&B server."""
