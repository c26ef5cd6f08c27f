"""One trial, from its config to its record in storage, resumed where an earlier attempt stopped."""

import io
import platform
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from study.plan import Trial
from study.provenance import code
from study.settings import Settings
from study.storage import Storage, TrialFiles
from study.storage.beside import hashes
from study.tracking.content import log_again, log_provenance, summarise
from study.tracking.model_artifact import log_model
from study.tracking.wandb_run import tracked
from study.trial.checkpoints import Checkpoint, Resumed
from study.trial.device_memory import gpu_share
from study.trial.final_test import final_test
from study.trial.inputs import prepared
from study.trial.kept_model import keep
from study.trial.pretrained import weights_of, weights_source
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import is_built_in
from wbc_model.errors import Damaged
from wbc_model.models import TwoBranch
from wbc_model.networks.build import build
from wbc_model.preparation.cache import Prepared
from wbc_model.training.device import choose
from wbc_model.training.gradcam import sheet
from wbc_model.training.train import EpochReport, TrainState, fit

if TYPE_CHECKING:
    import wandb  # at run time, only study.tracking imports it

EpochRow = dict[str, Any]


def run_trial(
    trial: Trial, settings: Settings, *, tell: Callable[[str], object] = warnings.warn
) -> Generator[EpochRow, None, None]:
    """Train, test, track and store one trial; yields one row per epoch. Its record is written last.

    In a search, a trial ends with its last epoch: its objective is in its epochs, and it sees no test data.

    Args:
        tell: is given a line for each file that was damaged and is set aside.
    """
    files = Storage(settings.storage).trial(trial.id)
    device = choose()
    if device == "cuda":
        torch.cuda.empty_cache()  # of an earlier trial in this worker
        torch.cuda.reset_peak_memory_stats()
    with tracked(trial, settings) as run:
        data = prepared(trial.config.data, settings)
        others = {} if settings.search else {c.dataset.name: prepared(c.data, settings) for c in trial.config.elsewhere}
        model = build(trial.config, seed=trial.seed, weights=weights_source(settings))
        provenance = code() | _provenance(trial.config, data, others, settings, device=device)
        inputs = {name: provenance[name] for name in ("data", "weights")}
        with Checkpoint(files, inputs, device=provenance["device"]) as checkpoint:
            resumed = _resumed(files, checkpoint, tell)
            if len(checkpoint.devices) > 1:
                provenance["devices"] = checkpoint.devices
            log_provenance(run, provenance)
            state = resumed.state if resumed else None
            epochs = fit(model, data.sets["train"], data.sets["validation"], trial.config, seed=trial.seed,
                         device=device, resume=state, capture=not settings.eager)  # fmt: skip
            state = yield from _train(epochs, resumed, files, checkpoint, run, wait=bool(settings.search))
        if settings.search:
            files.discard("checkpoint.pt")
            return
        model.load_state_dict(state.best_model)
        provenance["peak"] = {"gpu": gpu_share(device), "checkpoint_bytes": files.size("checkpoint.pt"),
                              "weights_bytes": sum(tensor.nbytes for tensor in state.best_model.values())}  # fmt: skip
        sets = {trial.config.dataset.name: data} | others
        found = final_test(trial, model, sets, state, files.epochs(), made_from=provenance, device=device)
        predictions, picture = found.npz_files(), None
        beside = dict(predictions)
        if isinstance(trial.config.model, TwoBranch):
            own = found.tests[trial.config.dataset.name]
            picture = sheet(model, data.sets["test"], own.probabilities, device=device)
            beside["gradcam.png"] = _bytes(partial(Image.fromarray(picture).save, format="PNG"))
        for name, content in beside.items():
            files.write(name, content)
        beside |= keep(model, found, files, manifest=data.manifest, wanted=settings.keeps(trial))
        record = replace(found.record, files=hashes(beside))
        if summarise(run, record, predictions=predictions, picture=picture):
            log_model(run, record, Storage(settings.storage))
    files.finish(record)


def _resumed(files: TrialFiles, checkpoint: Checkpoint, tell: Callable[[str], object]) -> Resumed | None:
    """Where an earlier attempt stopped, if anywhere; files that are damaged are set aside."""
    try:
        files.epochs()
    except Damaged as error:
        tell(f"{error}; it is kept as {files.set_aside('epochs.jsonl')}")
    try:
        return checkpoint.read()
    except Damaged as error:
        tell(f"{error}; it is kept as {files.set_aside('checkpoint.pt')}, and the trial starts anew")
        return None


def _train(
    epochs: Iterator[EpochReport], resumed: Resumed | None, files: TrialFiles, checkpoint: Checkpoint,
    run: "wandb.Run", *, wait: bool,
) -> Generator[EpochRow, None, TrainState]:  # fmt: skip
    """Train to the last epoch; after each, write the epoch log, then the checkpoint.

    Args:
        wait: for each checkpoint, before its epoch is reported: the launcher of a search may stop the trial then and
            delete it.
    """
    state, rows = (resumed.state, resumed.rows) if resumed else (None, [])
    files.write_epochs(rows)
    log_again(run, rows)
    for report in epochs:
        state, row = report.state, report.row()
        rows.append(row)
        checkpoint.wait()
        files.write_epochs(rows)
        checkpoint.write(state, rows)
        if wait:
            checkpoint.wait()
        run.log(row, step=report.epoch)
        yield row
    checkpoint.wait()
    assert state is not None
    return state


def _bytes(save: Callable[[io.BytesIO], object]) -> bytes:
    """The bytes that `save` writes to a file."""
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def _provenance(
    config: TrialConfig, data: Prepared, others: Mapping[str, Prepared], settings: Settings, *, device: str
) -> dict[str, Any]:
    """The provenance of a record: data (of other datasets too, if it is tested on them), weights and machine."""
    elsewhere = {dataset: other.fingerprint for dataset, other in others.items()}
    declared = {} if is_built_in(config.dataset) else {"declaration": config.dataset.fingerprint}
    return (
        ({"data_elsewhere": elsewhere} if elsewhere else {})
        | declared
        | {
            "data": data.fingerprint,
            "weights": weights_of(config, settings),
            "node": platform.node(),
            "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
            "images": {name: len(images) for name, images in data.sets.items()},
        }
    )
