"""Tables that the paper does not have. E1 measures how much the choices matter that it leaves open (docs/paper.md)."""

from search_spaces.paper import BCCD, DATASETS, LISC, MACRO_F1, MODELS, PROPOSED, RIVALS, SHARMA, vary
from search_spaces.table import OVERALL, Column, Rows, Table
from wbc_model.choices import (
    Attention,
    AttentionAt,
    Augmentation,
    Cut,
    EvaluateOn,
    Fuse,
    Init,
    Loss,
    LrSchedule,
    MixupPer,
    Network,
    Normalisation,
    ParallelBy,
    SplitBy,
    Stain,
)
from wbc_model.models import Baseline, TwoBranch

OPEN_CHOICES: Rows = {
    ("As decided", ""): PROPOSED,
    ("Trunks cut", "after block 3"): vary(model=TwoBranch(cut=Cut.BLOCK3)),
    ("Fusion", "concatenation"): vary(model=TwoBranch(fuse=Fuse.CONCAT)),
    ("Attention", "on each branch"): vary(model=TwoBranch(attention_at=AttentionAt.EACH_BRANCH)),
    ("Trunks", "frozen"): vary(model=TwoBranch(frozen=True)),
    ("CAM // SAM", "product, as decided"): vary(model=TwoBranch(attention=Attention.PARALLEL)),
    ("CAM // SAM", "sum of logits"): vary(
        model=TwoBranch(attention=Attention.PARALLEL, parallel_by=ParallelBy.LOGIT_SUM)
    ),
    ("CAM // SAM", "sum of features"): vary(
        model=TwoBranch(attention=Attention.PARALLEL, parallel_by=ParallelBy.FEATURE_SUM)
    ),
    ("Normalisation", "to [-1, 1]"): vary(normalisation=Normalisation.UNIT),
    ("Normalisation", "none"): vary(normalisation=Normalisation.NONE),
    ("Loss", "binary, Eq. (3)"): vary(loss=Loss.BCE_EQ3),
    ("Mixup", "a weight for each sample"): vary(mixup_per=MixupPer.SAMPLE),
    ("Learning rate", "cosine"): vary(schedule=LrSchedule.COSINE),
    ("ResNet", "ImageNet, as decided"): vary(model=MODELS["ResNet"]),
    ("ResNet", "from scratch"): vary(model=Baseline(Network.RESNET50, Init.RANDOM)),
    ("DenseNet", "ImageNet, as decided"): vary(model=MODELS["DenseNet"]),
    ("DenseNet", "from scratch"): vary(model=Baseline(Network.DENSENET121, Init.RANDOM)),
    ("Inception v3", "from scratch, as decided"): vary(model=MODELS["Inception v3"]),
    ("Inception v3", "ImageNet"): vary(model=Baseline(Network.INCEPTION_V3), normalisation=Normalisation.UNIT),
    ("Sharma", "ImageNet, as decided"): vary(model=MODELS["Sharma"]),
    ("Sharma", "from scratch"): vary(model=Baseline(Network.SHARMA, Init.RANDOM)),
}

UNIT = "Inception v3 with ImageNet weights takes pixels in [-1, 1], the range that these weights were trained with."

INPUT_SIZE: Rows = {
    (f"{size} x {size}",): vary(model=Baseline(Network.INCEPTION_V3), image_size=size, normalisation=Normalisation.UNIT)
    for size in (224, 299)
}

COPIES: Rows = {
    ("LDWBC", "to the largest class, as decided"): PROPOSED,
    ("LDWBC", "none"): vary(augmentation=Augmentation.NONE),
    ("LISC", "to 1,000 a class, as decided"): vary(dataset=LISC),
    ("LISC", "to the largest class"): vary(dataset=LISC, augmentation=Augmentation.LARGEST),
    ("LISC", "none"): vary(dataset=LISC, augmentation=Augmentation.NONE),
}

SPLIT: Rows = {
    ("LDWBC", "random, as in the paper"): PROPOSED,
    ("LDWBC", "within each class"): vary(split=SplitBy.STRATIFIED),
    ("BCCD", "random, as in the paper"): vary(dataset=BCCD),
    ("BCCD", "whole photographed cells"): vary(dataset=BCCD, split=SplitBy.SOURCE_GROUPED),
}

