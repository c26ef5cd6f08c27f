"""A search, drawn."""

from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.figures.samples import draw
from study.search import Search
from study.storage import Storage


def searched(root: Path, *, samples: int) -> Search:
    """As if a learning rate near 1e-4 were best."""
    storage = Storage(str(root / "searches" / "architecture"))
    search = Search("architecture", storage, samples=samples, overrides={"epochs": 1, "trunks": "tiny"}, seed=0)
    while trial := search.next():
        row = {"epoch": 0, "validation_accuracy": 1 / (1 + abs(trial.config.lr - 1e-4) * 1e4)}
        storage.trial(trial.id).write_epochs([row])
    search.conclude()
    return search


def test_samples_the_best_so_far_and_what_mattered(tmp_path: Path):
    figure = draw(searched(tmp_path, samples=6), {"lr": 0.9, "dropout": 0.1})
    left, right = figure.axes
    dots, best = left.lines
    assert len(dots.get_ydata()) == 6
    assert list(best.get_ydata()) == [max(dots.get_ydata()[: i + 1]) for i in range(6)]
    assert [bar.get_width() for bar in right.patches] == [10, 90]
    assert [label.get_text() for label in right.get_yticklabels()] == ["dropout", "lr"]
    assert "Rehearsal" in figure.get_suptitle()
    assert right.get_title() == "Importance, a guess:\n6 samples, not 20 or more"


@pytest.mark.slow
def test_the_command_writes_both_kinds_of_picture(tmp_path: Path):
    searched(tmp_path, samples=6)
    assert main(["search", "architecture", "--storage", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "search_architecture.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "out" / "search_architecture.png").stat().st_size > 10_000


@pytest.mark.parametrize(("name", "told"), [("nothing", "no search nothing"), ("architecture", "no winner of archi")])
def test_what_is_not_there_is_one_line(name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["search", name, "--storage", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err
