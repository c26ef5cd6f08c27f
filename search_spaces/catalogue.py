"""All the tables there are, to choose from by their numbers."""

from collections.abc import Collection, Sequence

from search_spaces.extensions import EXTENSIONS
from search_spaces.own import own_tables
from search_spaces.paper import TABLES
from search_spaces.table import Table
from wbc_model.datasets.dataset import Dataset


def catalogue(numbers: Collection[str], *, own: Sequence[Dataset] = ()) -> tuple[Table, ...]:
    """Every table where some are named; else the paper's, or for own datasets the compared models on them.

    Args:
        own: datasets that tables D1 to D3 are about, the user's or also some of the paper's.
    """
    about = own_tables(own) if own else ()
    if numbers:
        return (*TABLES, *EXTENSIONS, *about)
    return about[:2] or TABLES
