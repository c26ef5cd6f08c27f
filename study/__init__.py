"""Running the trials: plan them, launch them over Ray, train, test, store and track each one."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m` adds the current folder, in which modules of the user's would shadow others
    del sys.path[0]
