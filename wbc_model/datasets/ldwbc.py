"""LDWBC: Chen et al. 2022. Its archive has not been seen: the layout is that of public code which reads it."""

from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.drawn import DrawnAs

DATASET = Dataset(
    name="ldwbc",
    label="LDWBC",
    classes=CELLS,
    source="the authors' page at Wuhan University (Chen et al. 2022, availability of data)",
    terms="as stated on the authors' page",
    places=("LDWBC",),
    published={"all": dict(zip(CELLS, (224, 968, 539, 10469, 10445), strict=True))},
    sizes=(13587, 4529, 4529),
)
DRAWN = DrawnAs(aspect=1, fill=0.8, path=lambda part, cell, i: f"LDWBC/{cell}/{i + 1}.jpg")  # noqa: ARG005
