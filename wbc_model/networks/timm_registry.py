"""What timm knows of a model before it is built."""

from difflib import get_close_matches

import timm
from timm.models import PretrainedCfg

from wbc_model.errors import InputError


class WeightsError(InputError):
    """A network or pre-trained weights that do not exist, cannot be fetched or do not fit. The message is for users."""


def configuration(name: str) -> PretrainedCfg:
    """timm's configuration of `NAME.TAG`: where its weights are, and the mean and deviation of their images.

    Raises:
        WeightsError: timm has no such model, or it has tags and none is given.
    """
    known = timm.list_models(include_tags=True)
    if name in known:
        found = timm.get_pretrained_cfg(name)
        assert found is not None
        return found
    tags = [each for each in known if each.startswith(f"{name.partition('.')[0]}.")]
    near = tags or get_close_matches(name, known, n=5)
    hint = f"did you mean {', '.join(near)}?" if near else "timm.list_pretrained() lists all there are"
    raise WeightsError(f"timm {timm.__version__} has no model {name!r}: {hint}")


def family(name: str) -> str:
    """The module of timm that a model is in, such as `convnext` or `vision_transformer`."""
    return timm.model_entrypoint(name).__module__.rpartition(".")[2]
