"""Read the runs back and print them: the paper's tables as LaTeX, CSV and HTML."""
