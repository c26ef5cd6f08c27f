"""Tables 4-12 of Chen et al. 2022 as data: 87 rows, 46 distinct trainings.

An ablation of a knob takes two lines: its rows, and its table (docs/extending.md).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from search_spaces.table import OVERALL, PER_CLASS, Rows, Table
from wbc_model.choices import Attention, Init, Network
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.raabin import DATASET as RAABIN
from wbc_model.models import Baseline, TwoBranch

PROPOSED = TrialConfig()
vary = partial(replace, PROPOSED)

MIXUP: Rows = {(alpha,): vary(mixup_alpha=float(alpha)) for alpha in ("0", "0.2", "0.4", "0.6", "0.8", "1.0")}

ATTENTION: Rows = {
    labels: vary(model=TwoBranch(attention=attention))
    for labels, attention in {
        ("", "No"): Attention.NONE,
        ("CD", "SE"): Attention.SE,
        ("CD", "ECA"): Attention.ECA,
        ("CD", "CAM"): Attention.CHANNEL,
        ("SD", "SAM"): Attention.SPATIAL,
        ("TD", "CAM // SAM"): Attention.PARALLEL,
        ("TD", "CAM + SAM (CSAM)"): Attention.CSAM,
        ("TD", "SAM + CAM (SCAM)"): Attention.SCAM,
    }.items()
}

BRANCHES: Rows = {
    ("✓", "", "✓"): vary(model=TwoBranch(densenet=None)),
    ("", "✓", "✓"): vary(model=TwoBranch(resnet=None)),
    ("✓", "✓", "✓"): PROPOSED,
}

TRANSFER: Rows = {
    ("✓", "", "", "✓"): vary(model=TwoBranch(densenet=Init.RANDOM)),
    ("", "✓", "✓", ""): vary(model=TwoBranch(resnet=Init.RANDOM)),
    ("", "✓", "", "✓"): vary(model=TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM)),
    ("✓", "", "✓", ""): PROPOSED,
}

MODELS = {
    "ResNet": Baseline(Network.RESNET50),
    "DenseNet": Baseline(Network.DENSENET121),
    # The paper does not say how Inception is initialised; 88.67 % and 62.80 % suggest random weights at this rate.
    "Inception v3": Baseline(Network.INCEPTION_V3, init=Init.RANDOM),
    "Jiang": Baseline(Network.JIANG, init=Init.RANDOM),
    "Sharma": Baseline(Network.SHARMA),
    "Our model": PROPOSED.model,
}
DATASETS = (LDWBC, LISC, BCCD, RAABIN)
"""The paper's four datasets, in the order of its Table 1."""

RAW_OR_VIRTUAL: Rows = {
    (name, kind): vary(model=model, mixup_alpha=alpha)
    for name, model in MODELS.items()
    for kind, alpha in {"Raw": 0.0, "Virtual": PROPOSED.mixup_alpha}.items()
}


def every_model(titles: Mapping[Dataset, str]) -> Rows:
    """Rows for the six compared models on datasets, by their labels, trained with mixup (virtual samples)."""
    return {
        (title, name): vary(model=model, dataset=dataset)
        for dataset, title in titles.items()
        for name, model in MODELS.items()
    }


DIMENSIONS = (
    "CD, SD, TD: attention over the channel dimension, the spatial dimension, and both; "
    "// means in parallel, + one after the other."
)
BRANCHES_LOST = "Which branch rows 1 and 2 keep is inferred, because the tick marks are missing from the paper's text."
TICKS_LOST = (
    "Which branch is transferred in rows 1 and 2 is inferred, because the tick marks are missing from the paper's text."
)
MACRO_F1 = "AF1 is the mean of the per-class F1 scores, which reproduces the paper's numbers; its Eq. (6) does not."
RECALL = "Each column is the recall of one cell type."
STARTS = (
    "ResNet, DenseNet and Sharma are assumed to start from ImageNet weights, Inception v3 and Jiang from random ones."
)
JIANG = "Jiang is an approximation of WBCNet, built from its published description."
SHARMA = (
    "Sharma is DenseNet121 transfer learning under this study's protocol; the article that proposed it "
    "(Comput Intell Neurosci 2022:7384131) has been retracted."
)
RIVALS = (STARTS, JIANG, SHARMA)

TL = ("RM TL", "RM no TL", "DM TL", "DM no TL")
TL_HEADS = (("Our model",) * 4, ("RM", "RM", "DM", "DM"), ("TL", "No TL", "TL", "No TL"))
BRANCH_HEADS = (("Our model",) * 3, ("RM", "DM", "SCAM"))
METHOD_HEADS = (("Attention method",) * 2,)
TITLES = {dataset: dataset.title for dataset in DATASETS}
OTHERS = every_model({dataset: TITLES[dataset] for dataset in (LISC, BCCD, RAABIN)})

TABLES = (
    Table("4", "Effect of the mixup parameter", ("α",), MIXUP, OVERALL, (MACRO_F1,)),
    Table("5", "Effect of the attention module", ("", "Attention"), ATTENTION, OVERALL, (DIMENSIONS, MACRO_F1),
          heads=METHOD_HEADS),
    Table("6", "Attention modules by cell type", ("", "Attention"), ATTENTION, PER_CLASS, (DIMENSIONS, RECALL),
          heads=METHOD_HEADS),
    Table("7", "Effect of the branches", ("RM", "DM", "SCAM"), BRANCHES, OVERALL, (BRANCHES_LOST, MACRO_F1),
          heads=BRANCH_HEADS),
    Table("8", "Effect of transfer learning", TL, TRANSFER, OVERALL, (TICKS_LOST, MACRO_F1), heads=TL_HEADS),
    Table("9", "Transfer learning by cell type", TL, TRANSFER, PER_CLASS, (TICKS_LOST, RECALL), heads=TL_HEADS),
    Table("10", "Models trained on raw and virtual samples", ("Model", "Training set"), RAW_OR_VIRTUAL, OVERALL,
          (*RIVALS, MACRO_F1)),
    Table("11", "Comparison of the models", ("Dataset", "Model"), OTHERS, OVERALL, (*RIVALS, MACRO_F1),
          best_within=1),
    Table("12", "Models by cell type", ("Dataset", "Model"), every_model(TITLES), PER_CLASS, (*RIVALS, RECALL),
          best_within=1),
)  # fmt: skip
