"""The nodes of the cluster, and their examination, of all at once."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.costs.model import Pool
from study.doctor.checks import Finding
from study.doctor.examine import Facts, check_shared_storage, copy_inputs, examine, judge, request
from study.plan import Trial
from study.settings import Settings
from study.tracking.wandb_run import environment
from wbc_model.errors import InputError

TIMEOUT = 180
"""Seconds that a node has to answer: its first import of torch from a network folder is slow."""
LONGEST_COPY = 24 * 3600
"""Seconds that a node has to copy what is given by URL."""
KIND = "accelerator_type:"
"""What Ray calls a resource of nodes with one kind of GPU, before its name."""
WAIT = 0.1
"""Seconds after which an examination that waits for its nodes lets its caller do something else."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    name: str
    address: str
    cpus: float
    gpus: float
    device: str
    """Name of its GPUs, or `cpu`."""

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"


@dataclass(frozen=True)
class Checkup:
    """What the doctor found on a node."""

    node: Node
    findings: list[Finding]

    @property
    def fit(self) -> bool:
        return not any(finding.fatal for finding in self.findings)

    def __str__(self) -> str:
        who = f"{'fit  ' if self.fit else 'unfit'}  {self.node}"
        return "\n".join([f"{who}: {finding}" for finding in self.findings] or [who])


@dataclass(frozen=True)
class Answer:
    """A node's answer or error message, with the times (seconds since 1970) of the question and the answer."""

    value: Any
    error: str
    asked: float
    answered: float

    def skew(self, clock: float) -> float:
        """At least how many seconds the clock that was read for the answer is ahead; negative: behind."""
        return clock - min(max(clock, self.asked), self.answered)


def nodes() -> list[Node]:
    """The nodes of the cluster that are alive."""
    return [
        Node(node["NodeID"], node["NodeManagerHostname"], node["NodeManagerAddress"],
             cpus=node["Resources"].get("CPU", 0), gpus=node["Resources"].get("GPU", 0),
             device=_device(node["Resources"]))
        for node in ray.nodes() if node["Alive"]
    ]  # fmt: skip


def _device(resources: Iterable[str]) -> str:
    names = [name.removeprefix(KIND) for name in resources if name.startswith(KIND)]
    return " ".join(sorted(names)) or "cpu"


def pools(every: Iterable[Node]) -> list[Pool]:
    """Nodes by their kind of device."""
    kinds: dict[str, list[Node]] = defaultdict(list)
    for node in every:
        kinds[node.device].append(node)
    return [
        Pool(device, cores=sum(node.cpus for node in some), gpus=sum(node.gpus for node in some))
        for device, some in sorted(kinds.items())
    ]


def here() -> str:
    """Id of the node that this process runs on."""
    return ray.get_runtime_context().get_node_id()


def among(names: Iterable[str]) -> dict[str, str]:
    """Ray's label selector for the nodes of these ids, of which there must be one."""
    return {"ray.io/node-id": f"in({','.join(names)})"}


def examined(every: Sequence[Node], trials: Iterable[Trial], settings: Settings, *, share: float) -> list[Checkup]:
    """Wait for an `examination`, which takes seconds, once each node has copied what is given by URL."""
    if urls := settings.urls():
        with suppress(InputError, OSError):  # here with progress; what fails is found when the node is examined
            copy_inputs(settings.to_json())
        print(f"doctor: every node copies what it lacks of {', '.join(urls)}", file=sys.stderr, flush=True)
    idle = ray.available_resources().get("GPU", 0) == ray.cluster_resources().get("GPU", 0)
    steps = examination(every, trials, settings, share=share, idle=every if idle else ())
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def examination(
    every: Sequence[Node], trials: Iterable[Trial], settings: Settings, *, share: float, idle: Collection[Node]
) -> Generator[None, None, list[Checkup]]:
    """Examine nodes, the launcher's among them, with which the others are compared; see `study.doctor`.

    Args:
        share: the fraction of a GPU's memory that the largest trial takes; 0 if unknown.
        idle: the nodes of which nothing uses the GPUs that might be a trial.

    Yields:
        As long as it has to wait, after each short wait.
    """
    launcher = next(node.address for node in every if node.id == here())
    if settings.urls():
        yield from _ask(every, copy_inputs, lambda _: {"settings_json": settings.to_json()}, seconds=LONGEST_COPY)
    asked = request(trials, settings, environment(settings))
    facts = yield from _ask(every, examine, lambda node: {
        "asked": asked, "address": node.address, "gpus": int(node.gpus), "share": share if node in idle else 0.0
    })  # fmt: skip
    answering = [node for node in every if not facts[node].error]
    written = {"storage": settings.storage, "addresses": [node.address for node in answering], "token": asked["token"]}
    read = yield from _ask(answering, check_shared_storage, lambda _: written)
    answers = {node.address: answer for node, answer in read.items() if not answer.error}
    found = judge(
        {node.address: answer.error or Facts.from_json(answer.value) for node, answer in facts.items()},
        {address: answer.value["unseen"] for address, answer in answers.items()},
        {address: answer.skew(answer.value["clock"]) for address, answer in answers.items()},
        here=launcher,
        storage=settings.storage,
    )
    return [Checkup(node, found[node.address]) for node in every]


def _ask(
    nodes: Sequence[Node], work: Callable[..., Any], arguments: Callable[[Node], dict[str, Any]], *,
    seconds: float = TIMEOUT,
) -> Generator[None, None, dict[Node, Answer]]:  # fmt: skip
    """Run `work` on every node, even if its resources are in use."""
    asked, waiting, answers = time.time(), {}, {}
    for node in nodes:
        place = NodeAffinitySchedulingStrategy(node.id, soft=False)
        task = ray.remote(work).options(num_cpus=0, max_retries=0, scheduling_strategy=place)
        waiting[task.remote(**arguments(node))] = node
    while waiting:
        done, _ = ray.wait(list(waiting), timeout=WAIT)
        if not done and time.time() < asked + seconds:
            yield
            continue
        for reference in done or list(waiting):
            node, value, error = waiting.pop(reference), None, f"no answer in {seconds} s"
            try:
                value, error = (ray.get(reference), "") if done else (value, error)
            except Exception as failure:  # the node is lost, or cannot even import the doctor
                error = str(failure).strip().splitlines()[-1]
            answers[node] = Answer(value, error, asked, time.time())
    return answers
