"""One trial, from its config to its record in storage, going on where an earlier attempt stopped."""

import io
import platform
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import nn

from study.checkpoints import Checkpoint
from study.plan import Trial
from study.provenance import code
from study.settings import Settings
from study.storage import Storage, TrialFiles
from study.testing import conclude, npz_files
from study.tracking import Run, tracked
from study.wandb_content import log_again, summarise, tell_origin
from wbc_model.backbones import build_trunk
from wbc_model.cache import Prepared, prepare
from wbc_model.choices import Dataset, Init
from wbc_model.config import TrialConfig, TwoBranch
from wbc_model.datasets import require
from wbc_model.device import choose
from wbc_model.gradcam import sheet
from wbc_model.network import build, trunks_of
from wbc_model.train import TrainState, fit
from wbc_model.weights import find_weights

Row = dict[str, Any]

CONTEXT = 600 * 2**20
"""Bytes that CUDA takes of a GPU for each process, at most: what else is in use there is other processes'."""


def check_inputs(trials: Iterable[Trial], settings: Settings) -> list[str]:
    """Prepare the data and find the weights that trials need, before the first of them starts; keep the manifests.

    Returns:
        A line for each dataset of which files are left out.

    Raises:
        DataError, WeightsError: (ValueErrors) naming what is missing, damaged or unfit.
    """
    configs = {trial.config for trial in trials}
    everywhere = {each for config in configs for each in config.everywhere}
    require(sorted({config.dataset for config in everywhere}), settings.data)
    for spec in {spec for config in configs for spec, init in trunks_of(config).values() if init is Init.IMAGENET}:
        build_trunk(spec, init=Init.IMAGENET, seed=0, weights=settings.weights)
    notes = {}
    for config in {(c.dataset, c.images, c.image_size, c.augmentation, c.split): c for c in everywhere}.values():
        data = prepared(config, settings)
        name = f"data/{config.dataset}-{data.fingerprint}.csv"
        Storage(settings.storage).write(name, (data.folder / "manifest.csv").read_bytes())
        if left_out := sum(bool(entry.excluded) for entry in data.manifest):
            total = len(data.manifest)
            notes[config.dataset] = f"{config.dataset}: {left_out} of {total} files left out, see {name} in storage"
    return list(notes.values())


def complete(trial: Trial, settings: Settings) -> Generator[Row, None, None]:
    """Train, test, track and store one trial; yields one row an epoch. Its record is written last of all.

    Of a search, it ends with its last epoch: its best validation accuracy is in its epochs, and it sees no test data.
    """
    files = Storage(settings.storage).trial(trial.id)
    device = choose()
    if device == "cuda":
        torch.cuda.empty_cache()  # what an earlier trial of this worker had
        torch.cuda.reset_peak_memory_stats()
    with tracked(trial, settings) as run:
        data = prepared(trial.config, settings)
        others = {} if settings.search else {c.dataset: prepared(c, settings) for c in trial.config.elsewhere}
        model = build(trial.config, seed=trial.seed, weights=settings.weights)
        made_from = code() | _made_from(trial.config, data, others, settings, device=device)
        tell_origin(run, made_from)
        state = yield from _train(trial, model, data, files, run, settings, made_from=made_from, device=device)
        if settings.search:
            files.discard("checkpoint.pt")
            return
        model.load_state_dict(state.best_model)
        made_from["peak"] = {"gpu": gpu_share(device), "checkpoint_bytes": files.size("checkpoint.pt")}
        sets = {trial.config.dataset: data} | others
        record, tests = conclude(trial, model, sets, state, files.epochs(), made_from=made_from, device=device)
        predictions, picture = npz_files(tests, own=trial.config.dataset), None
        for name, content in predictions.items():
            files.write(name, content)
        if isinstance(trial.config.model, TwoBranch):
            picture = sheet(model, data.sets["test"], tests[trial.config.dataset].probabilities, device=device)
            files.write("gradcam.png", _bytes(partial(Image.fromarray(picture).save, format="PNG")))
        summarise(run, record, predictions=predictions, picture=picture)
    files.finish(record)


def _train(
    trial: Trial, model: nn.Module, data: Prepared, files: TrialFiles, run: Run, settings: Settings, *,
    made_from: Row, device: str,
) -> Generator[Row, None, TrainState]:  # fmt: skip
    """Go on from the checkpoint, if there is one, to the last epoch; after each, the log, then the checkpoint."""
    with Checkpoint(files, {name: made_from[name] for name in ("data", "weights")}) as checkpoint:
        state = checkpoint.read()
        rows = files.epochs()[: state.epoch if state else 0]
        log_again(run, rows)
        epochs = fit(model, data.sets["train"], data.sets["validation"], trial.config, seed=trial.seed, device=device,
                     resume=state, capture=not settings.eager)  # fmt: skip
        for report in epochs:
            state, row = report.state, report.row()
            rows.append(row)
            checkpoint.wait()
            files.write_epochs(rows)
            checkpoint.write(state)
            if settings.search:  # the sample may be stopped here, and the launcher deletes what is written
                checkpoint.wait()
            run.log(row, step=report.epoch)
            yield row
        checkpoint.wait()
    assert state is not None
    return state


def prepared(config: TrialConfig, settings: Settings, *, may_build: bool = True) -> Prepared:
    """A config's data, from the cache of this machine, which is made first where it is missing."""
    return prepare(
        config.dataset,
        images=config.images,
        augmentation=config.augmentation,
        data=settings.data,
        cache=settings.cache,
        image_size=config.image_size,
        by=config.split,
        limit=settings.cache_limit,
        may_build=may_build,
    )


def gpu_share(device: str, *, more: int = 0) -> float:
    """Share of the GPU's memory that this process had at most, with what CUDA takes for itself; 0 without one.

    Args:
        more: bytes that a whole training has beyond that.
    """
    if device != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info()
    others = total - free - torch.cuda.memory_reserved()
    return (torch.cuda.max_memory_reserved() + min(others, CONTEXT) + more) / total


def _bytes(save: Callable[[io.BytesIO], object]) -> bytes:
    """What `save` writes to a file."""
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def weights_of(config: TrialConfig, settings: Settings) -> dict[str, dict[str, str]]:
    """Origin and hash of the ImageNet weights of each trunk that starts from such."""
    trunks = {name: spec for name, (spec, init) in trunks_of(config).items() if init is Init.IMAGENET}
    found = {name: find_weights(spec, settings.weights) for name, spec in trunks.items()}
    return {name: {"origin": weights.origin, "sha256": weights.sha256} for name, weights in found.items()}


def _made_from(
    config: TrialConfig, data: Prepared, others: Mapping[Dataset, Prepared], settings: Settings, *, device: str
) -> Row:
    """Data, weights and machine behind a record; the data of other datasets where it was tested on such."""
    elsewhere = {dataset.value: other.fingerprint for dataset, other in others.items()}
    return ({"data_elsewhere": elsewhere} if elsewhere else {}) | {
        "data": data.fingerprint,
        "weights": weights_of(config, settings),
        "node": platform.node(),
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "images": {name: len(images) for name, images in data.sets.items()},
    }
