"""Where and with what resources a study runs, but not what is trained: settings change no id. No torch, no ray."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from study.plan import Trial
from study.storage import local_copy, place
from wbc_model.choices import Trunks
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.declare import all_of, folder_of
from wbc_model.errors import InputError, validating


def _accepted(name: str) -> str:
    if not 0 < len(name) <= 128 or set(name) & set("/\\#?%:") or not name.isprintable():
        raise ValueError("W&B accepts 1 to 128 printable characters, but none of / \\ # ? % :")
    return name


def _large_enough(share: float) -> float:
    if 0 < share < 0.001:
        raise ValueError("Ray gives a trial no less than 0.001 of a core or GPU")
    return share


def _whole(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise ValueError("Ray gives a trial a fraction of one GPU, or a whole number of them")
    return gpus


def _folder_or_url(given: Path | str) -> Path | str:
    return given if "://" in str(given) else Path(given)


Place = Annotated[Path | str, BeforeValidator(_folder_or_url)]
"""A folder, which each machine has at this path, or the URL of one in a store, which each machine copies to its cache.
"""
WandbName = Annotated[str, AfterValidator(_accepted)]
"""The name of a project or an entity."""
Tracking = Literal["online", "offline", "disabled"]
KeepWeights = Literal["all", "proposed", "none"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a launch. They are sent to every node as JSON and hold no secret."""

    data: Place
    """Folder of the paper's datasets."""
    own: tuple[tuple[str, Place], ...] = ()
    """The user's own datasets: name, and where it lies, as its folder or the declaration in it (`.toml`)."""
    storage: str
    """Folder or URL of records, epoch logs, checkpoints and W&B files."""
    cache: Path
    """Node-local folder of prepared images, and of copies of what is given by URL."""
    cache_limit: Annotated[float, Field(gt=0)] | None = None
    """Maximum size of the cache in GB; None: what the disk has."""
    weights: Place | None = None
    """Folder of pre-trained weights; None: they are downloaded from the Hugging Face hub."""
    project: WandbName = "wbc-study"
    entity: WandbName | None = None
    tracking: Tracking = "offline"
    search: str | None = None
    """Name of the search, whose trials see no test data; None: not a search."""
    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_large_enough)] = 1
    """Cores per trial; Ray gives each trial as many threads."""
    gpus: (
        Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_large_enough), AfterValidator(_whole)] | None
    ) = None
    """GPUs per trial; None: what its measured memory allows, or 1 if unmeasured; 0 without GPUs."""
    eager: bool = False
    """Do not capture training steps as CUDA graphs on a GPU."""
    keep_weights: KeepWeights | None = None
    """Which finished trials keep their trained model; None: all, but of a rehearsal only those of tiny networks."""

    def keeps(self, trial: Trial) -> bool:
        """Whether a trial keeps its trained model once it is finished; those of a search never do."""
        small = trial.config.trunks is Trunks.TINY or not trial.config.rehearsal
        kept = {"all": True, "proposed": trial.proposed, "none": False, None: small}[self.keep_weights]
        return kept and not self.search

    def folder_of(self, dataset: Dataset) -> Path:
        """The folder on this machine below which a dataset is found; what is given by URL is copied first."""
        return folder_of(self.declared(dataset) or self._here(self.data), data=None)

    def declared(self, dataset: Dataset) -> Path | None:
        """Where one of the user's own datasets lies on this machine; None for the paper's."""
        own = dict(self.own).get(dataset.name)
        return self._here(own) if own else None

    def weights_folder(self) -> Path | None:
        """The folder of pre-trained weights on this machine; None: the hub."""
        return self._here(self.weights) if self.weights else None

    def urls(self) -> list[str]:
        """What is to be copied to each machine."""
        return [each for each in (self.data, self.weights, *dict(self.own).values()) if isinstance(each, str)]

    def _here(self, given: Path | str) -> Path:
        return local_copy(given, cache=self.cache, limit=self.cache_limit)

    def to_json(self) -> dict[str, Any]:
        return _SETTINGS.dump_python(self, mode="json")

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Settings":
        return _SETTINGS.validate_python(value)


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """How a launch behaves; the nodes need not know."""

    rehearse: bool = False
    budget_hours: float | None = None
    """Hours of whole GPUs (of cores, without GPUs) beyond which no trial is started; None: no limit."""
    rerun_stale: bool = False
    """Retrain finished trials whose data or weights have changed."""
    leave_out_unfit: bool = False
    """Run on the other nodes where some are unfit."""
    quiet: bool = False
    """Print only the summary at the end."""


_SETTINGS: TypeAdapter[Settings] = TypeAdapter(Settings)


def own_datasets(given: Sequence[str], *, cache: Path, limit: float | None) -> dict[Dataset, Path | str | None]:
    """What several `--dataset` name, as `all_of`. Those with a URL are copied first, to read what they declare.

    Raises:
        InputError: a folder is missing or cannot be copied, its declaration is wrong, or two have one name.
    """
    urls: dict[Path | None, str] = {}
    words = []
    for word in given:
        if named := re.fullmatch(r"([^/=]*=)?(\w+://.+)", word):
            folder = local_copy(named[2], cache=cache, limit=limit)
            urls[folder] = named[2]
            word = f"{named[1] or ''}{folder}"
        words.append(word)
    return {dataset: urls.get(path, path) for dataset, path in all_of(words).items()}


def settings_for(
    *, rehearse: bool, storage: str | None, data: str | None, weights: str | None, cache: Path, **others: Any
) -> Settings:
    """The settings that a command line asks for. A rehearsal keeps its data and weights in its storage.

    Args:
        others: fields of `Settings` as they are.

    Raises:
        InputError: arguments that contradict each other, or a value out of range.
    """
    kept = place(storage or ("runs/rehearsal" if rehearse else "runs"))
    if rehearse and (data or weights):
        raise InputError("--rehearse draws its own data and trains its own weights: leave out --data and --weights")
    with validating():
        return Settings(
            data=f"{kept}/data" if rehearse else place(data or "data"),
            weights=f"{kept}/weights" if rehearse else weights and place(weights),
            cache=cache,
            storage=kept,
            **others,
        )
