"""The commit of each repository on the hub from which a study's first trials got their weights. No torch."""

import json
import re
from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter

from study.plan import RunRecord
from study.storage.trials import Storage
from wbc_model.errors import decoding
from wbc_model.files import unsealed

REVISIONS = "weights.json"
ORIGIN = re.compile(r"hub (\S+) at (\S+)")
"""The origin of weights in a record's provenance."""


def read_revisions(storage: Storage) -> dict[str, str]:
    """Commit by repository.

    Raises:
        Damaged: the file is not what was written.
    """
    content, where = storage.read(REVISIONS), storage.root / REVISIONS
    if content is None:
        return {}
    value = unsealed(content, where=where)
    with decoding(where):
        return _REVISIONS.validate_python(value)


def write_revisions(storage: Storage, revisions: Mapping[str, str]) -> None:
    storage.write(REVISIONS, json.dumps(dict(revisions), indent=1).encode())


def revisions_of(records: Iterable[RunRecord]) -> dict[str, str]:
    """Commit by repository, as finished trials had them."""
    origins = (weights["origin"] for record in records for weights in record.provenance.get("weights", {}).values())
    return {found[1]: found[2] for origin in origins if (found := ORIGIN.fullmatch(origin))}


_REVISIONS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
