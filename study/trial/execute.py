"""One trial, from its config to its record in storage, resumed where an earlier attempt stopped."""

import io
import platform
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import nn

from study.plan import Trial
from study.provenance import code
from study.settings import Settings
from study.storage import Storage, TrialFiles
from study.tracking.content import log_again, log_provenance, summarise
from study.tracking.wandb_run import tracked
from study.trial.checkpoints import Checkpoint
from study.trial.device_memory import gpu_share
from study.trial.final_test import make_record, npz_files
from study.trial.inputs import prepared
from study.trial.pretrained import weights_of, weights_source
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import is_built_in
from wbc_model.models import TwoBranch
from wbc_model.networks.build import build
from wbc_model.preparation.cache import Prepared
from wbc_model.training.device import choose
from wbc_model.training.gradcam import sheet
from wbc_model.training.train import TrainState, fit

if TYPE_CHECKING:
    import wandb  # at run time, only study.tracking imports it

EpochRow = dict[str, Any]


def run_trial(trial: Trial, settings: Settings) -> Generator[EpochRow, None, None]:
    """Train, test, track and store one trial; yields one row per epoch. Its record is written last.

    In a search, a trial ends with its last epoch: its objective is in its epochs, and it sees no test data.
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
        log_provenance(run, provenance)
        state = yield from _train(trial, model, data, files, run, settings, provenance=provenance, device=device)
        if settings.search:
            files.discard("checkpoint.pt")
            return
        model.load_state_dict(state.best_model)
        provenance["peak"] = {"gpu": gpu_share(device), "checkpoint_bytes": files.size("checkpoint.pt")}
        sets = {trial.config.dataset.name: data} | others
        record, tests = make_record(trial, model, sets, state, files.epochs(), made_from=provenance, device=device)
        predictions, picture = npz_files(tests, own=trial.config.dataset.name), None
        for name, content in predictions.items():
            files.write(name, content)
        if isinstance(trial.config.model, TwoBranch):
            picture = sheet(model, data.sets["test"], tests[trial.config.dataset.name].probabilities, device=device)
            files.write("gradcam.png", _bytes(partial(Image.fromarray(picture).save, format="PNG")))
        summarise(run, record, predictions=predictions, picture=picture)
    files.finish(record)


def _train(
    trial: Trial, model: nn.Module, data: Prepared, files: TrialFiles, run: "wandb.Run", settings: Settings, *,
    provenance: dict[str, Any], device: str,
) -> Generator[EpochRow, None, TrainState]:  # fmt: skip
    """Resume from the checkpoint, if any, to the last epoch; after each, write the epoch log, then the checkpoint."""
    with Checkpoint(files, {name: provenance[name] for name in ("data", "weights")}) as checkpoint:
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
            if settings.search:  # the launcher may stop the trial here and delete its checkpoint
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
