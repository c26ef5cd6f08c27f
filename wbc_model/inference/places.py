"""Where a kept model is read from: a trial's folder or a file, here or by URL, or an artifact of W&B."""

from pathlib import Path
from urllib.parse import urlsplit

from upath import UPath

from wbc_model.errors import InputError
from wbc_model.files import user_path
from wbc_model.inference.model_file import SavedModel, from_bytes
from wbc_model.inference.model_info import FILE

HELP_MODEL = "a trial's folder, a .safetensors file, a URL of either, or wandb:ENTITY/PROJECT/NAME:ALIAS"
"""What the commands say of their argument."""
WANTED = f"wanted the folder of a finished trial, its {FILE}, the URL of either, or wandb:ENTITY/PROJECT/NAME:ALIAS"


def load(place: str | Path) -> SavedModel:
    """A trained model, ready to predict.

    Nothing but a safetensors file is read, so no code that a file holds is run.

    Args:
        place: a trial's folder, or its model file; a URL of either (s3, gs, http, https, and what else fsspec knows);
            or `wandb:ENTITY/PROJECT/NAME:ALIAS`.

    Raises:
        InputError: there is no model, it cannot be reached, or it is damaged.
    """
    text = str(place)
    if text.startswith("wandb:"):
        from wbc_model.inference.wandb_artifact import read_artifact  # loads wandb

        return from_bytes(read_artifact(text.removeprefix("wandb:"), file=FILE), where=text)
    return from_bytes(_remote(text) if "://" in text else _local(user_path(text)), where=text)


def _local(path: Path) -> bytes:
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        reason = f"no {FILE} in it, which a trial keeps unless its study was run otherwise" if path.is_dir() else ""
        raise InputError(f"{path}: {reason or 'no such file or folder'}; {WANTED}")
    return file.read_bytes()


def _remote(url: str) -> bytes:
    try:
        path = UPath(url)
        return (path if urlsplit(url).path.endswith(".safetensors") else path / FILE).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{url}: no such file, or no {FILE} in it; {WANTED}") from error
    except Exception as error:  # the client of each protocol has errors of its own
        told = str(error) or type(error).__name__
        raise InputError(f"{url}: cannot be read ({type(error).__name__}: {told}); {WANTED}") from error
