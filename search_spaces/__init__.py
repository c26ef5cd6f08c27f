"""Which trainings to run: the tables of the paper and of its extensions, as data."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m` adds the current folder, in which modules of the user's would shadow others
    del sys.path[0]
