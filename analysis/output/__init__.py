"""Tables as files: LaTeX, Markdown, HTML, CSV, PDF and W&B views."""
