"""Is every node fit for a study? No ray.

Every node runs `copy_inputs` (if data or weights are given by URL), `examine`, then `check_shared_storage`; the
launcher compares their answers in `judge`.
"""

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from study.costs.model import shape
from study.doctor.checks import (
    GPU,
    SAME_DATA,
    SET_UP,
    SHARE,
    Finding,
    first_line,
    imports,
    look_at_data,
    look_at_gpus,
    look_at_weights,
    look_for_room,
    look_for_wandb,
    shared_memory,
    versions,
)
from study.plan import Trial
from study.settings import Settings
from study.storage import Storage, local_copy
from study.temporary import require_temporary_space
from study.trial.leases import SILENT

SKEW = SILENT / 3
"""Seconds by which clocks may differ: beyond, it takes longer to see which holders of leases are alive."""


@dataclass(frozen=True)
class Facts:
    """What a node finds out about itself."""

    name: str
    findings: list[Finding]
    compared: dict[str, str]
    """Values that have to be equal on all nodes, by name."""

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Facts":
        return Facts(value["name"], [Finding(**finding) for finding in value["findings"]], value["compared"])


def request(trials: Iterable[Trial], settings: Settings, environment: dict[str, str]) -> dict[str, Any]:
    """What each node is asked to examine, as JSON. Its `token` is to be written to storage.

    Args:
        environment: W&B's variables.
    """
    kinds = {(shape(t.config), repr(t.config.model)): t for t in trials}
    return {
        "token": str(time.time_ns()),
        "trials": [trial.to_json() for trial in kinds.values()],
        "settings": settings.to_json(),
        "environment": environment,
    }


def copy_inputs(settings_json: dict[str, Any]) -> None:
    """Copy to the node it runs on what is given by URL. `examine` does so too, but has to answer soon."""
    settings = Settings.from_json(settings_json)
    for url in settings.urls():
        local_copy(url, cache=settings.cache, limit=settings.cache_limit)


def examine(asked: Mapping[str, Any], *, address: str, gpus: int, share: float) -> dict[str, Any]:
    """`Facts` of the node it runs on, as JSON; it also writes a file to storage for the other nodes to read.

    Args:
        asked: a `request`.
        address: of the node, after which its file is named.
        gpus: how many GPUs Ray assigns on it.
        share: the fraction of a GPU's memory that the largest trial takes; 0 if unknown, or if its GPUs are in use.
    """
    os.environ |= asked["environment"]
    settings = Settings.from_json(asked["settings"])
    trials = [Trial.from_json(trial) for trial in asked["trials"]]
    compared = versions()
    write = partial(Storage(settings.storage).write, _token_file(address), asked["token"].encode())
    checks: list[tuple[str, Callable[[], object], str]] = [
        ("storage", write, SHARE),
        ("temporary files", require_temporary_space, ""),
    ]
    if not (findings := imports()):
        checks += [
            ("data", partial(look_at_data, trials, settings, compared), SAME_DATA),
            ("weights", partial(look_at_weights, trials, settings, compared), SAME_DATA),
            ("room", partial(look_for_room, trials, settings), ""),
            ("W&B", partial(look_for_wandb, settings), ""),
            ("GPU", partial(look_at_gpus, gpus, share), GPU),
        ]
    for subject, check, remedy in checks:
        try:
            check()
        except Exception as error:  # whatever it is, the node is unfit because of it
            findings.append(Finding(f"{subject}: {first_line(error)}", remedy))
    return asdict(Facts(platform.node(), findings + shared_memory(), compared))


def check_shared_storage(storage: str, addresses: Sequence[str], *, token: str) -> dict[str, Any]:
    """The addresses of nodes whose files cannot be read from this node, and its clock (seconds since 1970)."""
    place = Storage(storage)
    unseen = [address for address in addresses if place.read(_token_file(address)) != token.encode()]
    return {"unseen": unseen, "clock": time.time()}


def judge(
    facts: Mapping[str, Facts | str],
    unseen: Mapping[str, Sequence[str]],
    skews: Mapping[str, float],
    *,
    here: str,
    storage: str,
) -> dict[str, list[Finding]]:
    """Findings by the address of each node. Nodes are compared with the launcher's.

    Args:
        facts: by address; a string is the reason why there are none.
        unseen: by address, the addresses of the nodes whose files it cannot read.
        skews: by address, a lower bound in seconds on how far its clock is ahead of the launcher's.
        here: address of the launcher's node.
    """
    found: dict[str, list[Finding]] = {}
    reference = facts[here]
    for address, own in facts.items():
        if isinstance(own, str):
            found[address] = [Finding(f"it could not be examined: {own}", SET_UP)]
            continue
        found[address] = list(own.findings)
        if address == here or isinstance(reference, str):
            continue
        found[address] += _differences(own, reference)
        if _has_other_storage(address, facts, unseen, here=here):
            found[address] += [Finding(f"{storage} is not the same folder as on {reference.name}", SHARE)]
        if abs(skew := skews.get(address, 0.0)) > SKEW:
            cause = f"its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of {reference.name}"
            found[address] += [Finding(cause, "synchronise the clocks with NTP (chrony) on every node")]
    return found


def _has_other_storage(
    address: str, facts: Mapping[str, Facts | str], unseen: Mapping[str, Sequence[str]], *, here: str
) -> bool:
    """Whether a node's storage is not the launcher's. Nodes that cannot write already have a finding."""
    unwritable = {
        each
        for each, own in facts.items()
        if isinstance(own, str) or any(finding.remedy == SHARE for finding in own.findings)
    }
    if address in unwritable or here in unwritable:
        return False
    unseen_here = unseen.get(here, ())
    return address in unseen_here or any(
        each not in unwritable and each not in unseen_here for each in unseen.get(address, ())
    )


def _differences(own: Facts, reference: Facts) -> list[Finding]:
    def remedy(name: str) -> str:
        return SAME_DATA if name.startswith(("data", "weights")) else SET_UP

    return [
        Finding(f"{name} is {own.compared[name]}, but {value} on {reference.name}", remedy(name))
        for name, value in reference.compared.items()
        if name in own.compared and own.compared[name] != value
    ]


def _token_file(address: str) -> str:
    return f"doctor/{address}"
