"""Trials over Ray. The only folder that imports ray."""

import sys

from wbc_model.errors import InputError

if sys.flags.optimize > 1:
    raise InputError("Ray needs the docstrings that PYTHONOPTIMIZE=2 and -OO remove: unset the variable")
