import errno
import json

import pytest
import torch

from study.scheduling.failures import ADVICE, Failure, Kind
from wbc_model.datasets.dataset import DataError
from wbc_model.networks.weights import WeightsError
from wbc_model.training.train import TrainingError


def raised(error: BaseException) -> Failure:
    try:
        raise error
    except BaseException as caught:
        return Failure.of(caught, epochs=2)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DataError("no images"), Kind.DATA),
        (WeightsError("no file"), Kind.DATA),
        (TrainingError("the loss is nan"), Kind.TRAINING),
        (torch.cuda.OutOfMemoryError("2 GB"), Kind.MEMORY),
        (OSError(errno.ENOSPC, "No space left on device"), Kind.STORAGE),
        (OSError(errno.EROFS, "Read-only file system"), Kind.STORAGE),
        (PermissionError(errno.EACCES, "Permission denied"), Kind.STORAGE),
        (ConnectionResetError("peer"), Kind.TRANSIENT),
        (TimeoutError("slow"), Kind.TRANSIENT),
        (OSError(errno.EIO, "Input/output error"), Kind.TRANSIENT),
        (ZeroDivisionError("division by zero"), Kind.CODE),
        (KeyError("knob"), Kind.CODE),
    ],
)
def test_each_error_has_a_kind(error: BaseException, kind: Kind):
    assert raised(error).kind is kind


def test_a_failure_tells_what_where_and_survives_json():
    failure = raised(ZeroDivisionError("division by zero"))
    assert failure.error == "ZeroDivisionError: division by zero"
    assert failure.where.startswith(__file__)
    assert failure.traceback.startswith("Traceback")
    assert Failure.from_json(json.loads(json.dumps(failure.to_json()))) == failure


def test_there_is_advice_for_every_kind():
    assert set(ADVICE) == set(Kind)
