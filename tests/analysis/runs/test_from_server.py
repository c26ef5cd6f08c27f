"""Reading from a server: the real client against a stub of W&B's HTTP interface."""

import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from wandb_stub import WandbStub

from analysis.runs import from_server as online
from analysis.runs.read import read
from analysis.runs.reading import Reading
from search_spaces.paper import PROPOSED, vary
from study.plan import Trial
from study.settings import Settings
from study.storage import predictions_file
from study.tracking.content import summarise
from study.tracking.wandb_run import tracked
from wbc_model.choices import EvaluateOn
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.errors import InputError

pytestmark = pytest.mark.slow
HERE = "lab/wbc-study"


def put(stub: WandbStub, record, *, exit_code: int | None = 0):
    run = stub.add(record.trial.id)
    run.exit_code = exit_code
    run.summary = {"record": json.dumps(record.to_json())}
    return run


def some(make_record, n: int) -> list:
    return [replace(make_record(PROPOSED), trial=Trial(PROPOSED, seed)) for seed in range(n)]


def asked(stub: WandbStub) -> list[str]:
    """Which queries came since it was asked last; those for whole runs as `Runs of ...`."""
    log, stub.log = stub.log, []
    runs = [r for r in log if r.operation == "Runs"]
    return ["of those" if "$in" in r.variables["filters"] else "all" for r in runs]


def test_online_and_offline_give_equal_records(wandb_stub, make_record, save_predictions, tmp_path, monkeypatch):
    def files(record):
        return {predictions_file(on): save_predictions(record) for on in (None, *record.elsewhere)}

    records = [make_record(PROPOSED), make_record(vary(mixup_alpha=0.0), provenance={"note": "α = ½"})]
    records.append(make_record(vary(test_on=EvaluateOn.ALL)))
    records[-1] = replace(records[-1], elsewhere=dict.fromkeys(("lisc", "bccd", "raabin"), records[0].test))
    for mode in ("online", "offline"):
        monkeypatch.setenv("WANDB_MODE", mode)
        for record in records:
            settings = Settings(data=tmp_path, storage=str(tmp_path / "runs"), cache=tmp_path, tracking=mode)
            with tracked(record.trial, settings) as run:
                run.log({"epoch": 0, "train_loss": 1.0}, step=0)
                summarise(run, record, predictions=files(record), picture=None)
    monkeypatch.setenv("WANDB_MODE", "online")
    assert wandb_stub.runs[records[-1].trial.id].summary["test/lisc/accuracy"] == 1
    there, here = read(wandb=HERE, cache=tmp_path / "cache"), read(tmp_path / "runs")
    for reading in (there, here):
        assert sorted(reading.records, key=lambda r: r.trial.id) == sorted(records, key=lambda r: r.trial.id)
        assert reading.predictions(records[-1].trial.id, LISC.name)
        assert reading.predictions(records[0].trial.id, LISC.name) is None


def test_runs_come_page_by_page_and_once(wandb_stub: WandbStub, make_record, tmp_path, monkeypatch):
    monkeypatch.setattr(online, "PAGE", 2)
    records = some(make_record, 5)
    runs = [put(wandb_stub, record) for record in records]
    assert read(wandb=HERE, cache=tmp_path).records == records
    assert asked(wandb_stub) == ["all"] * 3 + ["of those"] * 3
    assert read(wandb=HERE, cache=tmp_path).records == records
    assert asked(wandb_stub) == ["all"] * 3
    changed = replace(records[1], seconds=2.0)
    runs[1].summary, runs[1].beats = {"record": json.dumps(changed.to_json())}, 99
    assert read(wandb=HERE, cache=tmp_path).records[1] == changed
    assert asked(wandb_stub) == ["all"] * 3 + ["of those"]


