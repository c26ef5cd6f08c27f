"""Is every node fit for a study? What one finds out about itself, and what follows from all of them. No ray.

Every node runs `examine`, then `read_back`; `judge` compares.
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
from study.storage import Storage
from study.trial.leases import SILENT

SKEW = SILENT / 3
"""Seconds that clocks may differ by: leases compare the times of two nodes."""


@dataclass(frozen=True)
class Facts:
    """What a node says of itself."""

    name: str
    findings: list[Finding]
    compared: dict[str, str]
    """What has to be equal everywhere, by what it is."""

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Facts":
        return Facts(value["name"], [Finding(**finding) for finding in value["findings"]], value["compared"])


def errand(trials: Iterable[Trial], settings: Settings, environment: dict[str, str], share: float) -> dict[str, Any]:
    """What each node is asked, as JSON. The `sign` is what it is to write to storage.

    Args:
        environment: W&B's variables.
        share: of a GPU's memory, what the largest trial takes; 0 where that is not known or GPUs are in use.
    """
    kinds = {(shape(t.config), repr(t.config.model)): t for t in trials}
    return {
        "sign": str(time.time_ns()),
        "trials": [trial.to_json() for trial in kinds.values()],
        "settings": settings.to_json(),
        "environment": environment,
        "share": share,
    }


def examine(asked: Mapping[str, Any], *, address: str, gpus: int) -> dict[str, Any]:
    """`Facts` of the node it runs on, as JSON; it writes a file to storage for the others to read.

    Args:
        asked: an `errand`.
        address: the node's, by which its file is named.
        gpus: as many as Ray gives out on it.
    """
    os.environ |= asked["environment"]
    settings = Settings.from_json(asked["settings"])
    trials = [Trial.from_json(trial) for trial in asked["trials"]]
    compared = versions()
    write = partial(Storage(settings.storage).write, _mark(address), asked["sign"].encode())
    checks: list[tuple[str, Callable[[], object], str]] = [("storage", write, SHARE)]
    if not (findings := imports()):
        checks += [
            ("data", partial(look_at_data, trials, settings, compared), SAME_DATA),
            ("weights", partial(look_at_weights, trials, settings, compared), SAME_DATA),
            ("room", partial(look_for_room, trials, settings), ""),
            ("W&B", partial(look_for_wandb, settings), ""),
            ("GPU", partial(look_at_gpus, gpus, asked["share"]), GPU),
        ]
    for subject, check, remedy in checks:
        try:
            check()
        except Exception as error:  # whatever it is, it is what is wrong with the node
            findings.append(Finding(f"{subject}: {first_line(error)}", remedy))
    return asdict(Facts(platform.node(), findings + shared_memory(), compared))


def read_back(storage: str, addresses: Sequence[str], *, sign: str) -> dict[str, Any]:
    """Which nodes' files are not to be seen from here, and what the clock says (seconds since 1970)."""
    place = Storage(storage)
    unseen = [address for address in addresses if place.read(_mark(address)) != sign.encode()]
    return {"unseen": unseen, "clock": time.time()}


def judge(
    facts: Mapping[str, Facts | str],
    unseen: Mapping[str, Sequence[str]],
    skews: Mapping[str, float],
    *,
    here: str,
    storage: str,
) -> dict[str, list[Finding]]:
    """What is wrong with each node, by its address. Nodes are compared with the launcher's.

    Args:
        facts: by address; a text is why there are none.
        unseen: by address, the addresses of those whose files it does not see.
        skews: by address, seconds that its clock is ahead of the launcher's, at least.
        here: the launcher's address.
    """
    found: dict[str, list[Finding]] = {}
    reference = facts[here]
    for address, told in facts.items():
        if isinstance(told, str):
            found[address] = [Finding(f"it could not be examined: {told}", SET_UP)]
            continue
        found[address] = list(told.findings)
        if address == here or isinstance(reference, str):
            continue
        found[address] += _differences(told, reference)
        if _sees_another(address, facts, unseen, here=here):
            found[address] += [Finding(f"{storage} is not the one that {reference.name} has", SHARE)]
        if abs(skew := skews.get(address, 0.0)) > SKEW:
            cause = f"its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of {reference.name}"
            found[address] += [Finding(cause, "keep time by NTP (chrony) on every node")]
    return found


def _sees_another(
    address: str, facts: Mapping[str, Facts | str], unseen: Mapping[str, Sequence[str]], *, here: str
) -> bool:
    """Whether its storage is another than the launcher's. One that could not write has been told so already."""
    mute = {
        each
        for each, told in facts.items()
        if isinstance(told, str) or any(finding.remedy == SHARE for finding in told.findings)
    }
    if address in mute or here in mute:
        return False
    lost_here = unseen.get(here, ())
    return address in lost_here or any(each not in mute and each not in lost_here for each in unseen.get(address, ()))


def _differences(told: Facts, reference: Facts) -> list[Finding]:
    def remedy(name: str) -> str:
        return SAME_DATA if name.startswith(("data", "weights")) else SET_UP

    return [
        Finding(f"{name} is {told.compared[name]}, and {value} on {reference.name}", remedy(name))
        for name, value in reference.compared.items()
        if name in told.compared and told.compared[name] != value
    ]


def _mark(address: str) -> str:
    return f"doctor/{address}"
