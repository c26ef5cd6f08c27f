"""Write a trained model as one ONNX file, checked against torch: `python -m wbc_model.export`."""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wbc_model.choices import CELLS
from wbc_model.config import TrialConfig
from wbc_model.datasets.images import resized
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.files import user_path, write_whole
from wbc_model.inference.pictures import Skipped, find_pictures, read_picture
from wbc_model.inference.places import HELP_MODEL, load
from wbc_model.synthetic.cells import draw_cell

LIMIT = 1e-4
"""The largest difference from torch, of a logit or probability, with which a file is written."""
DRAWN = 20
"""Cells to check with where no images are given."""

EPILOG = """Input: `images`, float32 (N, 3, S, S), RGB in [0, 1]; normalisation is inside the file. Outputs: `logits`
and `probabilities` (calibrated). Classes, S, temperature and threshold are in its metadata. If its `stain` is macenko,
the stains of images must be normalised before (docs/models.md).

Exit status: 0 written, 1 it differs from torch by more than 1e-4 and is not written, 2 invalid arguments or model.
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m wbc_model.export",
        description="Write a trained model as one ONNX file, after checking it against torch on images.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("model", metavar="MODEL", help=HELP_MODEL)
    p.add_argument("--onnx", type=user_path, required=True, metavar="FILE", help="the file to write")
    p.add_argument("--check-on", nargs="+", default=[], metavar="IMAGES",
                   help="pictures of one cell each: files, folders or globs (drawn cells)")  # fmt: skip
    return p


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: written. 1: it is not the same model, and is not written. 2: invalid arguments or model."""
    args = parser().parse_args(argv)
    try:
        from wbc_model.inference.onnx_file import largest_differences, to_onnx  # packages of the extra `export`
    except ImportError as error:
        raise InputError(f"{error}: ONNX needs more packages: pip install 'wbc-study[export]'") from error
    model = load(args.model)
    config = model.info.config
    crops = _cells(args.check_on, config) if args.check_on else _drawn(config.image_size)
    content = to_onnx(model)
    differences = largest_differences(content, model, crops)
    if config.rehearsal:
        print("REHEARSAL: what this model says, says nothing about blood.")
    print(f"largest difference from torch, of {len(crops)} {'' if args.check_on else 'drawn '}cells: "
          + ", ".join(f"{value:.1e} ({name})" for name, value in differences.items()))  # fmt: skip
    if not all(value <= LIMIT for value in differences.values()):
        print(f"error: more than {LIMIT:g}; {args.onnx} is not written", file=sys.stderr)
        return 1
    write_whole(args.onnx, content)
    print(f"{args.onnx}: {len(content) / 1e6:.1f} MB")
    return 0


def _cells(given: Sequence[str], config: TrialConfig) -> NDArray[np.uint8]:
    """Cells (N, S, S, 3) of pictures.

    Raises:
        InputError: there is no such picture, or one that cannot be used.
    """
    parts = []
    for file in find_pictures(given):
        found = read_picture(file, config=config, photographs=False, margin=0)
        if isinstance(found, Skipped):
            raise InputError(f"--check-on {file}: {found.why}")
        parts.append(found.crops)
    return np.concatenate(parts)


def _drawn(side: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    drawings = [draw_cell(CELLS[i % len(CELLS)], rng, height=120, width=120, fill=0.8) for i in range(DRAWN)]
    return np.stack([resized(drawing.pixels, side=side) for drawing in drawings])


if __name__ == "__main__":
    sys.exit(main())
