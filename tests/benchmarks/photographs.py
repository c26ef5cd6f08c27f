"""Train on some of BCCD's images, keep the model, and count the cells of photographs that it has never seen.

    python tests/benchmarks/photographs.py DATA WEIGHTS --out DIR [--cache DIR]

DATA is a folder with BCCD as Kaggle publishes it, its photographs included. Photographs with one label each are held
out at random, and with them every image that is a copy of one of them or shows the same cell. The model trains on
copies of the others, is kept in DIR/model, and predicts the held-out photographs; its differential count is printed
beside that of their labels. About ten minutes on two cores.
"""

import argparse
import csv
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wbc_model.choices import Augmentation, SplitBy
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import CLASSES
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import Dataset, Groups
from wbc_model.datasets.find import ImageFile, find
from wbc_model.datasets.photographs import PhotographOrigins, origins
from wbc_model.files import write_whole
from wbc_model.inference import count, load, predict
from wbc_model.inference.calibration import calibrate
from wbc_model.inference.calls import Predicted
from wbc_model.inference.model_file import to_bytes
from wbc_model.inference.model_info import FILE, ModelInfo
from wbc_model.models import TwoBranch
from wbc_model.networks.build import build
from wbc_model.preparation.cache import prepare
from wbc_model.training.predict import predict_known
from wbc_model.training.train import fit

PHOTOGRAPHS = "dataset-master/dataset-master"


def labels_of(data: Path) -> dict[str, str]:
    """The class of each photograph that has one label and one of BCCD's four classes."""
    with (data / PHOTOGRAPHS / "labels.csv").open(newline="") as file:
        rows = [(int(row["Image"]), row["Category"].strip().lower()) for row in csv.DictReader(file)]
    images = data / PHOTOGRAPHS / "JPEGImages"
    return {
        f"BloodImage_{number:05}": label
        for number, label in rows
        if label in CLASSES and (images / f"BloodImage_{number:05}.jpg").exists()
    }


def hold_out(labels: Mapping[str, str], found: PhotographOrigins, *, number: int, seed: int) -> list[str]:
    """Photographs chosen at random, each of another cell."""
    names = np.random.default_rng(seed).permutation(sorted(labels)).tolist()
    pairs = {frozenset(pair) for pair in found.same_cell}
    chosen: list[str] = []
    for name in names:
        if len(chosen) < number and not any(frozenset((name, other)) in pairs for other in chosen):
            chosen.append(name)
    return sorted(chosen)


def to_train(
    samples: list[ImageFile], labels: Mapping[str, str], held: list[str], found: PhotographOrigins, *, each: int
) -> dict[ImageFile, str]:
    """As many images of each class, spread over the photographs that are not held out, and the cell that each shows.

    Images whose class is not the label of their photograph are left out.
    """
    cells = found.cells()
    shown = {cell for image, cell in cells.items() if found.photograph[image] in held}
    shown |= {other for pair in found.same_cell if set(pair) & set(held) for other in pair}
    of_photograph: dict[tuple[str, str], list[ImageFile]] = defaultdict(list)
    for sample in samples:
        name = found.photograph[sample.id]
        if labels.get(name) == sample.cell and not {name, cells[sample.id]} & (shown | set(held)):
            of_photograph[sample.cell, name].append(sample)
    chosen: dict[ImageFile, str] = {}
    for cell in CLASSES:
        queues = [list(files) for (of, _), files in sorted(of_photograph.items()) if of == cell]
        wanted = [queue[i] for i in range(max(map(len, queues))) for queue in queues if i < len(queue)][:each]
        chosen |= {sample: cells[sample.id] for sample in wanted}
    return chosen


def write_folder(folder: Path, chosen: Mapping[ImageFile, str]) -> Dataset:
    """The images as a dataset of one's own, with the cell of each as its group."""
    shutil.rmtree(folder, ignore_errors=True)
    rows = [("file", "cell")]
    for sample, cell in chosen.items():
        file = folder / sample.cell / sample.path.name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.path, file)
        rows.append((file.relative_to(folder).as_posix(), cell))
    with (folder / "cells.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return Dataset(name="bccd-part", classes=CLASSES, crop="segment", copies="none",
                   groups=Groups(csv="cells.csv", column="cell"))  # fmt: skip


