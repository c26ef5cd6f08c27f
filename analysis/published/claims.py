"""The claims that the article makes about its tables, checked against the tables."""

from collections.abc import Callable, Iterable
from statistics import pstdev

from analysis.published.claim import Claim, PrintedRows, best, lower, rank, verdict
from analysis.published.claims_models import OF_MODELS
from analysis.published.numbers import Labels, of_table

SCAM, CSAM, NONE = ("TD", "SAM + CAM (SCAM)"), ("TD", "CAM + SAM (CSAM)"), ("", "No")


def claims(rows: PrintedRows) -> list[Claim]:
    """Every claim that the printed numbers can answer."""
    return [claim(rows) for claim in CLAIMS]


def _named(labels: Iterable[Labels]) -> str:
    return " and ".join(label[-1] for label in sorted(labels))


def _scam_is_best(rows: PrintedRows) -> Claim:
    table = of_table("5", rows)
    places = {score: rank(table, SCAM, score) for score in table[SCAM]}
    leaders = "; ".join(f"best {score}: {_named(best(table, score))}" for score in places)
    return Claim(
        where="Table 5, title and model",
        says="SCAM is the attention to choose",
        verdict=verdict([place == 1 for place in places.values()]),
        evidence=f"SCAM ranks {'/'.join(map(str, places.values()))} of {len(table)} by {'/'.join(places)}; {leaders}",
    )


def _scam_is_balanced(rows: PrintedRows) -> Claim:
    table = of_table("6", rows)
    scam, csam = ([float(x) for x in table[labels].values()] for labels in (SCAM, CSAM))
    figures = [(100 - min(x), max(x) - min(x), pstdev(x)) for x in (scam, csam)]
    told = [f"lowest {100 - lost:.2f}, range {reach:.2f}, SD {sd:.2f}" for lost, reach, sd in figures]
    return Claim(
        where="Table 6",
        says="SCAM is more balanced over the cell types than CSAM",
        verdict=verdict([ours < theirs for ours, theirs in zip(*figures, strict=True)]),
        evidence=f"recalls of SCAM: {told[0]}; of CSAM: {told[1]}",
    )


def _all_attention_helps(rows: PrintedRows) -> Claim:
    table = of_table("5", rows)
    worse = {labels[-1]: lower(numbers, table[NONE]) for labels, numbers in table.items() if labels != NONE}
    told = "; ".join(f"{name}: {', '.join(scores)}" for name, scores in worse.items() if scores)
    return Claim(
        where="Table 5",
        says="channel attention, spatial attention and their combinations all help",
        verdict=verdict([not scores for scores in worse.values()]),
        evidence=f"lower than without attention: {told or 'nothing'}",
    )


def _mixup_helps(rows: PrintedRows) -> Claim:
    table = of_table("4", rows)
    worse = {alpha: lower(numbers, table["0",]) for (alpha,), numbers in table.items() if alpha != "0"}
    told = "; ".join(f"alpha {alpha}: {', '.join(scores)}" for alpha, scores in worse.items() if scores)
    return Claim(
        where="Table 4",
        says="virtual samples score higher than raw ones",
        verdict=verdict([not scores for scores in worse.values()]),
        evidence=f"lower than raw: {told or 'nothing'}",
    )


def _alpha_is_best(rows: PrintedRows) -> Claim:
    table = of_table("4", rows)
    told = {score: _named(best(table, score)) for score in table["0.2",]}
    return Claim(
        where="Table 4",
        says="alpha 0.2 performs best",
        verdict=verdict([alpha == "0.2" for alpha in told.values()]),
        evidence="best " + ", ".join(f"{score}: {alpha}" for score, alpha in told.items()),
    )


def _both_branches_help(rows: PrintedRows) -> Claim:
    *one, both = of_table("7", rows).values()
    return Claim(
        where="Table 7",
        says="leaving out either branch lowers the performance",
        verdict=verdict([lower(numbers, both) == list(both) for numbers in one]),
        evidence=f"both branches {both['OA']} OA, one {' and '.join(str(numbers['OA']) for numbers in one)}",
    )


def _transfer_is_best(rows: PrintedRows) -> Claim:
    table = of_table("8", rows)
    full = list(table)[-1]
    ties = [score for score in table[full] if len(best(table, score)) > 1]
    beaten = [score for score in table[full] if full not in best(table, score)]
    return Claim(
        where="Table 8",
        says="transfer learning in both branches is best",
        verdict=verdict([score not in ties + beaten for score in table[full]]),
        evidence=f"not the best {', '.join(beaten) or 'none'} (best AP {max(n['AP'] for n in table.values())}); "
        f"tied in {', '.join(ties) or 'none'}",
    )


def _transfer_helps_the_rare(rows: PrintedRows) -> Claim:
    *some, neither, both = of_table("9", rows).values()
    return Claim(
        where="Table 9",
        says="transfer in any branch raises the recall of basophils and monocytes",
        verdict=verdict([numbers[cell] > neither[cell] for numbers in (*some, both) for cell in ("B", "M")]),
        evidence=f"without: B {neither['B']}, M {neither['M']}; with: "
        + ", ".join(f"B {numbers['B']} M {numbers['M']}" for numbers in (*some, both)),
    )


CLAIMS: tuple[Callable[[PrintedRows], Claim], ...] = (
    _scam_is_best,
    _scam_is_balanced,
    _all_attention_helps,
    _mixup_helps,
    _alpha_is_best,
    _both_branches_help,
    _transfer_is_best,
    _transfer_helps_the_rare,
    *OF_MODELS,
)

UNANSWERED = (
    "Alpha and the attention were chosen by scores on the test set that then ranks the methods.",
    "LDWBC's images of 150 subjects were split by image: cells of one subject are in several sets.",
    "Eq. (3) is the binary cross-entropy, the text names the categorical one.",
    "Grad-CAM is called occlusion testing.",
    "Each number is from a single run: no other seeds, no intervals.",
)
"""What a reader should know, and the printed numbers cannot resolve."""
