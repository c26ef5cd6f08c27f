"""Make the inputs of a rehearsal: drawn data in the published layouts, and tiny trunks trained on another task."""

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from filelock import FileLock
from upath import UPath

from search_spaces.paper import DATASETS
from study.plan import Trial
from study.settings import Settings
from study.storage import root_of, write
from study.storage.copies import AT_ONCE
from study.storage.paths import asking, is_local
from study.temporary import temporary_folder
from wbc_model.choices import ImageSource, Init
from wbc_model.datasets.find import DRAWN_MARK
from wbc_model.files import whole_folder
from wbc_model.networks.build import trunks_of
from wbc_model.plain_text import counted
from wbc_model.synthetic.folders import write as write_drawings
from wbc_model.synthetic.pretrain import pretrain

SHARE, SIDE, SEED = 1 / 60, 64, 0
"""Fraction of the published counts; height of the drawings in pixels; seed of all drawings."""


def set_up(trials: Iterable[Trial], settings: Settings) -> None:
    """Draw the data and train the trunks that are missing. A set-up that is killed leaves nothing incomplete.

    Of several launches in one folder one does it, and the others wait for it. In an object store each may do it: all
    write the same files.

    Raises:
        Unreachable: the store cannot be read or written.
    """
    root = root_of(str(settings.data)).parent

    def there(name: str) -> bool:
        with asking(root):
            return (root / name).exists()

    if is_local(root):
        folder = Path(str(root))
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".rehearsal.lock"):
            _make_missing(trials, folder, there=there)
        return
    with temporary_folder("rehearsal") as made:
        _make_missing(trials, Path(made), there=there)
        _upload(Path(made), root)


def _make_missing(trials: Iterable[Trial], folder: Path, *, there: Callable[[str], bool]) -> None:
    """Make in a folder what is not `there`."""
    trials = list(trials)
    drawn = any(trial.config.images is ImageSource.DRAWN for trial in trials)
    if drawn and not there(f"data/{DRAWN_MARK}"):
        print("rehearsal: drawing four datasets", file=sys.stderr, flush=True)
        with whole_folder(folder / "data") as draft:
            write_drawings(draft, datasets=DATASETS, share=SHARE, side=SIDE, seed=SEED)
    torch.set_num_threads(1)  # networks this small are slower with more
    used = (pair for trial in trials for pair in trunks_of(trial.config).values())
    files = {spec.file_stem: spec for spec, init in used if init is Init.IMAGENET}
    for stem, spec in files.items():
        if not there(f"weights/{stem}.safetensors"):
            print(
                f"rehearsal: training {stem} on drawn textures, as its pre-trained weights", file=sys.stderr, flush=True
            )
            pretrain(spec, folder / "weights", seed=SEED)


def _upload(folder: Path, root: UPath) -> None:
    """Write all files of a folder to a store; the one that marks a folder of drawings as whole comes last."""
    names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    if names:
        print(f"rehearsal: uploading {counted(len(names), 'file')} to {root}", file=sys.stderr, flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        others = [name for name in names if Path(name).name != DRAWN_MARK]
        list(pool.map(lambda name: write(root / name, (folder / name).read_bytes()), others))
    for name in set(names).difference(others):
        write(root / name, (folder / name).read_bytes())
