"""The command that runs the missing trials of a table, as it is typed."""

import json
import shlex
from pathlib import Path
from typing import Any

from upath import UPath

from analysis.tables.fill import Filled
from search_spaces.catalogue import catalogue
from search_spaces.rehearsal import REHEARSAL
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import is_built_in


def command(filled: Filled, *, storage: UPath | None = None) -> str:
    """The command that runs a table's missing trials and writes to `storage` (None: the default of `run.py`)."""
    overrides, words, usual = filled.overrides, ["study/run.py"], Path("runs")
    datasets = tuple(dict.fromkeys(row.config.dataset for row in filled.rows))
    own = any(not is_built_in(dataset) for dataset in datasets)
    if all(overrides.get(knob) == REHEARSAL[knob] for knob in ("trunks", *(["images"] * (not own)))):
        paper = TrialConfig().to_json()
        knobs = {knob: paper[knob] for knob in REHEARSAL} | overrides
        overrides = {knob: value for knob, value in knobs.items() if value != REHEARSAL.get(knob)}
        words.append("--rehearse")
        usual /= "rehearsal"
    words.append(f"--tables {filled.table.number}")
    if own:
        places = [str(one) if is_built_in(one) else f"{one}=FOLDER" for one in datasets]
        words.append(f"--dataset {' '.join(places)}")
    else:
        offered = catalogue([filled.table.number], own=datasets)
        (whole,) = (table for table in offered if table.number == filled.table.number)
        if len(datasets) < len({config.dataset for config in whole.rows.values()}):
            words.append(f"--datasets {' '.join(map(str, datasets))}")
    if overrides:
        words.append(f"--set {arguments(overrides)}")
    if filled.seeds != (0,):
        words.append(f"--seeds {' '.join(map(str, filled.seeds))}")
    if storage not in (None, usual):
        words.append(f"--storage {shlex.quote(str(storage))}")
    return " ".join(words)


def arguments(overrides: dict[str, Any]) -> str:
    """Overrides as they are typed after `--set`."""
    return " ".join(shlex.quote(f"{key}={_typed(value)}") for key, value in overrides.items())


def _typed(value: Any) -> str:
    """A value as `parse_overrides` reads it back: JSON, but a string without quotes where that is unambiguous."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except json.JSONDecodeError:
        return value
    return json.dumps(value)
