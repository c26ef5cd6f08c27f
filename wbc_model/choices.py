"""What a config can choose from. Needs no torch."""

import re
from enum import StrEnum

CELLS = ("basophil", "monocyte", "eosinophil", "neutrophil", "lymphocyte")
"""The paper's five cell types, always in the order of its tables: B M E N L."""


class Init(StrEnum):
    """The weights that a branch or baseline starts from. IMAGENET stands for pre-trained weights of any kind: those of
    a `timm:` model are what its tag says."""

    IMAGENET = "imagenet"
    RANDOM = "random"


class Attention(StrEnum):
    """Table 5. In the tables' labels `channel` is CAM and `spatial` is SAM."""

    NONE = "none"
    SE = "se"
    ECA = "eca"
    CHANNEL = "channel"
    SPATIAL = "spatial"
    PARALLEL = "parallel"
    CSAM = "csam"
    SCAM = "scam"


class Network(StrEnum):
    """The networks that the paper compares the proposed model with (Tables 10-12)."""

    RESNET50 = "resnet50"
    DENSENET121 = "densenet121"
    INCEPTION_V3 = "inception_v3"
    JIANG = "jiang"
    SHARMA = "sharma"


TIMM_NAME = re.compile(r"timm:(?P<model>\w+(\.\w+)?)(@(?P<revision>[0-9a-f]{40}))?")
"""A model of timm with the tag of its pre-trained weights, and optionally the commit of its repository on the hub:
`timm:convnext_tiny.fb_in1k`. Only a model of which timm has no weights is named without a tag."""


class Cut(StrEnum):
    """Where a trunk ends: whole, or after its third of four blocks."""

    FULL = "full"
    BLOCK3 = "block3"


class Fuse(StrEnum):
    """How the two branches' maps of equal size become one."""

    ADD = "add"
    CONCAT = "concat"


class AttentionAt(StrEnum):
    """Where the attention module sits: on the fused map, or one on each branch before fusion."""

    FUSED = "fused"
    EACH_BRANCH = "each_branch"


class ParallelBy(StrEnum):
    """What CAM // SAM computes from the two maps; no paper gives the formula (docs/paper.md)."""

    PRODUCT = "product"
    LOGIT_SUM = "logit_sum"
    FEATURE_SUM = "feature_sum"


class Normalisation(StrEnum):
    """How input pixels in [0, 1] are normalised.

    IMAGENET: by the mean and standard deviation that the network's pre-trained weights expect. These are ImageNet's for
    the paper's networks, and those of timm's configuration for a `timm:` model. UNIT: to [-1, 1]. NONE: not at all.
    """

    IMAGENET = "imagenet"
    UNIT = "unit"
    NONE = "none"


class Loss(StrEnum):
    """Categorical cross-entropy, as the paper's text says, or the binary one of its Eq. (3)."""

    CE = "ce"
    BCE_EQ3 = "bce_eq3"


class MixupPer(StrEnum):
    """One lambda a batch, as in mixup's published code, or one a sample."""

    BATCH = "batch"
    SAMPLE = "sample"


class LrSchedule(StrEnum):
    """Of the learning rate over the epochs. The paper's "initial learning rate" names no schedule."""

    CONSTANT = "constant"
    COSINE = "cosine"


class Precision(StrEnum):
    """Of training's arithmetic: fp32, or bf16 where it does no harm (autocast). Weights and evaluation are fp32."""

    FP32 = "fp32"
    BF16 = "bf16"


class Trunks(StrEnum):
    """Size of every trunk: as published, or a miniature for rehearsals and tests."""

    FULL = "full"
    TINY = "tiny"


class ImageSource(StrEnum):
    """Where the images come from: the published datasets, or `synthetic`'s drawings in their layouts."""

    PUBLISHED = "published"
    DRAWN = "drawn"


class Augmentation(StrEnum):
    """Copies in the training set: as the paper has it (what each dataset says of its `copies`: classes as large as the
    largest, LISC 1,000 each, BCCD none), classes as large as the largest on every dataset, or none."""

    PAPER = "paper"
    LARGEST = "largest"
    NONE = "none"


class Stain(StrEnum):
    """What is done about stains that differ between laboratories. The paper does nothing.

    MACENKO: all images (training, validation and test) are normalised to one reference when they are prepared
    (`preparation/macenko.py`). JITTER: the stains of training images vary at random (`training/stain_jitter.py`).
    """

    NONE = "none"
    MACENKO = "macenko"
    JITTER = "jitter"


class EvaluateOn(StrEnum):
    """Whose test images a trained model sees: those of its own dataset, or of the paper's four."""

    OWN = "own"
    ALL = "all"


class SplitBy(StrEnum):
    """How images are assigned to the sets: at random as in the paper; at random within each class; where the dataset
    says what its images are of, in whole groups (slides, patients, BCCD's photographed cells), so that no group is in
    two sets; or at random with files of equal bytes in one set."""

    RANDOM = "random"
    STRATIFIED = "stratified"
    SOURCE_GROUPED = "source_grouped"
    DUPLICATES_GROUPED = "duplicates_grouped"
