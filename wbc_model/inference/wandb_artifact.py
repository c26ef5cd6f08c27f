"""Model artifacts of W&B, read. Loads wandb."""

from pathlib import Path
from tempfile import TemporaryDirectory

import wandb

from wbc_model.errors import InputError


def read_artifact(name: str, *, file: str) -> bytes:
    """A file of an artifact; the client checks that it has the bytes that were uploaded.

    Args:
        name: `ENTITY/PROJECT/NAME:ALIAS`.

    Raises:
        InputError: there is no such artifact or no such file in it, or the server refuses.
    """
    with TemporaryDirectory() as folder:
        try:
            entry = wandb.Api().artifact(name).get_entry(file)
            return Path(entry.download(root=folder)).read_bytes()
        except (wandb.errors.Error, ValueError, KeyError, OSError) as error:
            raise InputError(f"wandb:{name}: cannot be read ({error}); wanted wandb:ENTITY/PROJECT/NAME:ALIAS of a "
                             f"model with a {file}") from error  # fmt: skip
