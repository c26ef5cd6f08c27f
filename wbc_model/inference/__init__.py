"""Trained models in use: their files, predictions for new images, and counts of cells.

from wbc_model.inference import count, load, predict

model = load("runs/trials/1af0ed25a7-s0")
print(count(predict(model, "smears/", photographs=True)))
"""

from wbc_model.inference.calls import predict
from wbc_model.inference.differential import count, count_slides, slides_by
from wbc_model.inference.places import load

__all__ = ["count", "count_slides", "load", "predict", "slides_by"]
