"""What images a trial reads, as one value."""

from dataclasses import dataclass

from wbc_model.choices import Augmentation, ImageSource, SplitBy
from wbc_model.datasets.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Two trials with equal specs read the same arrays of the same cache."""

    dataset: Dataset
    images: ImageSource = ImageSource.PUBLISHED
    image_size: int = 224
    """Side of the square input, in pixels."""
    augmentation: Augmentation = Augmentation.PAPER
    split: SplitBy = SplitBy.RANDOM
    macenko: bool = False
    """Whether the images' stains are normalised."""

    def __str__(self) -> str:
        return f"{self.dataset} at {self.image_size} px{', stains normalised' * self.macenko}"
