"""A storage as a study leaves it, with nothing trained: two finished trials with their W&B runs, and one under way."""

import io
import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from wandb.proto.wandb_internal_pb2 import Record

from search_spaces.paper import TABLES
from search_spaces.table import select
from study.costs.cost import Cost
from study.costs.model import Costs, Pool
from study.plan import RunRecord, plan
from study.scheduling.failures import Failure
from study.storage import Storage, write_plan
from study.storage.beside import hashes
from study.trial.leases import Lease
from wbc_model.preparation.manifest import Entry, fingerprint_of, write_manifest
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.predictions import Predictions

TRIALS = plan(select(TABLES, numbers=["4"], datasets=[], overrides={}))[:3]
CELLS = TRIALS[0].config.dataset.classes
ENTRIES = [Entry(f"{i}.png", CELLS[i % 5], "test", 0, f"{i:064x}", "", 100) for i in range(20)]
EPOCHS = [{"epoch": epoch, "validation_accuracy": 0.25 * (epoch + 1), "train_loss": 1.5 - epoch} for epoch in range(2)]


def finish(storage: Storage, n: int, *, wrong: int) -> RunRecord:
    """Write what the n-th trial leaves, which called so many of 20 test images wrong."""
    truth = np.arange(20) % 5
    called = np.where(np.arange(20) < wrong, (truth + 1) % 5, truth)
    ids = np.array([entry.id for entry in ENTRIES])
    predictions = Predictions(classes=CELLS, ids=ids, truth=truth, probabilities=np.eye(5, dtype=np.float32)[called])
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (n, 0, 0)).save(picture, format="PNG")
    files = {"predictions.npz": predictions.to_npz(), "gradcam.png": picture.getvalue()}
    matrix = ConfusionMatrix.from_predictions(CELLS, truth=truth.tolist(), predicted=called.tolist())
    made_from = {"data": fingerprint_of(ENTRIES), "weights": {}}
    curves = [{name: float(value) for name, value in row.items()} for row in EPOCHS]
    record = RunRecord(trial=TRIALS[n], best_epoch=1, validation=matrix, test=matrix, curves=curves, seconds=2.5,
                       provenance=made_from, files=hashes(files))  # fmt: skip
    trial = storage.trial(record.trial.id)
    for name, content in files.items():
        trial.write(name, content)
    trial.write_epochs(EPOCHS)
    trial.finish(record)
    run = Path(str(storage.root)) / "wandb" / f"offline-run-{n}-{record.trial.id}"
    (run / "files" / "media" / "images").mkdir(parents=True)
    (run / "files" / "predictions.npz").write_bytes(files["predictions.npz"])
    (run / "files" / "media" / "images" / "gradcam_1_ab.png").write_bytes(files["gradcam.png"])
    (run / f"run-{record.trial.id}.wandb").write_bytes(framed(messages(record)))
    return record


def study(root: Path) -> list[RunRecord]:
    """Write the storage; returns the records of the finished trials."""
    storage = Storage(str(root))
    write_plan(storage, TRIALS)
    costs = Costs([Pool("cpu", cores=2, gpus=0)])
    costs.learn(TRIALS[0], Cost(epoch_seconds=3.0, overhead_seconds=1.0), "cpu")
    costs.write(storage)
    (root / "data").mkdir()
    write_manifest(root / "data" / f"ldwbc-{fingerprint_of(ENTRIES)}.csv", ENTRIES)
    files = storage.trial(TRIALS[2].id)
    files.write_epochs(EPOCHS)
    files.write_failure(Failure.lost("its node", epochs=2))
    archive = io.BytesIO()
    np.savez(archive, weights=np.arange(100))  # a zip archive, as torch's files are
    files.write("checkpoint.pt", archive.getvalue())
    Lease.take(files.folder).release()
    return [finish(storage, 0, wrong=2), finish(storage, 1, wrong=7)]


def messages(record: RunRecord) -> list[bytes]:
    """The records of a W&B log that was closed."""
    run, result, end = Record(), Record(), Record()
    run.run.run_id = record.trial.id
    rows = []
    for row in record.curves:
        line = Record()
        for name, value in row.items():
            line.history.item.add(key=name, value_json=json.dumps(value))
        rows.append(line)
    result.summary.update.add(key="record", value_json=json.dumps(json.dumps(record.to_json())))
    end.exit.exit_code = 0
    return [message.SerializeToString() for message in (run, *rows, result, end)]


def framed(messages: Sequence[bytes]) -> bytes:
    """A log as LevelDB writes it: no chunk crosses a block of 32 KiB, and less than a chunk's header is left blank."""
    data = b":W&B\xe1\xbe\x00"
    for message in messages:
        started = False
        while message or not started:
            left = 32768 - len(data) % 32768
            if left < 7:
                data, left = data + bytes(left), 32768
            part, message = message[: left - 7], message[left - 7 :]
            kind = bytes([{(0, 0): 1, (0, 1): 2, (1, 1): 3, (1, 0): 4}[started, bool(message)]])
            data += struct.pack("<IH", zlib.crc32(kind + part), len(part)) + kind + part
            started = True
    return data
