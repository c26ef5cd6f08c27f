import io
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from storages import framed
from wandb.proto.wandb_internal_pb2 import Record

from analysis.runs.read import read
from analysis.runs.reading import Reading, match, record_of
from search_spaces.paper import PROPOSED, vary
from study.plan import Trial
from study.scheduling.failures import Failure
from study.storage import Storage, root_of, write
from study.storage.beside import hashes
from wbc_model.errors import InputError

RAW = vary(mixup_alpha=0.0)


def text(record) -> str:
    return json.dumps(record.to_json())


def by_id(records) -> list:
    return sorted(records, key=lambda record: record.trial.id)


def test_a_record_comes_back_equal(make_record):
    record = make_record(PROPOSED, 2, overrides={"epochs": 100}, provenance={"git": "9e9cce6"})
    assert record_of(record.trial.id, text(record), where="w") == record


def test_a_run_of_another_protocol_gives_none(make_record, monkeypatch):
    record = make_record(PROPOSED)
    run_id = record.trial.id
    monkeypatch.setattr("wbc_model.config.PROTOCOL", 999)
    assert record_of(run_id, text(record), where="w") is None


def test_a_record_that_cannot_be_read_names_its_run_and_the_field(make_record):
    broken = json.dumps(make_record(PROPOSED).to_json() | {"best_epoch": "late"})
    with pytest.raises(InputError, match="run x: a record that this version cannot read: best_epoch=late: "):
        record_of("x", broken, where="run x")
    with pytest.raises(InputError, match="run x is damaged: "):
        record_of("x", broken[:-1], where="run x")


def test_a_picture_goes_by_its_name_or_by_the_one_that_was_logged_last():
    logged = ["media/images/gradcam_9_ab.png", "media/images/gradcam_11_cd.png", "media/images/other_99_ef.png"]
    assert match("gradcam.png", logged) == "media/images/gradcam_11_cd.png"
    assert match("gradcam.png", [*logged, "gradcam.png"]) == "gradcam.png"
    assert match("predictions.npz", logged) is None


@pytest.mark.parametrize("content", [b"not a log of W&B", b"PK"])
def test_another_file_in_the_place_of_a_log_is_named(tmp_path, content):
    file = tmp_path / "wandb" / "offline-run-1-x" / "run-x.wandb"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    (problem,) = read(tmp_path).problems
    assert problem.startswith(f"{file} is not a W&B log")


def test_no_such_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder of runs"):
        read(tmp_path / "nowhere")


def test_a_folder_without_runs_has_none(tmp_path):
    assert read(tmp_path) == Reading()


def log_of(record, *, file: Path, exit_code: int | None = 0, epochs: int = 0) -> Path:
    """A log with what `read` looks for, and as many lines of history."""
    run, result, end, line = Record(), Record(), Record(), Record()
    run.run.run_id = record.trial.id
    result.summary.update.add(key="record", value_json=json.dumps(text(record)))
    line.history.item.add(key="train_loss", value_json="0.25")
    messages = [run, *[line] * epochs, result]
    if exit_code is not None:
        end.exit.exit_code = exit_code
        messages.append(end)
    file.parent.mkdir(parents=True)
    file.write_bytes(framed([message.SerializeToString() for message in messages]))
    return file


def place(root: Path, record, number: int = 1) -> Path:
    return root / "wandb" / f"offline-run-{number}-{record.trial.id}" / f"run-{record.trial.id}.wandb"


