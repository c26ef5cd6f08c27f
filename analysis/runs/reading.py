"""What reading a study yields: its runs, unfinished trials, notes and problems."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch

from study.plan import RunRecord, read_record
from study.storage import predictions_file
from study.storage.beside import check_file
from wbc_model.errors import Damaged, InputError
from wbc_model.scoring.predictions import Predictions

Fetch = Callable[[str], bytes | None]
"""A file of a run by its name; None if the run has no such file."""


@dataclass(frozen=True)
class Copy:
    """A copy of a file of a run."""

    name: str
    where: str
    content: bytes


@dataclass(frozen=True)
class Run:
    """A finished run."""

    record: RunRecord
    fetch: Fetch
    """The files beside the record: `predictions.npz`, and `gradcam.png` of a two-branch model."""
    where: str
    """The file, or the run on the server, that the record was read from."""


@dataclass
class Reading:
    """The runs found in a storage or on a server."""

    runs: dict[str, Run] = field(default_factory=dict)
    """By trial id."""
    unfinished: dict[str, str] = field(default_factory=dict)
    """Trial id -> why it has no result: how it failed, or that it is still running."""
    notes: list[str] = field(default_factory=list)
    """What a user should know about where the runs came from."""
    problems: list[str] = field(default_factory=list)
    """What exists and could not be read, each named: the reading is incomplete."""
    _predictions: dict[tuple[str, str | None], Predictions] = field(default_factory=dict, repr=False, compare=False)
    """Those that were read: tests, pages, figures and laboratory tables all want them."""

    @property
    def records(self) -> list[RunRecord]:
        return [run.record for run in self.runs.values()]

    def fetch(self, trial_id: str, name: str) -> bytes | None:
        """A file of a run, read on demand; None if there is no such run or file."""
        return self.runs[trial_id].fetch(name) if trial_id in self.runs else None

    def intact(self, trial_id: str, name: str, copies: Iterable[Copy]) -> bytes | None:
        """The content of the first copy of a file that belongs to the run's record; others, or none, are problems."""
        record, found, problems = self.runs[trial_id].record, None, []
        for copy in copies:
            try:
                check_file(record, copy.name, copy.content, where=copy.where)
            except Damaged as error:
                problems.append(str(error))
            else:
                found = copy.content
                break
        if found is None and not problems and name in record.files:
            problems.append(f"{name} of trial {trial_id} is missing")
        self.problems += [problem for problem in problems if problem not in self.problems]
        return found

    def predictions(self, trial_id: str, on: str | None = None) -> Predictions | None:
        """What a finished trial predicted for its own test images, or for another dataset's."""
        if (trial_id, on) not in self._predictions:
            content = self.fetch(trial_id, predictions_file(on))
            if content is None:
                return None
            classes = self.runs[trial_id].record.test.classes
            self._predictions[trial_id, on] = Predictions.from_npz(content, classes=classes)
        return self._predictions[trial_id, on]

    def add(self, run_id: str, text: str, fetch: Fetch, *, where: str) -> None:
        """Add a finished run, given its record as JSON; one that is unreadable or outdated becomes a problem."""
        try:
            record = record_of(run_id, text, where=where)
        except InputError as error:
            self.problems.append(str(error))
            return
        if record is None:
            return
        if record.outdated:
            self.problems.append(
                f"{where}: trial {run_id} has {record.outdated}; study/run.py --rerun-stale repeats it"
            )
        else:
            self.runs[run_id] = Run(record, fetch, where)


def record_of(run_id: str, text: str, *, where: str) -> RunRecord | None:
    """The record of a finished run, from its JSON; None if its id shows that it was made under another PROTOCOL.

    Raises:
        InputError: this version cannot read the record.
    """
    record = read_record(text, where=where)
    return record if record.trial.id == run_id else None


def match(name: str, names: Iterable[str]) -> str | None:
    """The name of a run's file that `gradcam.png` stands for: that or the last picture logged as `gradcam`."""
    stem, _, suffix = name.rpartition(".")
    logged = [other for other in names if other == name or fnmatch(other, f"media/images/{stem}_*.{suffix}")]
    return max(logged, key=lambda other: (other == name, _step(other)), default=None)


def _step(name: str) -> int:
    """The step in a logged picture's name: 12 for `media/images/gradcam_12_9a47eb.png`."""
    number = name.split("_")[-2] if name.count("_") >= 2 else ""
    return int(number) if number.isdecimal() else -1
