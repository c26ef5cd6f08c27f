"""Trained models in use: their files, predictions for new images, and counts of cells.

from wbc_model.inference import count, load, predict

model = load("runs/trials/1af0ed25a7-s0")
print(count(predict(model, "smears/", photographs=True)))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wbc_model.inference.calls import predict
    from wbc_model.inference.differential import count, count_slides, slides_by
    from wbc_model.inference.places import load

__all__ = ["count", "count_slides", "load", "predict", "slides_by"]

_HOMES = {"predict": "calls", "count": "differential", "count_slides": "differential", "slides_by": "differential",
          "load": "places"}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)  # torch takes seconds to load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
