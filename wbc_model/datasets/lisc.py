"""New."""

from pathlib import Path


def mask_of(picture: Path) -> Path:
    """LISC's `Main Dataset/Baso/7.bmp` -> `Ground Truth Segmentation/Baso/areaforexpert1/7_expert.bmp`."""
    cell, root = picture.parent, picture.parents[2]
    return root / "Ground Truth Segmentation" / cell.name / "areaforexpert1" / f"{picture.stem}_expert.bmp"
