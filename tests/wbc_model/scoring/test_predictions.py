import io

import numpy as np

from wbc_model.scoring.predictions import Predictions

MADE = {
    "ids": np.array(["1.png", "2.png", "3.png"]),
    "truth": np.array([0, 1, 1]),
    "probabilities": np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], np.float32),
}
PREDICTIONS = Predictions(classes=("a", "b"), **MADE)


def test_the_most_probable_class_is_counted_against_the_truth():
    assert PREDICTIONS.called.tolist() == [0, 0, 1]
    assert PREDICTIONS.matrix.counts == ((1, 0), (1, 1))


def test_the_file_holds_these_arrays_and_is_read_back():
    """The format of every study that is stored already."""
    content = PREDICTIONS.to_npz()
    with np.load(io.BytesIO(content)) as file:
        assert list(file) == list(MADE)
        assert all(np.array_equal(file[name], values) for name, values in MADE.items())
    read = Predictions.from_npz(content, classes=("a", "b"))
    assert all(np.array_equal(getattr(read, name), values) for name, values in MADE.items())
    assert read.matrix == PREDICTIONS.matrix
