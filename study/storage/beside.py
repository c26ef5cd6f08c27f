"""The files beside a record: their hashes, and whether each is what was written."""

import io
from collections.abc import Mapping

from PIL import Image

from study.plan import RunRecord
from study.storage.trials import predictions_file
from wbc_model.errors import Damaged, decoding
from wbc_model.files import sha256
from wbc_model.scoring.predictions import Predictions


def hashes(contents: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file, by name, as a record keeps them."""
    return {name: sha256(content) for name, content in contents.items()}


def check_file(record: RunRecord, name: str, content: bytes, *, where: object) -> None:
    """Compare a file with its record: by its hash and, as older records have none, by what it holds.

    Raises:
        Damaged: it is not the file that belongs to the record.
    """
    found = sha256(content)
    if record.files.get(name, found) != found:
        raise Damaged(f"{where} is damaged: it has another hash than its record says")
    counted = {predictions_file(): record.test}
    counted |= {predictions_file(dataset): matrix for dataset, matrix in record.elsewhere.items()}
    with decoding(where):
        if name in counted and Predictions.from_npz(content, classes=record.test.classes).matrix != counted[name]:
            raise Damaged(f"{where} is damaged: it is not what its record counts")
        if name.endswith(".png"):
            Image.open(io.BytesIO(content)).verify()
