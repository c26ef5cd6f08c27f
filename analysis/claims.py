"""What the article says of its tables, held against the tables."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import pstdev

from scipy.stats import beta
from statsmodels.stats.proportion import proportions_ztest

from analysis.published import TRAINING_IN_TEXT, Labels, Numbers, Printed, of_table, test_images
from search_spaces.paper import PROPOSED

SCAM, CSAM, NONE = ("TD", "SAM + CAM (SCAM)"), ("TD", "CAM + SAM (CSAM)"), ("", "No")
OURS = "Our model"
Rows = Sequence[Printed]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement of the text, in our words."""

    where: str
    says: str
    verdict: str
    """holds, in part, contradicted, or why none of them."""
    evidence: str


def claims(rows: Rows) -> list[Claim]:
    """Every claim that the printed numbers can answer."""
    return [claim(rows) for claim in CLAIMS]


def _verdict(support: Collection[bool]) -> str:
    """By how many of the numbers that a claim is about bear it out: all, half or more, fewer."""
    if all(support):
        return "holds"
    return "in part" if 2 * sum(support) >= len(support) else "contradicted"


def _best(table: Mapping[Labels, Numbers], score: str) -> set[Labels]:
    most = max(numbers[score] for numbers in table.values())
    return {labels for labels, numbers in table.items() if numbers[score] == most}


def _named(labels: Iterable[Labels]) -> str:
    return " and ".join(label[-1] for label in sorted(labels))


def _rank(table: Mapping[Labels, Numbers], labels: Labels, score: str) -> int:
    return 1 + sum(numbers[score] > table[labels][score] for numbers in table.values())


def _lower(a: Numbers, b: Numbers) -> list[str]:
    return [score for score in a if a[score] < b[score]]


def _scam_is_best(rows: Rows) -> Claim:
    table = of_table("5", rows)
    places = {score: _rank(table, SCAM, score) for score in table[SCAM]}
    leaders = "; ".join(f"best {score}: {_named(_best(table, score))}" for score in places)
    return Claim(
        where="Table 5, title and model",
        says="SCAM is the attention to choose",
        verdict=_verdict([place == 1 for place in places.values()]),
        evidence=f"SCAM ranks {'/'.join(map(str, places.values()))} of {len(table)} by {'/'.join(places)}; {leaders}",
    )


def _scam_is_balanced(rows: Rows) -> Claim:
    table = of_table("6", rows)
    scam, csam = ([float(x) for x in table[labels].values()] for labels in (SCAM, CSAM))
    figures = [(100 - min(x), max(x) - min(x), pstdev(x)) for x in (scam, csam)]
    told = [f"lowest {100 - lost:.2f}, range {reach:.2f}, SD {sd:.2f}" for lost, reach, sd in figures]
    return Claim(
        where="Table 6",
        says="SCAM is more balanced over the cell types than CSAM",
        verdict=_verdict([ours < theirs for ours, theirs in zip(*figures, strict=True)]),
        evidence=f"recalls of SCAM: {told[0]}; of CSAM: {told[1]}",
    )


def _all_attention_helps(rows: Rows) -> Claim:
    table = of_table("5", rows)
    worse = {labels[-1]: _lower(numbers, table[NONE]) for labels, numbers in table.items() if labels != NONE}
    told = "; ".join(f"{name}: {', '.join(scores)}" for name, scores in worse.items() if scores)
    return Claim(
        where="Table 5",
        says="channel attention, spatial attention and their combinations all help",
        verdict=_verdict([not scores for scores in worse.values()]),
        evidence=f"lower than without attention: {told or 'nothing'}",
    )


def _mixup_helps(rows: Rows) -> Claim:
    table = of_table("4", rows)
    worse = {alpha: _lower(numbers, table["0",]) for (alpha,), numbers in table.items() if alpha != "0"}
    told = "; ".join(f"alpha {alpha}: {', '.join(scores)}" for alpha, scores in worse.items() if scores)
    return Claim(
        where="Table 4",
        says="virtual samples score higher than raw ones",
        verdict=_verdict([not scores for scores in worse.values()]),
        evidence=f"lower than raw: {told or 'nothing'}",
    )


def _alpha_is_best(rows: Rows) -> Claim:
    table = of_table("4", rows)
    told = {score: _named(_best(table, score)) for score in table["0.2",]}
    return Claim(
        where="Table 4",
        says="alpha 0.2 performs best",
        verdict=_verdict([alpha == "0.2" for alpha in told.values()]),
        evidence="best " + ", ".join(f"{score}: {alpha}" for score, alpha in told.items()),
    )


