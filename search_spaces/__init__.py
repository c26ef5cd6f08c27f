"""Which trainings are to be done: the paper's tables, as data."""
