import pytest

from wbc_model.choices import CELLS
from wbc_model.scoring.metrics import ConfusionMatrix


def percents(matrix: ConfusionMatrix) -> dict[str, float]:
    return {name: round(100 * value, 2) for name, value in matrix.scores().items()}


def lisc(monocytes: tuple[int, ...]) -> ConfusionMatrix:
    """Table 12's LISC rows: of the test images only monocytes are mistaken."""
    rows = [[n if i == j else 0 for j in range(5)] for i, n in enumerate((12, 8, 11, 7, 11))]
    rows[1] = list(monocytes)
    return ConfusionMatrix(CELLS, tuple(map(tuple, rows)))


@pytest.mark.parametrize(
    ("monocytes", "published"),
    [  # Table 11, LISC: OA, AP, AR, AF1
        ((1, 7, 0, 0, 0), (97.96, 98.46, 97.50, 97.87)),  # Jiang: the lost monocyte was called a basophil
        ((0, 7, 0, 0, 1), (97.96, 98.33, 97.50, 97.80)),  # DenseNet and the proposed model: a lymphocyte
        ((2, 5, 0, 0, 1), (93.88, 95.48, 92.50, 92.98)),  # ResNet
    ],
)
def test_lisc_rows_of_table_11_to_the_digit(monocytes: tuple[int, ...], published: tuple[float, ...]):
    scores = percents(lisc(monocytes))
    assert tuple(scores[n] for n in ("accuracy", "macro_precision", "macro_recall", "macro_f1")) == published


MIXED = ConfusionMatrix(("a", "b"), ((6, 4), (1, 9)))


def test_macro_f1_is_not_equation_6():
    scores = MIXED.scores()
    precision, recall = (6 / 7 + 9 / 13) / 2, (0.6 + 0.9) / 2
    assert scores["macro_f1_eq6"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert scores["macro_f1"] == pytest.approx((2 * 6 / (10 + 7) + 2 * 9 / (10 + 13)) / 2)
    assert scores["macro_f1"] < scores["macro_f1_eq6"] - 0.005


def test_a_class_never_predicted_has_precision_0():
    matrix = ConfusionMatrix(("a", "b"), ((5, 0), (5, 0)))
    assert matrix.scores()["macro_precision"] == 0.25
    assert matrix.scores()["macro_f1"] == pytest.approx((2 * 0.5 / 1.5) / 2)


def test_a_class_that_never_occurs_is_in_no_macro_mean():
    matrix = ConfusionMatrix(("a", "b", "c"), ((5, 1, 0), (1, 2, 1), (0, 0, 0)))
    scores = matrix.scores()
    assert scores["macro_recall"] == pytest.approx((5 / 6 + 2 / 4) / 2)
    assert scores["macro_precision"] == pytest.approx((5 / 6 + 2 / 3) / 2)
    assert scores["macro_f1"] == pytest.approx((5 / 6 + 4 / 7) / 2)


def test_class_columns_are_recalls():
    assert (MIXED.scores()["recall/a"], MIXED.scores()["recall/b"]) == (0.6, 0.9)


def test_permuting_classes_permutes_recalls_and_keeps_the_rest():
    swapped = ConfusionMatrix(("b", "a"), ((9, 1), (4, 6)))
    assert swapped.scores() == pytest.approx(MIXED.scores())


def test_counts_pairs_by_truth_then_prediction():
    matrix = ConfusionMatrix.from_predictions(("a", "b"), truth=[0, 0, 1], predicted=[0, 1, 1])
    assert matrix.counts == ((1, 1), (0, 1))


def test_refuses_a_shape_that_does_not_fit_the_classes():
    with pytest.raises(ValueError, match="2 classes want 2 x 2 counts"):
        ConfusionMatrix(("a", "b"), ((1, 2, 3), (4, 5, 6)))
