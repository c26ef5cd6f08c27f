import io
import json
import shutil
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from wandb.proto.wandb_internal_pb2 import Record

from analysis.runs import offline_predictions, offline_runs, record_of
from search_spaces.paper import PROPOSED, vary
from study.storage import Storage

RAW = vary(mixup_alpha=0.0)


def summary(record) -> dict[str, object]:
    return {"record": json.dumps(record.to_json()), "test/accuracy": 1.0, "_step": 3}


def test_a_finished_run_gives_its_record(make_record):
    record = make_record(PROPOSED, 2, overrides={"epochs": 100}, provenance={"git": "9e9cce6"})
    assert record_of(record.trial.id, summary(record), finished=True, where="w") == record


def test_an_unfinished_run_or_one_without_a_record_gives_none(make_record):
    record = make_record(PROPOSED)
    assert record_of(record.trial.id, summary(record), finished=False, where="w") is None
    assert record_of(record.trial.id, {"test/accuracy": 1.0}, finished=True, where="w") is None


def test_a_run_of_another_protocol_gives_none(make_record, monkeypatch):
    record = make_record(PROPOSED)
    run_id = record.trial.id
    monkeypatch.setattr("wbc_model.config.PROTOCOL", 999)
    assert record_of(run_id, summary(record), finished=True, where="w") is None


def test_a_record_that_cannot_be_read_names_its_run_and_the_field(make_record):
    text = json.dumps(make_record(PROPOSED).to_json() | {"best_epoch": "late"})
    with pytest.raises(ValueError, match="run x: a record that this version cannot read: best_epoch: "):
        record_of("x", {"record": text}, finished=True, where="run x")


@pytest.mark.parametrize("content", [b"not a log of W&B", b"PK"])
def test_another_file_in_the_place_of_a_log_is_named(tmp_path, content):
    file = tmp_path / "wandb" / "offline-run-1-x" / "run-x.wandb"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(ValueError, match="run-x.wandb is not a W&B log"):
        offline_runs(tmp_path)


def test_no_such_folder_is_named(tmp_path):
    with pytest.raises(OSError, match="nowhere is not a folder of runs"):
        offline_runs(tmp_path / "nowhere")


def test_a_folder_without_runs_has_none(tmp_path):
    assert offline_runs(tmp_path) == []


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


@pytest.mark.parametrize("left", range(10))
def test_a_block_may_end_with_any_few_bytes_left(tmp_path, make_record, left):
    record = make_record(PROPOSED)
    run, filler, result, end = Record(), Record(), Record(), Record()
    run.run.run_id = record.trial.id
    result.summary.update.add(key="record", value_json=json.dumps(json.dumps(record.to_json())))
    end.exit.exit_code = 0
    filler.output_raw.line = "x" * 32000
    short = 32768 - left - len(framed([run.SerializeToString(), filler.SerializeToString()]))
    filler.output_raw.line += "x" * short
    messages = [message.SerializeToString() for message in (run, filler, result, end)]
    assert len(framed(messages[:2])) == 32768 - left
    file = tmp_path / "wandb" / "offline-run-1-x" / "run-x.wandb"
    file.parent.mkdir(parents=True)
    file.write_bytes(framed(messages))
    assert offline_runs(tmp_path) == [record]


@pytest.mark.slow
def test_real_offline_runs_come_back_whole_and_failed_ones_not_at_all(tmp_path, make_record, write_run):
    curves = [{"epoch": float(epoch), "train/loss": 1 / (epoch + 1)} for epoch in range(5000)]
    large = replace(make_record(PROPOSED, 1), curves=curves)
    records = [make_record(PROPOSED), large, make_record(RAW, provenance={"note": "α = ½, “quoted”"})]
    files = [write_run(tmp_path / "runs", record) for record in records]
    write_run(tmp_path / "runs", make_record(RAW, 1), fails=True)
    assert files[1].stat().st_size > 3 * 32 * 1024
    assert sorted(offline_runs(tmp_path / "runs"), key=lambda r: r.trial.id) == sorted(
        records, key=lambda r: r.trial.id
    )


@pytest.mark.slow
def test_a_log_cut_off_anywhere_counts_as_unfinished(tmp_path, make_record, write_run):
    file = write_run(tmp_path / "runs", make_record(PROPOSED))
    whole = file.read_bytes()
    assert len(offline_runs(tmp_path / "runs")) == 1
    for length in (0, 3, 7, 12, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert offline_runs(tmp_path / "runs") == [], length
    for length in (7, 12, len(whole) // 2, len(whole) - 20):
        file.write_bytes(whole[:length] + bytes(len(whole) - length))
        assert offline_runs(tmp_path / "runs") == [], f"{length}, then zeros"


@pytest.mark.slow
def test_two_finished_runs_of_one_trial_are_named(tmp_path, make_record, write_run):
    file = write_run(tmp_path / "runs", make_record(PROPOSED))
    copy = file.parent.with_name(f"offline-run-20990101_000000-{PROPOSED.id}-s0") / file.name
    shutil.copytree(file.parent, copy.parent)
    with pytest.raises(ValueError, match=f"two finished runs of trial {PROPOSED.id}-s0: {file} and {copy}"):
        offline_runs(tmp_path / "runs")


@pytest.mark.slow
def test_hundreds_of_runs_are_read_in_seconds(tmp_path, make_record, write_run):
    file = write_run(tmp_path / "runs", replace(make_record(PROPOSED), curves=[{"loss": 0.1}] * 1000))
    for i in range(300):
        shutil.copytree(file.parent, tmp_path / "many" / str(i) / "wandb" / file.parent.name)
    started = time.perf_counter()
    for i in range(300):
        assert len(offline_runs(tmp_path / "many" / str(i))) == 1
    assert time.perf_counter() - started < 5


def saved(n: int) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, ids=np.array(["a.png", "b.png"]), truth=np.array([0, n]), probabilities=np.eye(5)[:2])
    return buffer.getvalue()


def test_predictions_are_read_from_the_run_or_else_from_the_trials_folder(tmp_path):
    predictions = offline_predictions(tmp_path)
    assert predictions("abc-s0") is None
    Storage(str(tmp_path)).trial("abc-s0").write("predictions.npz", saved(1))
    assert predictions("abc-s0").truth.tolist() == [0, 1]
    assert predictions("abc-s0").called.tolist() == [0, 1]
    file = tmp_path / "wandb" / "offline-run-20260101_000000-abc-s0" / "files" / "predictions.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(saved(2))
    assert predictions("abc-s0").truth.tolist() == [0, 2]