def test_a_damaged_log_is_named_and_the_others_are_read(tmp_path, make_record):
    records = [make_record(PROPOSED, seed) for seed in range(3)]
    files = [log_of(record, file=place(tmp_path, record), epochs=50) for record in records]
    content = bytearray(files[1].read_bytes())
    content[len(content) // 2] ^= 1
    files[1].write_bytes(content)
    reading = read(tmp_path)
    assert by_id(reading.records) == by_id([records[0], records[2]])
    (problem,) = reading.problems
    assert problem.startswith(f"{files[1]} is a damaged W&B log: the checksum of the chunk at byte ")


def test_a_trial_whose_run_lies_in_several_files_counts_by_the_one_that_ended_well(tmp_path, make_record):
    record = make_record(PROPOSED)
    log_of(record, file=place(tmp_path, record, 1), exit_code=None)
    log_of(record, file=place(tmp_path, record, 2), exit_code=1)
    assert read(tmp_path).records == []
    log_of(record, file=place(tmp_path, record, 3))
    log_of(record, file=place(tmp_path, record, 4), exit_code=None)
    reading = read(tmp_path)
    assert (reading.records, reading.problems, reading.unfinished) == ([record], [], {})
    log_of(record, file=place(tmp_path, record, 5))
    assert read(tmp_path).records == [record]


def test_two_finished_runs_of_one_trial_that_differ_are_named_and_none_counts(tmp_path, make_record):
    record = make_record(PROPOSED)
    files = [log_of(r, file=place(tmp_path, record, i)) for i, r in enumerate((record, replace(record, seconds=2.0)))]
    reading = read(tmp_path)
    assert reading.records == []
    assert reading.problems == [
        f"two finished runs of trial {record.trial.id} that differ: {files[0]} and {files[1]}; remove one"
    ]


def test_why_a_trial_has_no_result_is_told(tmp_path, make_record):
    going, ended, failed, again = (make_record(PROPOSED, seed) for seed in range(4))
    log_of(going, file=place(tmp_path, going), exit_code=None)
    log_of(ended, file=place(tmp_path, ended), exit_code=1)
    log_of(failed, file=place(tmp_path, failed), exit_code=1)
    log_of(again, file=place(tmp_path, again, 1), exit_code=1)
    log_of(again, file=place(tmp_path, again, 2))
    failure = Failure.of(FloatingPointError("the loss is nan"), epochs=3)
    Storage(str(tmp_path)).trial(failed.trial.id).write_failure(failure)
    assert read(tmp_path).unfinished == {
        going.trial.id: "still running, or interrupted",
        ended.trial.id: "ended with exit code 1",
        failed.trial.id: "code: FloatingPointError: the loss is nan",
    }


def test_trials_that_wandb_was_not_told_of_count_by_their_own_records(tmp_path, make_record, save_predictions):
    tracked, untracked = make_record(PROPOSED), make_record(RAW)
    log_of(tracked, file=place(tmp_path, tracked))
    files = Storage(str(tmp_path)).trial(untracked.trial.id)
    files.write("predictions.npz", content := save_predictions(untracked))
    files.finish(untracked)
    reading = read(tmp_path)
    assert reading.records == [tracked, untracked]
    assert reading.fetch(untracked.trial.id, "predictions.npz") == content
    (note,) = reading.notes
    assert note.startswith("1 finished trials have no W&B run that can be read; taken from their own records in ")
    assert note.endswith(untracked.trial.id)


def test_files_of_a_run_are_its_own_or_else_those_in_storage(tmp_path, make_record, save_predictions):
    record = make_record(PROPOSED)
    folder = log_of(record, file=place(tmp_path, record)).parent / "files"
    reading = read(tmp_path)
    (run,) = reading.runs.values()
    assert run.fetch("predictions.npz") is None
    files, content = Storage(str(tmp_path)).trial(record.trial.id), save_predictions(record)
    files.write("predictions.npz", content)
    assert run.fetch("predictions.npz") == content
    folder.mkdir()
    for damaged in (b"", content[: len(content) // 2], save_predictions(make_record(PROPOSED, counts=[[1] * 5] * 5))):
        (folder / "predictions.npz").write_bytes(damaged)
        assert run.fetch("predictions.npz") == content, "the one in storage is not damaged"
        assert len(reading.problems) == 1
        assert reading.problems.pop().startswith(f"{folder / 'predictions.npz'} is damaged: ")
    (folder / "predictions.npz").write_bytes(content)
    files.write("predictions.npz", b"damaged, but it is not asked for")
    assert run.fetch("predictions.npz") == content
    assert reading.problems == []


def test_a_file_is_the_one_whose_hash_the_record_has(tmp_path, make_record, save_predictions):
    plain = make_record(PROPOSED)
    content = save_predictions(plain)
    record = replace(plain, files=hashes({"predictions.npz": content}))
    files = Storage(str(tmp_path)).trial(record.trial.id)
    files.finish(record)
    reading = read(tmp_path)
    assert reading.predictions(record.trial.id) is None
    assert reading.problems == [f"predictions.npz of trial {record.trial.id} is missing"]
    other = io.BytesIO()
    np.savez(other, **np.load(io.BytesIO(content)))  # equal numbers, and another file
    files.write("predictions.npz", other.getvalue())
    assert reading.predictions(record.trial.id) is None
    assert reading.problems[1].endswith("predictions.npz is damaged: it has another hash than its record says")
    files.write("predictions.npz", content)
    assert reading.predictions(record.trial.id)
    assert len(reading.problems) == 2


def test_a_damaged_record_is_a_problem_even_where_the_log_has_it(tmp_path, make_record):
    logged, alone = make_record(PROPOSED), make_record(RAW)
    log_of(logged, file=place(tmp_path, logged))
    for record in (logged, alone):
        files = Storage(str(tmp_path)).trial(record.trial.id)
        files.finish(record)
        files.write("record.json", b"")
    reading = read(tmp_path)
    assert reading.records == [logged]
    assert sorted(problem.partition(" is damaged")[0] for problem in reading.problems) == sorted(
        str(tmp_path / "trials" / record.trial.id / "record.json") for record in (logged, alone)
    )


@pytest.mark.parametrize("store", ["memory", pytest.param("s3", marks=pytest.mark.slow)])
def test_an_object_store_is_read_as_a_folder_is(store, tmp_path, make_record, save_predictions, request):
    """Logs, records and files, copied there."""
    tracked, untracked = make_record(PROPOSED), make_record(RAW)
    folder = log_of(tracked, file=place(tmp_path, tracked)).parent / "files"
    (folder / "media" / "images").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(folder / "media" / "images" / "gradcam_12_9a47eb.png")
    picture = (folder / "media" / "images" / "gradcam_12_9a47eb.png").read_bytes()
    files = Storage(str(tmp_path)).trial(untracked.trial.id)
    files.write("predictions.npz", save_predictions(untracked))
    files.finish(untracked)
    root = root_of(f"{request.getfixturevalue('bucket') if store == 's3' else 'memory:/'}/{tmp_path.name}")
    with pytest.raises(InputError, match="is not a folder of runs"):
        read(root)
    for file in (file for file in tmp_path.rglob("*") if file.is_file()):
        write(root / file.relative_to(tmp_path).as_posix(), file.read_bytes())
    reading = read(root)
    assert by_id(reading.records) == by_id([tracked, untracked])
    assert reading.problems == []
    assert reading.fetch(tracked.trial.id, "gradcam.png") == picture
    assert reading.fetch(tracked.trial.id, "predictions.npz") is None
    assert reading.predictions(untracked.trial.id)


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
    assert read(tmp_path).records == [record]


@pytest.mark.slow
def test_real_offline_runs_come_back_whole_and_failed_ones_not_at_all(tmp_path, make_record, write_run):
    curves = [{"epoch": float(epoch), "train/loss": 1 / (epoch + 1)} for epoch in range(5000)]
    large = replace(make_record(PROPOSED, 1), curves=curves)
    records = [make_record(PROPOSED), large, make_record(RAW, provenance={"note": "α = ½, “quoted”"})]
    files = [write_run(tmp_path / "runs", record) for record in records]
    write_run(tmp_path / "runs", make_record(RAW, 1), fails=True)
    assert files[1].stat().st_size > 3 * 32 * 1024
    assert by_id(read(tmp_path / "runs").records) == by_id(records)


@pytest.mark.slow
def test_a_log_cut_off_anywhere_counts_as_unfinished(tmp_path, make_record, write_run):
    file = write_run(tmp_path / "runs", make_record(PROPOSED))
    whole = file.read_bytes()
    assert len(read(tmp_path / "runs").runs) == 1
    for length in (0, 3, 7, 12, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert read(tmp_path / "runs").records == read(tmp_path / "runs").problems == [], length
    for length in (7, 12, len(whole) // 2, len(whole) - 20):
        file.write_bytes(whole[:length] + bytes(len(whole) - length))
        assert read(tmp_path / "runs").records == read(tmp_path / "runs").problems == [], f"{length}, then zeros"


@pytest.mark.slow
def test_thousands_of_runs_are_read_in_seconds(tmp_path, make_record):
    record = replace(make_record(PROPOSED), curves=[{"epoch": 1.0, "train_loss": 0.1}] * 100)
    for seed in range(1000):
        mine = replace(record, trial=Trial(PROPOSED, seed))
        log_of(mine, file=place(tmp_path, mine), epochs=100)
    started = time.perf_counter()
    assert len(read(tmp_path).runs) == 1000
    assert time.perf_counter() - started < 12
