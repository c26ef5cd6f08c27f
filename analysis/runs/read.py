"""Read the runs of a study, from storage or from a W&B server."""

from pathlib import Path

from upath import UPath

from analysis.runs.reading import Reading


def read(storage: UPath | None = None, *, wandb: str | None = None, cache: Path | None = None) -> Reading:
    """The runs in a storage, or those of `ENTITY/PROJECT` on a W&B server; both give equal records.

    Args:
        cache: folder that keeps downloads from a server; None: the user's cache folder.

    Raises:
        InputError: no such storage or project, or it cannot be read.
    """
    if wandb is not None:
        from analysis.runs.from_server import read_online  # the client takes a second to load

        return read_online(wandb, cache=cache)
    from analysis.runs.from_storage import read_offline

    assert storage is not None
    return read_offline(storage)