def test_a_reading_that_was_cut_goes_on(wandb_stub: WandbStub, make_record, tmp_path, monkeypatch):
    monkeypatch.setattr(online, "PAGE", 2)
    monkeypatch.setattr(online, "PATIENCE", 2)
    records = some(make_record, 6)
    for record in records:
        put(wandb_stub, record)
    pages = []

    def fault(request):
        if request.operation == "Runs" and "$in" in request.variables["filters"]:
            pages.append(request)
        return 403 if len(pages) == 3 else None

    wandb_stub.fault = fault
    with pytest.raises(InputError, match=f"cannot read {HERE} from W&B"):
        read(wandb=HERE, cache=tmp_path)
    wandb_stub.fault = None
    asked(wandb_stub)
    assert read(wandb=HERE, cache=tmp_path).records == records
    assert asked(wandb_stub).count("of those") == 1


def test_too_many_requests_are_waited_out(wandb_stub: WandbStub, make_record, tmp_path):
    (record,) = some(make_record, 1)
    put(wandb_stub, record)
    refused = []

    def fault(request):
        if request.operation == "Runs" and not refused:
            refused.append(request)
            return 429
        return None

    wandb_stub.fault = fault
    assert read(wandb=HERE, cache=tmp_path).records == [record]
    assert len(refused) == 1


def test_a_run_still_going_or_failed_is_not_finished(wandb_stub: WandbStub, make_record, tmp_path):
    going, failed, done = some(make_record, 3)
    put(wandb_stub, going, exit_code=None)
    put(wandb_stub, failed, exit_code=1)
    put(wandb_stub, done)
    reading = read(wandb=HERE, cache=tmp_path)
    assert reading.records == [done]
    assert reading.unfinished == {going.trial.id: "still running", failed.trial.id: "W&B calls it failed"}


def test_a_runs_files_come_when_they_are_asked_for_and_once(
    wandb_stub: WandbStub, make_record, save_predictions, tmp_path
):
    (record,) = some(make_record, 1)
    stored = put(wandb_stub, record)
    predictions = save_predictions(record)
    picture = io.BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "PNG")
    stored.files = {"predictions.npz": predictions, "media/images/gradcam_4_ab.png": picture.getvalue()}
    (run,) = read(wandb=HERE, cache=tmp_path).runs.values()
    for _ in range(2):
        assert tuple(map(run.fetch, ("predictions.npz", "gradcam.png", "nothing.txt"))) == (
            predictions,
            picture.getvalue(),
            None,
        )
    assert len([request for request in wandb_stub.log if request.method == "GET"]) == 2


def test_a_file_that_the_server_refuses_is_told(wandb_stub: WandbStub, make_record, tmp_path):
    (record,) = some(make_record, 1)
    put(wandb_stub, record).files = {"predictions.npz": b"numbers"}
    reading = read(wandb=HERE, cache=tmp_path)
    wandb_stub.fault = lambda request: 403 if request.operation == "RunFiles" else None
    with pytest.raises(InputError, match=f"cannot read predictions.npz of {HERE}/{record.trial.id} from W&B"):
        reading.predictions(record.trial.id)


def test_other_runs_of_the_project_are_left_alone(wandb_stub: WandbStub, tmp_path):
    wandb_stub.add("hello").exit_code = 0
    assert read(wandb=HERE, cache=tmp_path) == Reading()


@pytest.mark.parametrize(
    ("path", "told"), [("wbc-study", "wants ENTITY/PROJECT, got 'wbc-study'"), ("lab/nope", "cannot read lab/nope")]
)
@pytest.mark.usefixtures("wandb_stub")
def test_what_cannot_be_read_is_told(tmp_path: Path, path, told):
    with pytest.raises(InputError, match=told):
        read(wandb=path, cache=tmp_path)


def test_a_server_that_hangs_is_told(wandb_stub: WandbStub, tmp_path, monkeypatch):
    monkeypatch.setattr(online, "PATIENCE", 1)
    wandb_stub.fault = lambda request: time.sleep(5) if request.operation == "Runs" else None
    with pytest.raises(InputError, match="did not respond in time"):
        read(wandb=HERE, cache=tmp_path)
    time.sleep(1)  # a client that goes while W&B's service answers a call that was given up leaves it for ten minutes
