"""Tables for a user's own datasets: the models of Tables 11 and 12, and tests across datasets."""

from collections.abc import Mapping, Sequence

from search_spaces.extensions import CROSS_NOTE
from search_spaces.paper import MACRO_F1, RECALL, RIVALS, every_model, vary
from search_spaces.table import OVERALL, Column, Rows, Table, per_class
from wbc_model.datasets.dataset import Dataset


def own_tables(datasets: Sequence[Dataset]) -> tuple[Table, ...]:
    """D1: the compared models. D2: their recall by class. D3, if datasets share classes: each model on the others."""
    named = ", ".join(dict.fromkeys(dataset.title for dataset in datasets))
    classes = tuple(dict.fromkeys(cell for dataset in datasets for cell in dataset.classes))
    titles = _titles(datasets)
    models, heads = every_model(titles), ("Dataset", "Model")
    tables = (
        Table("D1", f"Models on {named}", heads, models, OVERALL, (*RIVALS, MACRO_F1), best_within=1),
        Table("D2", f"Models on {named}, by class", heads, models, per_class(classes), (*RIVALS, RECALL),
              best_within=1),
    )  # fmt: skip
    cross = _cross(titles)
    on_each = tuple(
        Column(score.key, f"{score.label} {titles[dataset]}", dataset)
        for score in (OVERALL[0], OVERALL[3])
        for dataset in datasets
    )
    title = "Trained on one dataset, tested on each"
    return (*tables, Table("D3", title, ("Trained on",), cross, on_each, (CROSS_NOTE,))) if cross else tables


def _cross(titles: Mapping[Dataset, str]) -> Rows:
    """The proposed model on each dataset that shares classes with others, tested on those too."""
    shared = {own: tuple(on for on in titles if on != own and set(on.classes) & set(own.classes)) for own in titles}
    return {(titles[own],): vary(dataset=own, test_on=others) for own, others in shared.items() if others}


def _titles(datasets: Sequence[Dataset]) -> dict[Dataset, str]:
    """Each dataset's title in tables; titles that occur twice get the beginning of the dataset's fingerprint."""
    titles = [dataset.title for dataset in datasets]
    return {
        dataset: dataset.title if titles.count(dataset.title) == 1 else f"{dataset.title} ({dataset.fingerprint[:6]})"
        for dataset in datasets
    }