TUNED: Rows = {}
"""Winners of searches: a row is the line that `study/run.py --search` prints at its end. Table E5, if there are any."""

CROSS: Rows = {(dataset.title,): vary(dataset=dataset, test_on=EvaluateOn.ALL) for dataset in DATASETS}
ON_EACH = tuple(
    Column(score.key, f"{score.label} {dataset.title}", dataset)
    for score in (OVERALL[0], OVERALL[3])
    for dataset in DATASETS
)
CROSS_NOTE = (
    "Each row is one trained model and each column one test set; if both are of one dataset, it is the usual test. "
    "Classes are matched by name, predictions of all classes that the model knows count, and the model is not adapted "
    "to the other images. AF1 is the mean over the classes that occur in the test set."
)

STAINS: Rows = {
    (dataset.title, label): vary(dataset=dataset, stain=stain, test_on=EvaluateOn.ALL)
    for dataset in DATASETS
    for label, stain in (("none, as in the paper", Stain.NONE), ("Macenko", Stain.MACENKO), ("jitter", Stain.JITTER))
}
STAINS_NOTE = (
    "Macenko: the stains of all images are normalised to one reference by a method made for haematoxylin and eosin; "
    "blood smears are stained otherwise. Jitter: the amounts of the stains in training images vary at random."
)

BACKBONES: Rows = {
    ("Our model", "ImageNet-1k"): PROPOSED,
    ("ResNet", "ImageNet-1k"): vary(model=MODELS["ResNet"]),
    ("DenseNet", "ImageNet-1k"): vary(model=MODELS["DenseNet"]),
    ("EfficientNet-B0", "ImageNet-1k"): vary(model=Baseline("timm:efficientnet_b0.ra_in1k")),
    ("MobileNetV3-Large", "ImageNet-1k"): vary(model=Baseline("timm:mobilenetv3_large_100.ra_in1k")),
    ("ConvNeXt-T", "ImageNet-1k"): vary(model=Baseline("timm:convnext_tiny.fb_in1k")),
    ("Swin-T", "ImageNet-1k"): vary(model=Baseline("timm:swin_tiny_patch4_window7_224.ms_in1k")),
    ("ViT-S/14, DINOv2", "LVD-142M"): vary(model=Baseline("timm:vit_small_patch14_dinov2.lvd142m")),
}
BACKBONES_NOTE = (
    "All models are trained as in Table 3, whose learning rate was not tuned for the newer ones; these have no dropout "
    "and no stochastic depth. LVD-142M was collected from the web by similarity to images of public datasets; whether "
    "it contains test images is unknown."
)

EXTENSIONS = (
    Table("E1", "Choices the paper leaves open", ("Choice", "Here"), OPEN_CHOICES, OVERALL, (UNIT, SHARMA, MACRO_F1)),
    Table("E2", "Inception v3 from ImageNet weights, by input size", ("Input",), INPUT_SIZE, OVERALL, (UNIT, MACRO_F1)),
    Table("E3", "Effect of augmentation", ("Dataset", "Copies"), COPIES, OVERALL, (MACRO_F1,), best_within=1),
    Table("E4", "Effect of the split", ("Dataset", "Images assigned"), SPLIT, OVERALL, (MACRO_F1,), best_within=1),
    *([Table("E5", "Models, each tuned with one budget", ("Dataset", "Model"), TUNED, OVERALL, (*RIVALS, MACRO_F1),
             best_within=1)] if TUNED else []),
    Table("E6", "Trained on one dataset, tested on each", ("Trained on",), CROSS, ON_EACH, (CROSS_NOTE,)),
    Table("E7", "Newer networks beside the paper's", ("Model", "Pre-trained on"), BACKBONES, OVERALL,
          (BACKBONES_NOTE, MACRO_F1)),
    Table("E9", "Effect of stain handling", ("Trained on", "Stains"), STAINS, OVERALL, (STAINS_NOTE, MACRO_F1),
          best_within=1),
    Table("E10", "Effect of stain handling across datasets", ("Trained on", "Stains"), STAINS, ON_EACH,
          (STAINS_NOTE, CROSS_NOTE)),
)  # fmt: skip
