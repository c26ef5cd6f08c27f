"""The article's claims about the models it compares, and whether chance explains the differences."""

from collections.abc import Callable

import numpy as np
from scipy.stats import beta, friedmanchisquare, rankdata
from statsmodels.stats.proportion import proportions_ztest

from analysis.published.claim import Claim, PrintedRows, lower, rank, verdict
from analysis.published.numbers import TRAINING_IN_TEXT, images_tested, of_table
from analysis.stats.ranks import critical_difference
from search_spaces.paper import PROPOSED

OURS = "Our model"


def _mixup_helps_models(rows: PrintedRows) -> Claim:
    table = of_table("10", rows)
    models = list(dict.fromkeys(model for model, _ in table))
    worse = {model: lower(table[model, "Virtual"], table[model, "Raw"]) for model in models}
    told = "; ".join(f"{model}: {', '.join(scores)}" for model, scores in worse.items() if scores)
    return Claim(
        where="Table 10",
        says="mixup improves most of the models",
        verdict=verdict([score not in worse[m] for m in models for score in table[m, "Raw"]]),
        evidence=f"lowered by mixup: {told}",
    )


def _first_elsewhere(rows: PrintedRows) -> Claim:
    table = of_table("11", rows)
    parts = {name: {k: v for k, v in table.items() if k[0] == name} for name, _ in table}
    places = {name: [rank(part, (name, OURS), score) for score in part[name, OURS]] for name, part in parts.items()}
    return Claim(
        where="Table 11",
        says="the model is first on BCCD and Raabin, and shares the second place on LISC",
        verdict=verdict([max(places["BCCD"] + places["Raabin"]) == 1, max(places["LISC"]) == 2]),
        evidence="places by OA/AP/AR/AF1: "
        + "; ".join(f"{name} {'/'.join(map(str, p))}" for name, p in places.items()),
    )


def _best_on_monocytes(rows: PrintedRows) -> Claim:
    table = of_table("12", rows)
    beaten, datasets = [], dict.fromkeys(name for name, _ in table)
    for name in datasets:
        part = {k: v for k, v in table.items() if k[0] == name}
        places = {cell: rank(part, (name, OURS), cell) for cell in part[name, OURS]}
        beaten += [(name, cell, place) for cell, place in places.items() if place > 1]
    return Claim(
        where="Table 12",
        says="excellent on almost every cell type, monocytes above all",
        verdict=verdict([(name, "M") not in {(of, cell) for of, cell, _ in beaten} for name in datasets]),
        evidence="not first on " + ", ".join(f"{name} {cell} (place {place})" for name, cell, place in beaten),
    )


def _best_over_datasets(rows: PrintedRows) -> Claim:
    """Four datasets, six models: Friedman's test and Nemenyi's critical difference on the printed accuracies."""
    raw = {("LDWBC", model): numbers for (model, kind), numbers in of_table("10", rows).items() if kind == "Virtual"}
    table = raw | of_table("11", rows)
    datasets, models = (list(dict.fromkeys(labels[i] for labels in table)) for i in (0, 1))
    scores = np.array([[float(table[dataset, model]["OA"]) for model in models] for dataset in datasets])
    ranks = dict(zip(models, rankdata(-scores, axis=1).mean(0), strict=True))
    reach = critical_difference(len(models), len(datasets))
    near = [model for model in models if model != OURS and ranks[model] - ranks[OURS] <= reach]
    return Claim(
        where="Tables 10, 11",
        says="the best overall performance on the four datasets",
        verdict="not shown" if near else "holds",
        evidence=f"mean rank by OA {', '.join(f'{model} {rank:.2f}' for model, rank in ranks.items())}; Friedman "
        f"p = {friedmanchisquare(*scores.T)[1]:.2g}; within the critical difference of {reach:.2f} at 5 %: "
        f"{', '.join(near) or 'none'}; four datasets are few",
    )


def _differences_are_real(rows: PrintedRows) -> Claim:
    """An unpaired test: the predictions that a paired one needs are not published."""
    ours = next(row for row in rows if row.config == PROPOSED and "OA" in row.numbers)
    n = images_tested(PROPOSED)
    changed = {row.config.id: row for row in rows if row.table in ("4", "5", "7", "8") and row.config != PROPOSED}
    apart = []
    for row in changed.values():
        right = [round(float(one.numbers["OA"]) * n / 100) for one in (ours, row)]
        if (p := proportions_ztest(right, [n, n])[1]) < 0.05:
            apart.append(f"{row} ({row.numbers['OA']}, p = {p:.2g})")
    return Claim(
        where="Tables 4, 5, 7, 8",
        says="what is left out or changed makes a difference",
        verdict="holds" if len(apart) == len(changed) else "not shown",
        evidence=f"accuracies that differ from {ours.numbers['OA']} by more than chance (unpaired, 5 %, uncorrected, "
        f"one run each): {len(apart)} of {len(changed)}: {'; '.join(apart)}",
    )


def _training_accuracy(_: PrintedRows) -> Claim:
    ceiling = 100 * float(beta.sf(0.5, PROPOSED.mixup_alpha + 1, PROPOSED.mixup_alpha))  # the mean of max(l, 1 - l)
    # Two samples of one class need no weight: with classes balanced over five that is one pair in five.
    most = ceiling + (100 - ceiling) / 5
    return Claim(
        where="Fig. 6",
        says=f"training accuracy of {TRAINING_IN_TEXT} % on mixed samples",
        verdict="holds" if float(TRAINING_IN_TEXT) <= most else "ambiguous",
        evidence=f"weighted by the mixed labels it cannot exceed {most:.1f} % with balanced classes: it must be that "
        "of the likelier label, or of unmixed samples",
    )


OF_MODELS: tuple[Callable[[PrintedRows], Claim], ...] = (
    _mixup_helps_models,
    _first_elsewhere,
    _best_on_monocytes,
    _best_over_datasets,
    _differences_are_real,
    _training_accuracy,
)
