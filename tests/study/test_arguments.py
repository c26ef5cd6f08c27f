"""The command line of `study/run.py`, and how it is spelt."""

import shlex
from typing import Any

import pytest

from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import effective, parse_overrides
from study.arguments import command_line, parser


@pytest.mark.parametrize("storage", [None, "runs", "/mnt/my runs"])
@pytest.mark.parametrize("overrides", [{}, {"epochs": 2, "lr": 0.1}, {"model.attention": "se"}, dict(REHEARSAL),
                                       REHEARSAL | {"epochs": 2}, {"model.resnet": None}])  # fmt: skip
def test_the_parser_reads_a_command_line_back(overrides: dict[str, Any], storage: str | None):
    line = command_line(tables=["4", "E1"], datasets=["lisc"], overrides=overrides, seeds=(0, 7), storage=storage)
    program, *words = shlex.split(line)
    args = parser().parse_args(words)
    assert program == "study/run.py"
    assert (args.tables, args.datasets, args.seeds) == (["4", "E1"], ["lisc"], [0, 7])
    assert effective((REHEARSAL if args.rehearse else {}) | parse_overrides(args.overrides)) == overrides
    usual = "runs/rehearsal" if args.rehearse else "runs"
    assert (args.storage or usual) == (storage or usual)


def test_runs_is_another_name_of_storage_that_the_help_leaves_out():
    assert parser().parse_args(["--runs", "s3://lab/wbc"]).storage == "s3://lab/wbc"
    assert "--runs" not in parser().format_help()


def test_a_negative_seed_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parser().parse_args(["--seeds", "0", "-1"])
    assert "argument --seeds: '-1' is not a whole number from 0 to 999999999" in capsys.readouterr().err
