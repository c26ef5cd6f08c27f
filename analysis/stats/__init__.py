"""Statistical tests between the rows of a table."""