def train(config: TrialConfig, folder: Path, *, weights: Path, cache: Path) -> bytes:
    """The content of the model file."""
    data = prepare(config.data, data=folder, cache=cache)
    model = build(config, seed=0, weights=weights)
    report = None
    for report in fit(model, data.sets["train"], data.sets["validation"], config, seed=0):
        print({name: round(value, 4) for name, value in report.row().items()}, flush=True)
    assert report is not None
    model.load_state_dict(report.state.best_model)
    validation, tested = (
        predict_known(model, data.sets[name], classes=config.dataset.classes) for name in ("validation", "test")
    )
    print(f"accuracy on {len(tested.truth)} test images: {tested.matrix.accuracy:.3f}")
    info = ModelInfo(
        config=config, seed=0, trial=f"{config.id}-s0", best_epoch=report.state.best_epoch,
        validation=report.state.best_accuracy, calibration=calibrate(validation.probabilities, validation.truth),
        provenance={"data": data.fingerprint},
    )  # fmt: skip
    return to_bytes(model, info)


def compare(predicted: Predicted, labels: Mapping[str, str]) -> str:
    """The differential count of photographs beside that of their labels, and how many photographs agree."""
    true = Counter(labels[Path(file).stem] for file in predicted.files)
    lines = [f"{'':12}{'labels':>8}{'counted':>9}{'interval, %':>16}{'label, %':>10}"]
    for share in count(predicted).shares:
        percent, (low, high) = 100 * true[share.cell] / true.total(), share.interval
        lines.append(f"{share.cell:12}{true[share.cell]:8}{share.cells:9}{low:8.1f} to {high:4.1f}{percent:10.1f}")
    calls = {file: [call for call in predicted.calls if call.file == file] for file in predicted.files}
    single = {Path(file).stem: found[0] for file, found in calls.items() if len(found) == 1}
    sure = {name: call for name, call in single.items() if call.sure}
    right, sure_right = (sum(labels[name] == call.cell for name, call in some.items()) for some in (single, sure))
    lines.append(f"{len(predicted.calls)} cells found in {len(calls)} photographs, one cell in {len(single)}")
    lines.append(f"of those with one cell, {right} are called as labelled; of the {len(sure)} sure calls, {sure_right}")
    return "\n".join(lines)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", type=Path)
    p.add_argument("weights", type=Path)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--cache", type=Path, help="of the matched photographs and the prepared images (in --out)")
    p.add_argument("--images", type=int, default=200, help="of each class, to train, validate and test (200)")
    p.add_argument("--held-out", type=int, default=80, help="photographs (80)")
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--image-size", type=int, default=96)
    p.add_argument("--lr", type=float, default=3e-4)
    args = p.parse_args()
    cache = args.cache or args.out / "cache"
    samples, labels = find(BCCD, args.data), labels_of(args.data)
    assert BCCD.groups
    found = origins(samples, folders=BCCD.groups.photographs, data=args.data, cache=cache)
    held = hold_out(labels, found, number=args.held_out, seed=0)
    chosen = to_train(samples, labels, held, found, each=args.images)
    print(f"{len(chosen)} images of {len(set(chosen.values()))} cells:", dict(Counter(s.cell for s in chosen)))
    model = args.out / "model" / FILE
    if not model.exists():
        # One branch, to be done in minutes.
        config = TrialConfig(
            model=TwoBranch(densenet=None), dataset=write_folder(args.out / "bccd-part", chosen),
            image_size=args.image_size, epochs=args.epochs, lr=args.lr, augmentation=Augmentation.NONE,
            split=SplitBy.SOURCE_GROUPED,
        )  # fmt: skip
        write_whole(model, train(config, args.out / "bccd-part", weights=args.weights, cache=cache))
    photographs = args.out / "held-out"
    shutil.rmtree(photographs, ignore_errors=True)
    photographs.mkdir()
    for name in held:
        shutil.copy(args.data / PHOTOGRAPHS / "JPEGImages" / f"{name}.jpg", photographs)
    predicted = predict(load(model), photographs, photographs=True)
    print(compare(predicted, labels))
    print(f"look at them: python -m wbc_model.predict {model.parent} {photographs} --photographs --grad-cam")


if __name__ == "__main__":
    main()
