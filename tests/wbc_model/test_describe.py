import sys

import pytest

from wbc_model.describe import MODELS, main, measure

PUBLISHED = {  # M parameters, GMAC forward, GMAC forward and backward, an image of 224 x 224
    "two branches": (32.33, 7.00, 20.76),
    "two branches, cut after block 3": (14.2, 6.11, 18.1),
    "two branches, concatenated": (32.70, 7.00, 20.76),
    "RM only": (24.86, 4.14, 12.30),
    "DM only": (7.78, 2.86, 8.46),
    "resnet50": (23.5, 4.09, 12.14),
    "densenet121": (6.96, 2.83, 8.38),
    "inception_v3": (21.8, 2.84, 8.50),
    "inception_v3 at 299": (21.8, 5.71, 17.1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_arithmetic_and_parameters(name: str):
    assert measure(MODELS[name]) == pytest.approx(PUBLISHED[name], rel=0.01)


@pytest.mark.slow
def test_it_prints_a_row_for_each_model(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["describe"])
    main()
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(MODELS)
