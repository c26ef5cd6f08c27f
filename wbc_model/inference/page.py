"""What a model says about some pictures as one self-contained HTML page."""

import base64
import io
import os.path
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from wbc_model.inference.calls import Call
from wbc_model.inference.differential import Count, interval_text, percent_text, reference_text
from wbc_model.inference.model_info import ModelInfo

SHOWN = 200
"""So many pictures at most are part of the page, those with the least sure calls first: browsers open it at once."""
SIDE = {True: 640, False: 240}
"""Pixels of the longer side of a picture on the page: of a photograph, and of a single cell."""

TEMPLATES = Environment(
    loader=PackageLoader("wbc_model.inference", "."), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A picture, as it may be shown on the page."""

    file: str
    annotated: Path
    calls: tuple[Call, ...]
    explained: tuple[Path, ...] = ()
    """The heat map of each call, if they were asked for."""

    @property
    def sureness(self) -> float:
        """The lowest probability of its calls."""
        return min((call.probability for call in self.calls), default=1.0)


def render(
    pictures: Sequence[Shown],
    *,
    info: ModelInfo,
    model: str,
    whole: Count,
    slides: Mapping[str, Count],
    skipped: Mapping[str, str],
    photographs: bool,
    notes: Sequence[str] = (),
) -> str:
    """The page. Names of files, slides and classes are escaped.

    Args:
        model: where the model was read from.
        slides: the count of each slide; empty: they are not shown.
        skipped: why pictures were not examined.
        notes: what else a reader must know.
    """
    first = sorted(pictures, key=lambda shown: shown.sureness)[:SHOWN]
    return TEMPLATES.get_template("page.html").render(
        info=info, model=model, whole=whole, slides=slides, skipped=skipped, photographs=photographs, notes=notes,
        pictures=[
            (shown, _data_url(shown.annotated, SIDE[photographs]), [_data_url(heat, 160) for heat in shown.explained])
            for shown in first
        ],
        left_out=len(pictures) - len(first), short=_without_folder([shown.file for shown in pictures]),
        percent=percent_text, interval=interval_text, reference=reference_text,
    )  # fmt: skip


def _without_folder(files: Sequence[str]) -> Callable[[str], str]:
    """What a picture is called on the page: its path below the folder that all are in."""
    folder = os.path.commonpath([os.path.dirname(file) for file in files]) if files else ""  # noqa: PTH120 - a text
    return lambda name: name.removeprefix(f"{folder}/") if folder else name


def _data_url(file: Path, side: int) -> str:
    """A picture file, reduced to `side` pixels where it is larger, as a data URL."""
    content = io.BytesIO()
    with Image.open(file) as image:
        image.thumbnail((side, side))
        image.save(content, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
