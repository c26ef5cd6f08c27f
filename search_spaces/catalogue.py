"""All tables, from which a command selects by their numbers."""

from collections.abc import Collection, Sequence

from search_spaces.extensions import EXTENSIONS
from search_spaces.own import own_tables
from search_spaces.paper import TABLES
from search_spaces.table import Table
from wbc_model.datasets.dataset import Dataset


def catalogue(numbers: Collection[str], *, own: Sequence[Dataset] = ()) -> tuple[Table, ...]:
    """All tables if numbers are given; otherwise Tables 4 to 12, or D1 and D2 if there are datasets of the user's own.

    Args:
        own: the datasets of Tables D1 to D3: the user's, and any of the paper's to compare with them.
    """
    about = own_tables(own) if own else ()
    if numbers:
        return (*TABLES, *EXTENSIONS, *about)
    return about[:2] or TABLES
