"""Where and with what resources a study runs, but not what is trained: settings change no id. No torch, no ray."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from study.plan import Trial
from study.storage import place
from wbc_model.choices import Trunks
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.declare import folder_of
from wbc_model.errors import InputError, validating
from wbc_model.preparation.cache_folder import default_cache


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


WandbName = Annotated[str, AfterValidator(_accepted)]
"""The name of a project or an entity."""
Tracking = Literal["online", "offline", "disabled"]
KeepWeights = Literal["all", "proposed", "none"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a launch. They are sent to every node as JSON and hold no secret."""

    data: Path
    """Folder of the paper's datasets."""
    own: tuple[tuple[str, Path], ...] = ()
    """The user's own datasets: name, and where it lies, as its folder or the declaration in it (`.toml`)."""
    storage: str
    """Folder or URL of records, epoch logs, checkpoints and W&B files."""
    cache: Path
    """Node-local folder of prepared images."""
    cache_limit: Annotated[float, Field(gt=0)] | None = None
    """Maximum size of the cache in GB; None: what the disk has."""
    weights: Path | None = None
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
        """The folder below which a dataset is found."""
        return folder_of(dict(self.own).get(dataset.name), data=self.data)

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


def settings_for(
    *, rehearse: bool, storage: str | None, data: Path | None, weights: Path | None, cache: Path | None, **others: Any
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
    if rehearse and "://" in kept:
        raise InputError(f"--rehearse keeps its data in its storage and needs a folder, got {storage}")
    with validating():
        return Settings(
            data=Path(kept) / "data" if rehearse else (data or Path("data")).absolute(),
            weights=Path(kept) / "weights" if rehearse else weights and weights.absolute(),
            cache=(cache or default_cache()).absolute(),
            storage=kept,
            **others,
        )