def _mixup_helps_models(rows: Rows) -> Claim:
    table = of_table("10", rows)
    models = list(dict.fromkeys(model for model, _ in table))
    worse = {model: _lower(table[model, "Virtual"], table[model, "Raw"]) for model in models}
    told = "; ".join(f"{model}: {', '.join(scores)}" for model, scores in worse.items() if scores)
    return Claim(
        where="Table 10",
        says="mixup improves most of the models",
        verdict=_verdict([score not in worse[m] for m in models for score in table[m, "Raw"]]),
        evidence=f"lowered by mixup: {told}",
    )


def _both_branches_help(rows: Rows) -> Claim:
    *one, both = of_table("7", rows).values()
    return Claim(
        where="Table 7",
        says="leaving out either branch lowers the performance",
        verdict=_verdict([_lower(numbers, both) == list(both) for numbers in one]),
        evidence=f"both branches {both['OA']} OA, one {' and '.join(str(numbers['OA']) for numbers in one)}",
    )


def _transfer_is_best(rows: Rows) -> Claim:
    table = of_table("8", rows)
    full = list(table)[-1]
    ties = [score for score in table[full] if len(_best(table, score)) > 1]
    beaten = [score for score in table[full] if full not in _best(table, score)]
    return Claim(
        where="Table 8",
        says="transfer learning in both branches is best",
        verdict=_verdict([score not in ties + beaten for score in table[full]]),
        evidence=f"not the best {', '.join(beaten) or 'none'} (best AP {max(n['AP'] for n in table.values())}); "
        f"tied in {', '.join(ties) or 'none'}",
    )


def _transfer_helps_the_rare(rows: Rows) -> Claim:
    *some, neither, both = of_table("9", rows).values()
    return Claim(
        where="Table 9",
        says="transfer in any branch raises the recall of basophils and monocytes",
        verdict=_verdict([numbers[cell] > neither[cell] for numbers in (*some, both) for cell in ("B", "M")]),
        evidence=f"without: B {neither['B']}, M {neither['M']}; with: "
        + ", ".join(f"B {numbers['B']} M {numbers['M']}" for numbers in (*some, both)),
    )


def _first_elsewhere(rows: Rows) -> Claim:
    table = of_table("11", rows)
    parts = {name: {k: v for k, v in table.items() if k[0] == name} for name, _ in table}
    places = {name: [_rank(part, (name, OURS), score) for score in part[name, OURS]] for name, part in parts.items()}
    return Claim(
        where="Table 11",
        says="the model is first on BCCD and Raabin, and shares the second place on LISC",
        verdict=_verdict([max(places["BCCD"] + places["Raabin"]) == 1, max(places["LISC"]) == 2]),
        evidence="places by OA/AP/AR/AF1: "
        + "; ".join(f"{name} {'/'.join(map(str, p))}" for name, p in places.items()),
    )


def _best_on_monocytes(rows: Rows) -> Claim:
    table = of_table("12", rows)
    beaten, datasets = [], dict.fromkeys(name for name, _ in table)
    for name in datasets:
        part = {k: v for k, v in table.items() if k[0] == name}
        places = {cell: _rank(part, (name, OURS), cell) for cell in part[name, OURS]}
        beaten += [(name, cell, place) for cell, place in places.items() if place > 1]
    return Claim(
        where="Table 12",
        says="excellent on almost every cell type, monocytes above all",
        verdict=_verdict([(name, "M") not in {(of, cell) for of, cell, _ in beaten} for name in datasets]),
        evidence="not first on " + ", ".join(f"{name} {cell} (place {place})" for name, cell, place in beaten),
    )


def _differences_are_real(rows: Rows) -> Claim:
    """An unpaired test: the predictions that a paired one needs are not published."""
    ours = next(row for row in rows if row.config == PROPOSED and "OA" in row.numbers)
    n = test_images(PROPOSED)
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


def _training_accuracy(_: Rows) -> Claim:
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


CLAIMS: tuple[Callable[[Rows], Claim], ...] = (
    _scam_is_best,
    _scam_is_balanced,
    _all_attention_helps,
    _mixup_helps,
    _alpha_is_best,
    _mixup_helps_models,
    _both_branches_help,
    _transfer_is_best,
    _transfer_helps_the_rare,
    _first_elsewhere,
    _best_on_monocytes,
    _differences_are_real,
    _training_accuracy,
)

UNANSWERED = (
    "Alpha and the attention were chosen by scores on the test set that then ranks the methods.",
    "LDWBC's images of 150 subjects were split image by image: cells of one subject are in several sets.",
    "Eq. (3) is the binary cross-entropy, the text names the categorical one.",
    "Grad-CAM is called occlusion testing.",
    "Each number is of one run: no seeds, no intervals.",
)
"""What a reader of the text should know, and no printed number answers."""
