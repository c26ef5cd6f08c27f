"""Test finished models on other images: `python -m study.evaluate`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from study.arguments import add_storage
from study.storage import Storage, place, root_of
from wbc_model.datasets.dataset import BUILT_IN, Dataset
from wbc_model.datasets.declare import all_of
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.files import user_path
from wbc_model.inference.model_info import FILE
from wbc_model.preparation.cache_folder import default_cache
from wbc_model.scoring.alterations import ALTERATIONS, STRENGTHS

if TYPE_CHECKING:
    from study.evaluate.evaluator import KeptModel

DESCRIPTION = """\
Test the models that finished trials have kept (docs/models.md) on images that they were not made with: the test set of
another dataset of the paper, or a folder of class folders of your own (docs/own-data.md), of which every image is used.

Classes are matched by name. Images of classes that a model does not know are left out; a model's calls of classes that
the images do not have are errors. Nothing is trained, and the trial's record stays as it is.
"""
EXAMPLES = """examples:
  python -m study.evaluate 4c9be1a3f2-s0 --on lisc raabin --data ~/wbc    one model on two other datasets' test sets
  python -m study.evaluate runs/trials/4c9be1a3f2-s0 --on ~/ward2         ... on all images of a folder
  python -m study.evaluate proposed --on ldwbc lisc bccd raabin --data ~/wbc && python -m analysis --tables E6
                                         each proposed model on each dataset: Table E6, without another training
  python -m study.evaluate all --on ~/ward2 --test-set                    ... as Table D3 wants them: the test set alone
  python -m study.evaluate all --on lisc --altered --data ~/wbc && python -m analysis robustness --datasets lisc
                                         test images that are blurred, noisy, unevenly lit ...: Table E8

Each test writes into the trial's folder: evaluations/<dataset>.json with the confusion matrix, and
predictions-<dataset>.npz; and it adds a row to the model card. With --altered it writes robustness/<dataset>.json.
What was tested before, on the same images, is not tested again, so the same command continues after an interruption.

Images that a model was trained or validated on are found by the hashes of their files and are reported, here and
wherever the scores are shown. A copy of an image that is not equal byte by byte is not found.

exit status: 0 all are tested, 1 a model has seen some of the images (0 with --allow-seen) or it is unknown whether it
has, 2 invalid arguments or input
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m study.evaluate",
        usage="python -m study.evaluate TRIAL... --on DATASET|[NAME=]DIR... [options]",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("trials", nargs="+", metavar="TRIAL",
                   help="a trial's id or folder; `proposed`: every proposed model in the storage; `all`")  # fmt: skip
    p.add_argument("--on", nargs="+", required=True, metavar="DATASET|[NAME=]DIR",
                   help=f"{', '.join(BUILT_IN)}; or a folder of class folders, or its .toml")  # fmt: skip
    p.add_argument("--test-set", action="store_true", help="of folders, use only the test set that a study would")
    p.add_argument("--altered", action="store_true",
                   help=f"test on altered test images, at three strengths: {', '.join(ALTERATIONS)}")  # fmt: skip
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of what is random in altered images [0]")
    p.add_argument("--allow-seen", action="store_true", help="exit with 0 even if models have seen some of the images")
    p.add_argument("--data", type=user_path, metavar="DIR", help="folder of the published datasets")
    p.add_argument("--cache", type=user_path, default=default_cache(), metavar="DIR",
                   help=f"folder of prepared images ({default_cache()})")  # fmt: skip
    add_storage(p, help="folder or URL of the study's results (runs)")
    return p


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: all are tested. 1: a model has seen some of the images, or may have. 2: invalid arguments or input."""
    args = parser().parse_args(argv)
    datasets = all_of(args.on)
    from study.evaluate.evaluator import KeptModel, require_model  # torch takes seconds to load
    from wbc_model.training.device import choose

    named = dict.fromkeys(pair for name in args.trials for pair in _trials(name, place(args.storage)))
    records = [(Storage(where), require_model(Storage(where), trial_id)) for where, trial_id in named]
    unseen = []
    for storage, record in records:
        model = KeptModel(storage, record, device=choose())
        test = _test_altered if args.altered else _test
        unseen += [test(model, dataset, path, args) for dataset, path in datasets.items()]
    return 0 if all(unseen) or args.allow_seen else 1


def _trials(name: str, storage: str) -> Iterator[tuple[str, str]]:
    """The storage and id of each trial that an argument names."""
    if name in ("all", "proposed"):
        every = Storage(storage).records().intact.values()
        kept = Storage(storage).having(FILE)
        wanted = [each.trial for each in every if each.trial.id in kept and (name == "all" or each.trial.proposed)]
        if not wanted:
            raise InputError(f"{storage} has no finished trial with a model that is meant by {name}")
        yield from ((storage, trial.id) for trial in wanted)
    elif "/" in name:
        folder = root_of(place(name.rstrip("/")))
        yield str(folder.parent.parent), folder.name
    else:
        yield storage, name


def _test(model: "KeptModel", dataset: Dataset, path: Path | None, args: argparse.Namespace) -> bool:
    """Test a model on a dataset, unless it was, and print how good it is; whether it has seen none of the images."""
    from study.evaluate.images import labelled_images

    trial = model.record.trial
    images = labelled_images(dataset, path, trial.config, test_set=args.test_set, data=args.data, cache=args.cache,
                             storage=model.storage)  # fmt: skip
    if images.test_set and dataset in trial.config.tested:
        print(f"{trial.id} on {dataset}: its record has this test")
        return True
    found = model.tested_before(images)
    if found is None:
        with tqdm(total=len(images), desc=f"{trial.id} on {dataset}", unit=" images", disable=None) as bar:
            found = model.test(images, tested=bar.update)
    scores = found.matrix.scores()
    unknown = f"; {found.unknown} of classes that it does not know are left out" if found.unknown else ""
    print(f"{trial.id} on {dataset}, {found.remark}: {found.matrix.images} images, OA {scores['accuracy']:.2%}, "
          f"AF1 {scores['macro_f1']:.2%}{unknown}")  # fmt: skip
    return found.seen == 0


def _test_altered(model: "KeptModel", dataset: Dataset, path: Path | None, args: argparse.Namespace) -> bool:
    """Test a model on a dataset's altered test images, unless it was, and print how good it is; True."""
    from study.evaluate.images import labelled_images

    trial = model.record.trial
    images = labelled_images(dataset, path, trial.config, test_set=True, data=args.data, cache=args.cache,
                             storage=model.storage, in_own_stains=True)  # fmt: skip
    found = model.altered_before(images, seed=args.seed)
    if found is None:
        total = len(images) * len(ALTERATIONS) * len(STRENGTHS)
        with tqdm(total=total, desc=f"{trial.id} on {dataset}, altered", unit=" images", disable=None) as bar:
            found = model.test_altered(images, seed=args.seed, tested=bar.update)
    told = (
        f"{name} {' '.join(format(matrix.scores()['accuracy'], '.2%') for matrix in matrices)}"
        for name, matrices in found.matrices.items()
    )
    print(f"{trial.id} on {dataset}, altered, OA: {'; '.join(told)}")
    return True


if __name__ == "__main__":
    sys.exit(main())
