import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.__main__ import main
from search_spaces.paper import PROPOSED, TABLES
from study.plan import RunRecord
from study.storage import Storage
from study.storage.beside import hashes
from tests.analysis.simulated import Simulation
from wbc_model.config import TrialConfig

pytestmark = pytest.mark.slow
SIZES = (40, 60, 50, 200, 200)
(TABLE,) = (table for table in TABLES if table.number == "7")
RM, DM, BOTH = TABLE.rows.values()
WORDS = ("RM SCAM", "DM SCAM", "RM DM SCAM")


def save(storage: Path, simulation: Simulation, records: Sequence[RunRecord], *, lost: bool = False) -> None:
    for record in records:
        files, content = Storage(str(storage)).trial(record.trial.id), simulation.predictions[record.trial.id].to_npz()
        if not lost:
            files.write("predictions.npz", content)
        files.finish(record if lost else replace(record, files=hashes({"predictions.npz": content})))


def trials(simulation: Simulation, *, seeds: int = 3, worse: TrialConfig | None = None) -> list[RunRecord]:
    """Every row of Table 7 with some seeds; one config may be worse by 20 points."""
    return [simulation.trial(config, seed, worse=0.2 * (config == worse))
            for config in TABLE.rows.values() for seed in range(seeds)]  # fmt: skip


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(SIZES, seed=5)


Compared = tuple[int, str, dict[tuple[str, str], dict[str, str]]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Compared]:
    def run(*options: str, other: str = "b") -> Compared:
        """Exit status, what was printed, and the lines of compare.csv by row and score."""
        places = [str(tmp_path / "a"), str(tmp_path / other)]
        status = main(["compare", *places, "--tables", "7", "--out", str(tmp_path / "out"), *options])
        with (tmp_path / "out" / "compare.csv").open(encoding="utf-8", newline="") as file:
            lines = {(line["row"], line["score"]): line for line in csv.DictReader(file)}
        return status, capsys.readouterr().out, lines

    return run


def test_a_row_that_became_worse_is_found_and_no_other(simulation, tmp_path, run):
    save(tmp_path / "a", simulation, trials(simulation))
    save(tmp_path / "b", simulation, trials(simulation, worse=DM))
    status, told, lines = run()
    assert status == 0
    assert list(dict.fromkeys(row for row, _ in lines)) == list(WORDS)
    assert {row for (row, _), line in lines.items() if line["verdict"] == "differ"} == {"DM SCAM"}
    line = lines["DM SCAM", "OA"]
    assert (line["kind"], line["n A"], line["n B"], line["test images"]) == ("measured", "3", "3", "the same")
    assert line["seed SD assumed"] == "False"
    assert float(line["difference"]) == pytest.approx(float(line["B"]) - float(line["A"]), abs=0.011)
    assert -30 < float(line["difference low"]) < float(line["difference"]) < float(line["difference high"]) < 0
    assert float(line["p"]) <= float(line["p corrected"]) < 0.05
    assert line["trials of B"] == " ".join(f"{DM.id}-s{seed}" for seed in range(3))
    assert float(line["called differently"]) > 20
    shown = f"OA {float(line['A']):6.2f} {float(line['B']) - float(line['A']):+6.2f}*"
    (printed,) = (one for one in told.splitlines() if one.startswith("  DM SCAM"))
    assert shown in printed
    shown_lines = told.splitlines()
    assert any(line.startswith("Of 12 cells: ") for line in shown_lines)
    table = next(n for n, line in enumerate(shown_lines) if line.startswith("Table 7: "))
    assert not shown_lines[table - 1]
    assert "\\u000a" not in told


def test_a_study_beside_itself_is_the_same_everywhere(simulation, tmp_path, run):
    records = trials(simulation, seeds=1)
    for name in "ab":
        save(tmp_path / name, simulation, records)
    status, told, lines = run()
    assert status == 0
    assert {(line["difference"], line["p"], line["verdict"]) for line in lines.values()} == {
        ("0.00", "1", "not shown to differ")
    }
    assert "Trainings with one seed call 0.00 % of the test images differently in A and B" in told


