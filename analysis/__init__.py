"""Read the runs back and print them: the paper's tables as LaTeX, CSV and HTML.

In a notebook, `analysis.read("runs")` gives the same numbers as DataFrames (docs/notebook.md).
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.load import load as read

if sys.argv[:1] == ["-m"]:  # `python -m` adds the current folder, in which modules of the user's would shadow others
    del sys.path[0]

__all__ = ["read"]


def __getattr__(name: str) -> Any:
    if name == "read":
        from analysis.load import load  # statistics and pandas take seconds to load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
