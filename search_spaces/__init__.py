"""Which trainings to run: the tables of the paper and of its extensions, as data."""