def test_one_seed_tells_of_networks_alone(simulation, tmp_path, run):
    save(tmp_path / "a", simulation, trials(simulation, seeds=1))
    save(tmp_path / "b", simulation, trials(simulation, seeds=1, worse=BOTH))
    _, told, lines = run()
    assert lines["RM DM SCAM", "OA"]["verdict"] == "networks differ"
    assert lines["RM DM SCAM", "OA"]["seed SD assumed"] == "True"
    assert float(lines["RM DM SCAM", "OA"]["p of the networks"]) < 0.05
    assert "(*)" in told


def test_other_images_are_compared_unpaired_and_it_is_said(simulation, tmp_path, run):
    save(tmp_path / "a", simulation, trials(simulation))
    other = Simulation(SIZES, seed=4)
    other.ids = np.array([f"other/{name}" for name in other.ids])
    save(tmp_path / "b", other, trials(other, worse=DM))
    status, told, lines = run()
    assert status == 0
    assert "Cells tested on other images in B, compared unpaired: 12" in told
    assert lines["DM SCAM", "OA"]["verdict"] == "differ"
    assert {line["test images"] for line in lines.values()} == {"others"}
    assert {line["called differently"] for line in lines.values()} == {""}


def test_cells_without_predictions_and_cells_of_one_study_are_told(simulation, tmp_path, run):
    records = trials(simulation)
    save(tmp_path / "a", simulation, records)
    save(tmp_path / "b", simulation, records[:3], lost=True)
    save(tmp_path / "b", simulation, records[3:6])
    status, told, lines = run()
    assert status == 0
    assert {key: line["verdict"] for key, line in lines.items() if key[1] == "OA"} == {
        ("RM SCAM", "OA"): "not tested", ("DM SCAM", "OA"): "not shown to differ",
    }  # fmt: skip
    assert lines["RM SCAM", "OA"]["difference"] == ""
    assert "Cells with a number in A alone: 4" in told


def test_a_damaged_file_is_named_and_exits_1(simulation, tmp_path, run):
    for name in "ab":
        save(tmp_path / name, simulation, trials(simulation, seeds=1))
    (tmp_path / "b" / "trials" / f"{RM.id}-s0" / "predictions.npz").write_bytes(b"no archive")
    status, told, lines = run()
    assert status == 1
    assert "predictions.npz is damaged" in told
    assert lines["RM SCAM", "OA"]["verdict"] == "not tested"


def test_two_precisions_in_one_storage(simulation, tmp_path, run):
    plain = trials(simulation, seeds=1)
    half = [simulation.trial(replace(config, precision="bf16"), 0) for config in TABLE.rows.values()]
    half = [replace(one, trial=replace(one.trial, overrides={"precision": "bf16"})) for one in half]
    save(tmp_path / "a", simulation, [*plain, *half])
    status, told, lines = run("--set", "--set-b", "precision=bf16", other="a")
    assert (status, len(lines)) == (0, 12)
    assert f"B: {tmp_path / 'a'} --set precision=bf16" in told
    assert lines["RM SCAM", "OA"]["trials of B"] == half[0].trial.id


def test_a_rehearsal_says_so(simulation, tmp_path, run):
    knobs = {"images": "drawn", "trunks": "tiny"}
    record = simulation.trial(PROPOSED.override(knobs))
    for name in "ab":
        save(tmp_path / name, simulation, [replace(record, trial=replace(record.trial, overrides=knobs))])
    _, told, lines = run()
    assert told.startswith("Rehearsal: ")
    assert {line["kind"] for line in lines.values()} == {"rehearsal"}


def test_nothing_in_common_exits_2(simulation, tmp_path, capsys):
    for name, record in zip("ab", trials(simulation, seeds=1), strict=False):
        save(tmp_path / name, simulation, [record])
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")]) == 2
    assert "no cell has a number in both" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
