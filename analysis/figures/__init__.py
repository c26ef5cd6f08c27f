"""The paper's figures, drawn from the runs, the data and the model.

Only this package imports matplotlib. That fails where MPLBACKEND names a backend that this Python lacks, as it does in
what a notebook starts. Figures are saved without a backend, so the variable is set aside meanwhile.
"""

import os

_backend = os.environ.pop("MPLBACKEND", None)
import matplotlib  # noqa: E402, F401 - without the variable

if _backend is not None:
    os.environ["MPLBACKEND"] = _backend  # for what this process starts
