"""That the real client finds in the stub what it wants of a server, and that the stub keeps what is posted."""

from pathlib import Path

import pytest
import wandb
from wandb_stub import WandbStub

pytestmark = pytest.mark.slow


def write(folder: Path, run_id: str, *, epochs: range = range(3), exit_code: int = 0) -> None:
    settings = wandb.Settings(silent=True, console="off")
    with wandb.init(
        id=run_id, project="wbc-study", dir=folder, resume="allow", config={"model": {"cut": "full"}}, settings=settings
    ) as run:
        for epoch in epochs:
            run.log({"loss": 1 / (epoch + 1)}, step=epoch)
        run.summary["record"] = "{}"
        (folder / "predictions.npz").write_bytes(b"numbers")
        run.save(folder / "predictions.npz", base_path=folder, policy="now")
        run.finish(exit_code=exit_code)


def test_what_a_run_posts_is_kept(wandb_stub: WandbStub, tmp_path):
    write(tmp_path, "a")
    run = wandb_stub.runs["a"]
    assert [(line["_step"], line["loss"]) for line in run.history] == [(0, 1), (1, 1 / 2), (2, 1 / 3)]
    assert (run.state, run.config, run.summary["record"]) == ("finished", {"model": {"cut": "full"}}, "{}")
    assert run.files["predictions.npz"] == b"numbers"
    assert wandb_stub.unknown == []


def test_a_resumed_run_goes_on_in_one_history(wandb_stub: WandbStub, tmp_path):
    write(tmp_path, "a", exit_code=1)
    assert wandb_stub.runs["a"].state == "failed"
    write(tmp_path, "a", epochs=range(3, 5))
    assert [line["_step"] for line in wandb_stub.runs["a"].history] == [0, 1, 2, 3, 4]
    assert wandb_stub.runs["a"].state == "finished"


def test_the_public_interface_reads_it_back(wandb_stub: WandbStub, tmp_path):
    write(tmp_path, "a")
    wandb_stub.add("b").exit_code = 1
    assert [run.state for run in wandb.Api().runs("lab/wbc-study", per_page=1)] == ["finished", "failed"]
    (run,) = wandb.Api().runs("lab/wbc-study", filters={"state": "finished"}, lazy=False)
    assert run.summary_metrics["record"] == "{}"
    with run.file("predictions.npz").download(root=str(tmp_path / "got")) as file:
        assert Path(file.name).read_bytes() == b"numbers"
    assert wandb_stub.unknown == []


def test_a_fault_is_answered_until_it_is_lifted(wandb_stub: WandbStub, tmp_path):
    refused = []

    def fault(request):
        if request.operation == "UpsertBucket" and len(refused) < 2:
            refused.append(request)
            return 500
        return None

    wandb_stub.fault = fault
    write(tmp_path, "a")
    assert len(refused) == 2
    assert wandb_stub.runs["a"].state == "finished"
