"""Classify the white cells of new pictures with a trained model, and count them: `python -m wbc_model.predict`."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from wbc_model.errors import InputError, reports_input_errors
from wbc_model.files import user_path, whole_folder
from wbc_model.inference.calls import Examined, Predicted, choose_device, examine
from wbc_model.inference.differential import count, count_slides, slides_by
from wbc_model.inference.drawing import annotated, explanations
from wbc_model.inference.model_file import SavedModel
from wbc_model.inference.page import Shown, render
from wbc_model.inference.pictures import find_pictures
from wbc_model.inference.places import HELP_MODEL, load
from wbc_model.inference.tables import json_line, write_calls, write_counts
from wbc_model.plain_text import counted, printable

EXAMPLES = """examples:
  python -m wbc_model.predict runs/trials/1af0ed25a7-s0 cells/
  python -m wbc_model.predict s3://lab/runs/trials/1af0ed25a7-s0 'smears/*.jpg' --photographs --out count
  python -m wbc_model.predict model.safetensors smears/ --photographs --slide-pattern '/(slide[0-9]+)_'
  python -m wbc_model.predict wandb:lab/wbc-study/model-1af0ed25a7:best cells/ --grad-cam

Written to the folder of --out: predictions.csv, predictions.jsonl, counts.csv, index.html, annotated/, and gradcam/ if
asked for. Exit status: 0 done, 1 a picture was skipped, 2 invalid arguments, model or data.
"""

UNUSUAL = re.compile(r"[^\w.-]+")
"""What names of files that are written do not take over from pictures' names."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m wbc_model.predict",
        description="Classify the white cells of new pictures with a trained model, and count them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("model", metavar="MODEL", help=HELP_MODEL)
    p.add_argument("images", nargs="+", metavar="IMAGES", help="files, folders or globs of pictures of one cell each")
    p.add_argument("--photographs", action="store_true", help="they are whole fields: find their white cells first")
    p.add_argument("--out", type=user_path, default=Path("predictions"), metavar="DIR",
                   help="a new folder for the results (predictions)")  # fmt: skip
    p.add_argument("--slide-pattern", default="", metavar="REGEX",
                   help="the slide is what its one group matches in a picture's path (a slide each)")  # fmt: skip
    p.add_argument("--grad-cam", action="store_true", help="show what in each cell its call rests on")
    p.add_argument("--margin", type=float, default=0, metavar="SHARE",
                   help="widen the boxes of cells found in photographs by this share on each side (0)")  # fmt: skip
    p.add_argument("--device", metavar="cpu|cuda", help="where to predict (a GPU if there is one)")
    return p


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: all pictures were examined. 1: some were skipped. 2: invalid arguments, model or data."""
    args = parser().parse_args(argv)
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise InputError(f"--out {args.out}: exists already; wanted a new or an empty folder")
    if not 0 <= args.margin <= 2:
        raise InputError(f"--margin {args.margin}: wanted a share of the box's side from 0 to 2")
    files = find_pictures(args.images)
    slide_of = slides_by(args.slide_pattern) if args.slide_pattern else str
    for file in files:
        slide_of(printable(str(file)))  # before the work is done, not after it
    model, device = load(args.model), choose_device(args.device)
    with whole_folder(args.out) as draft:
        predicted = _write(draft, files, model, slide_of=slide_of, args=args, device=device)
    print(count(predicted))
    for file, why in predicted.skipped.items():
        print(f"skipped: {file}: {why}", file=sys.stderr)
    cells, pictures = counted(len(predicted.calls), "cell"), counted(len(predicted.files), "picture")
    print(f"\n{cells} in {pictures}; look at {args.out / 'index.html'}")
    return 1 if predicted.skipped else 0


def _write(
    folder: Path, files: Sequence[Path], model: SavedModel, *, slide_of: Callable[[str], str],
    args: argparse.Namespace, device: str,
) -> Predicted:  # fmt: skip
    """Fill a folder with all results. Pictures are written as they come, the rest at the end."""
    found, shown, skipped = [], [], {}
    every = examine(model, files, photographs=args.photographs, margin=args.margin, device=device)
    for i, one in enumerate(tqdm(every, total=len(files), desc="predict", unit=" pictures", disable=None), start=1):
        if isinstance(one, Examined):
            found += one.calls
            maps = explanations(model, one, device=device) if args.grad_cam else []
            shown.append(_save(folder, i, one, model, maps))
        else:
            skipped[printable(str(one.file))] = printable(one.why)
    predicted = Predicted(info=model.info, calls=tuple(found), files=tuple(each.file for each in shown),
                          skipped=skipped)  # fmt: skip
    by_slide = args.photographs or args.slide_pattern
    slides = count_slides(predicted, slide_of=slide_of) if by_slide else {}
    write_calls(folder / "predictions.csv", found, model.info)
    lines = (json_line(call, model.info) + "\n" for call in found)
    (folder / "predictions.jsonl").write_text("".join(lines), encoding="utf-8")
    write_counts(folder / "counts.csv", count(predicted), slides)
    page = render(shown, info=model.info, model=args.model, whole=count(predicted), slides=slides, skipped=skipped,
                  photographs=args.photographs, notes=list(_notes(model, args)))  # fmt: skip
    (folder / "index.html").write_text(page, encoding="utf-8")
    return predicted


def _save(folder: Path, number: int, examined: Examined, model: SavedModel, maps: Sequence[NDArray[np.uint8]]) -> Shown:
    """Write an annotated picture and its heat maps. Numbers keep pictures of equal names apart."""
    config, name = model.info.config, printable(str(examined.picture.file))
    stem = f"{number:05}-{UNUSUAL.sub('_', examined.picture.file.stem)[:80]}"
    drawn = folder / "annotated" / f"{stem}.jpg"
    drawn.parent.mkdir(exist_ok=True)
    annotated(examined, classes=config.dataset.classes, rehearsal=config.rehearsal).save(drawn, quality=90)
    heats = [folder / "gradcam" / f"{stem}-{i}.png" for i in range(1, len(maps) + 1)]
    for heat, pixels in zip(heats, maps, strict=True):
        heat.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(heat)
    return Shown(name, drawn, examined.calls, tuple(heats))


def _notes(model: SavedModel, args: argparse.Namespace) -> Iterator[str]:
    if args.photographs and model.info.config.dataset.crop == "none":
        yield (
            f"The model was trained on whole pictures of single cells ({model.info.config.dataset.title}), which show "
            f"an unknown margin around the cell. Here cells were cut out with a margin of {args.margin:g} "
            "(--margin), so its accuracy on photographs is not that of its test images."
        )


if __name__ == "__main__":
    sys.exit(main())
