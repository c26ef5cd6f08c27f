"""Every node of the cluster, asked at once. Imports ray, with `launch` and `conduct`."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.doctor.checks import Finding
from study.doctor.examine import Facts, errand, examine, judge, read_back
from study.plan import Trial
from study.settings import Settings
from study.tracking.wandb_run import environment

PATIENCE = 180
"""Seconds that a node has to answer: its first import of torch, from a network folder, takes long."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    address: str
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Checkup:
    """What the doctor found on a node."""

    node: Node
    name: str
    findings: list[Finding]

    @property
    def fit(self) -> bool:
        return not any(finding.grave for finding in self.findings)

    def __str__(self) -> str:
        who = f"{'fit  ' if self.fit else 'unfit'}  {self.name} ({self.node.address})"
        return "\n".join([f"{who}: {finding}" for finding in self.findings] or [who])


@dataclass(frozen=True)
class Answer:
    """What a node said, or an error's text; between which times (seconds since 1970) it was asked and answered."""

    value: Any
    error: str
    asked: float
    answered: float

    def skew(self, clock: float) -> float:
        """Seconds by which a clock that was read for the answer is ahead, at least."""
        return clock - min(max(clock, self.asked), self.answered)


def nodes() -> list[Node]:
    """The machines that are there."""
    alive = [(node["NodeID"], node["NodeManagerAddress"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    return [Node(name, address, cpus=has.get("CPU", 0), gpus=has.get("GPU", 0)) for name, address, has in alive]


def examined(trials: Iterable[Trial], settings: Settings, *, share: float) -> list[Checkup]:
    """What is wrong with each node, in seconds; see `study.doctor`.

    Args:
        share: of a GPU's memory that the largest trial takes; 0 where it is not known.
    """
    there = nodes()
    here = next(node.address for node in there if node.id == ray.get_runtime_context().get_node_id())
    idle = ray.available_resources().get("GPU", 0) == ray.cluster_resources().get("GPU", 0)
    asked = errand(trials, settings, environment(settings), share if idle else 0)
    told = _ask(there, examine, lambda node: {"asked": asked, "address": node.address, "gpus": int(node.gpus)})
    well = [node for node in there if not told[node].error]
    sight = {"storage": settings.storage, "addresses": [node.address for node in well], "sign": asked["sign"]}
    seen = _ask(well, read_back, lambda _: sight)
    answers = {node.address: answer for node, answer in seen.items() if not answer.error}
    found = judge(
        {node.address: answer.error or Facts.from_json(answer.value) for node, answer in told.items()},
        {address: answer.value["unseen"] for address, answer in answers.items()},
        {address: answer.skew(answer.value["clock"]) for address, answer in answers.items()},
        here=here,
        storage=settings.storage,
    )
    names = {node: answer.value["name"] for node, answer in told.items() if not answer.error}
    return [Checkup(node, names.get(node, "?"), found[node.address]) for node in there]


def _ask(
    there: Sequence[Node], work: Callable[..., Any], question: Callable[[Node], dict[str, Any]]
) -> dict[Node, Answer]:
    """Run `work` on every node, whatever else runs there."""
    asked, waiting, answers = time.time(), {}, {}
    for node in there:
        place = NodeAffinitySchedulingStrategy(node.id, soft=False)
        task = ray.remote(work).options(num_cpus=0, max_retries=0, scheduling_strategy=place)
        waiting[task.remote(**question(node))] = node
    while waiting:
        done, _ = ray.wait(list(waiting), timeout=max(0.0, asked + PATIENCE - time.time()))
        for reference in done or list(waiting):
            node, value, error = waiting.pop(reference), None, f"no answer in {PATIENCE} s"
            try:
                value, error = (ray.get(reference), "") if done else (value, error)
            except Exception as failure:  # the node is gone, or cannot even load the doctor
                error = str(failure).strip().splitlines()[-1]
            answers[node] = Answer(value, error, asked, time.time())
    return answers
