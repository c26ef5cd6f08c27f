"""A differential count: the share of each class among a slide's white cells, beside the paper's reference ranges."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Groups
from wbc_model.errors import InputError, validating
from wbc_model.inference.calls import Call, Predicted
from wbc_model.scoring.wilson import wilson

REFERENCE: dict[str, tuple[int, int]] = dict(
    zip(CELLS, ((0, 1), (2, 10), (1, 5), (50, 70), (20, 45)), strict=True),
)
"""Percent of the white cells of healthy blood, from the introduction of Chen et al. 2022, which takes them from its
references 4 and 6. They differ between laboratories, and with age."""
NOT_STATED = "none stated"


@dataclass(frozen=True, kw_only=True)
class Share:
    """One class among the sure calls."""

    cell: str
    cells: int
    """Sure calls."""
    unsure: int = 0
    """Unsure calls, which are in no percentage."""
    of: int
    """The sure calls of all classes."""

    @property
    def percent(self) -> float | None:
        """None where there is no sure call."""
        return 100 * self.cells / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval, in percent. It covers which cells were seen, not what the model gets wrong."""
        low, high = wilson(self.cells, self.of)
        return 100 * low, 100 * high

    @property
    def reference(self) -> tuple[int, int] | None:
        """The paper's range in percent; None: it states none for this class."""
        return reference_of(self.cell)

    @property
    def against(self) -> str:
        """`above` or `below` the reference range if the whole interval is; else nothing is shown."""
        if not self.of or self.reference is None:
            return ""
        (low, high), (least, most) = self.interval, self.reference
        return "below" if high < least else "above" if low > most else ""


@dataclass(frozen=True, kw_only=True)
class Count:
    """The cells of some pictures. `print` shows it as a table."""

    shares: tuple[Share, ...]
    """Of the sure calls, of each class of the model in its order."""
    pictures: int
    """Those without a cell included."""
    rehearsal: bool
    """Whether the model is that of a rehearsal, so that its calls mean nothing."""

    @property
    def unsure(self) -> int:
        """Calls below the model's threshold."""
        return sum(share.unsure for share in self.shares)

    @property
    def cells(self) -> int:
        """All calls, sure or unsure."""
        return self.unsure + sum(share.cells for share in self.shares)

    @property
    def warning(self) -> str:
        """What to say first if most calls are unsure; otherwise empty."""
        most = 2 * self.unsure > self.cells
        return (
            f"{self.unsure} of {self.cells} calls are unsure: the percentages are of the others only." if most else ""
        )

    @property
    def unknown(self) -> tuple[str, ...]:
        """The paper's cell types that the model does not know: it calls each of their cells something else."""
        known = {_singular(share.cell) for share in self.shares}
        return tuple(cell for cell in CELLS if cell not in known) if known & set(CELLS) else ()

    def __str__(self) -> str:
        width = max(len(share.cell) for share in self.shares) + 2
        lines = ["REHEARSAL: these numbers say nothing about blood."] if self.rehearsal else []
        lines.append(f"{'':{width}}{'cells':>7}{'%':>8}  {'95 % interval':>15}  {'reference, %':>12}{'unsure':>8}")
        for share in self.shares:
            lines.append(f"{share.cell:{width}}{share.cells:7}{percent_text(share):>8}  {interval_text(share):>15}  "
                         f"{reference_text(share.cell):>12}{share.unsure:8}  {share.against}".rstrip())  # fmt: skip
        lines += [self.warning] if self.warning else []
        lines += [f"{cell} (reference {reference_text(cell)} %): not a class of this model" for cell in self.unknown]
        return "\n".join(lines)


def count(predicted: Predicted) -> Count:
    """The differential count of all cells in some pictures."""
    return _count(predicted, predicted.calls, len(predicted.files))


def count_slides(predicted: Predicted, *, slide_of: Callable[[str], str] = str) -> dict[str, Count]:
    """A differential count for each slide.

    Args:
        slide_of: the slide of a picture, by the picture's path as it was named; by default each picture is a slide.
    """
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in predicted.calls:
        calls[slide_of(call.file)].append(call)
    pictures = Counter(map(slide_of, predicted.files))
    return {slide: _count(predicted, tuple(calls[slide]), n) for slide, n in pictures.items()}


def slides_by(pattern: str) -> Callable[[str], str]:
    """For `count_slides`: the slide is what the one group of a regular expression matches in a picture's path.

    Raises:
        InputError: it is no such expression; or, from the function that is returned, a path does not match it.
    """
    with validating(f"slide pattern {pattern}"):
        Groups(pattern=pattern)

    def slide_of(file: str) -> str:
        if (match := re.search(pattern, file)) is None or not match[1]:
            raise InputError(f"{file} names no slide: the pattern is {pattern}")
        return match[1]

    return slide_of


def reference_of(cell: str) -> tuple[int, int] | None:
    """The paper's reference range of a class in percent; None: it states none."""
    return REFERENCE.get(_singular(cell))


def percent_text(share: Share) -> str:
    return "–" if share.percent is None else f"{share.percent:.1f}"


def interval_text(share: Share) -> str:
    return "{:.1f} to {:.1f}".format(*share.interval) if share.of else "–"


def reference_text(cell: str) -> str:
    found = reference_of(cell)
    return "{}–{}".format(*found) if found else NOT_STATED


def _count(predicted: Predicted, calls: tuple[Call, ...], pictures: int) -> Count:
    sure = Counter(call.cell for call in calls if call.sure)
    unsure = Counter(call.cell for call in calls if not call.sure)
    return Count(
        shares=tuple(
            Share(cell=cell, cells=sure[cell], unsure=unsure[cell], of=sure.total())
            for cell in predicted.info.config.dataset.classes
        ),
        pictures=pictures,
        rehearsal=predicted.info.config.rehearsal,
    )


def _singular(cell: str) -> str:
    return cell.lower().removesuffix("s")
