"""Which nodes get trials: with a doctor in our hands, and in simulated studies with faulty trials and nodes."""

import heapq
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from search_spaces.paper import TABLES
from study.doctor.checks import Finding
from study.plan import Trial, plan
from study.ray_backend import roster as module
from study.ray_backend.nodes import Checkup, Node
from study.ray_backend.roster import Roster
from study.scheduling.failures import Failure, Kind
from study.scheduling.schedule import TrialQueue
from wbc_model.models import Baseline

TRIALS = plan(TABLES)
FULL = Finding("its disk has 0.0 GB left", "free some")
FAILED = Failure(Kind.CODE, "E: it", "", "file.py:3", 0)


def node(name: str, *, gpus: float = 1) -> Node:
    return Node(name, f"host-{name}", "10.0.0.1", cpus=4, gpus=gpus, device="GPU")


@dataclass
class Cluster:
    """Nodes that come and go, and what a doctor would find on each."""

    alive: list[Node]
    ill: dict[str, Finding] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    copying: set[str] = field(default_factory=set)
    """Nodes that copy data, without which they are not examined."""

    def examine(self, some: Sequence[Node], idle: Collection[Node]) -> Generator[None, None, list[Checkup]]:  # noqa: ARG002
        self.asked.append([each.id for each in some])
        yield
        while self.copying & {each.id for each in some}:
            yield
        return [Checkup(each, [self.ill[each.id]] if each.id in self.ill else []) for each in some]

    def roster(self, *, unfit: Sequence[Node] = ()) -> Roster:
        fit = [each for each in self.alive if each not in unfit]
        return Roster(fit, unfit, nodes=lambda: self.alive, room=lambda each: each.gpus >= 1, examine=self.examine)


def looked(roster: Roster) -> list[str]:
    """What is told in some looks, with no time between two."""
    roster.next_look = 0
    return [str(change) for _ in range(4) for change in roster.look()]


def test_a_node_that_joins_is_examined_before_it_gets_a_trial():
    cluster = Cluster([node("a")])
    roster = cluster.roster()
    assert looked(roster) == []
    cluster.alive += [node("b"), node("c"), node("small", gpus=0)]
    cluster.ill["c"] = FULL
    assert roster.names("GPU") == ["a"]
    assert sorted(looked(roster)) == [
        "host-b (10.0.0.1) has joined, and gets trials",
        "host-c (10.0.0.1) has joined, but is unfit and gets no trial: its disk has 0.0 GB left; free some",
    ]
    assert roster.names("GPU") == ["a", "b"]
    assert looked(roster) == []
    cluster.alive.remove(node("a"))
    looked(roster)
    assert roster.names("GPU") == ["b"]


def test_a_head_without_gpus_gets_none_and_the_first_that_comes_is_examined():
    cluster = Cluster([node("head", gpus=0)])
    roster = cluster.roster()
    assert roster.names("GPU") == []
    cluster.alive.append(node("first"))
    looked(roster)
    assert cluster.asked == [["first"]]
    assert roster.names("GPU") == ["first"]


def test_an_unfit_node_is_used_once_it_is_repaired(monkeypatch: pytest.MonkeyPatch):
    cluster = Cluster([node("a"), node("b")], ill={"b": FULL})
    monkeypatch.setattr(module, "AGAIN", -1)
    roster = cluster.roster(unfit=[node("b")])
    assert looked(roster) == []
    assert roster.names("GPU") == ["a"]
    del cluster.ill["b"]
    assert looked(roster) == ["host-b (10.0.0.1) is fit now, and gets trials"]
    assert roster.names("GPU") == ["a", "b"]


def test_a_node_on_which_a_trial_fails_is_examined_and_gets_no_more_if_it_is_unfit():
    cluster = Cluster([node("a"), node("b")])
    roster = cluster.roster()
    assert roster.failed("t", FAILED, "b") == []
    assert looked(roster) == []
    assert roster.names("GPU") == ["a", "b"]
    cluster.ill["b"] = FULL
    roster.failed("t", FAILED, "b")
    assert roster.suspects == {"b"}
    assert looked(roster) == [
        "host-b (10.0.0.1) is unfit now, and gets no more trials: its disk has 0.0 GB left; free some"
    ]
    assert roster.names("GPU") == ["a"]
    assert not roster.suspects


def test_while_a_node_that_joins_copies_data_the_others_are_examined():
    cluster = Cluster([node("a"), node("b")])
    roster = cluster.roster()
    cluster.alive.append(node("c"))
    cluster.copying.add("c")
    assert looked(roster) == []
    cluster.alive.append(node("d"))
    cluster.ill["b"] = FULL
    roster.failed("t", FAILED, "b")
    assert {each.split()[0] for each in looked(roster)} == {"host-b", "host-d"}
    assert roster.names("GPU") == ["a", "d"]
    cluster.copying.clear()
    assert looked(roster) == ["host-c (10.0.0.1) has joined, and gets trials"]
    assert sum("c" in asked for asked in cluster.asked) == 1


def test_what_every_node_finds_is_no_nodes_fault():
    cluster = Cluster([node("a"), node("b")], ill={"a": FULL, "b": FULL})
    roster = cluster.roster()
    roster.failed("t", FAILED, "b")
    assert looked(roster) == []
    assert roster.names("GPU") == ["a", "b"]


def test_the_only_node_is_not_suspected():
    roster = Cluster([node("a")]).roster()
    assert [roster.failed(trial, FAILED, "a") for trial in "tuvw"] == 4 * [[]]
    assert not roster.suspects
    assert roster.names("GPU") == ["a"]


Fails = Callable[[Trial, str], str]
"""The error with which a trial fails on a node; empty if it does not."""


@dataclass
class Study:
    """A simulated launch: trials of random length on the slots of nodes. Failures are quick, and of one kind."""

    fails: Fails
    nodes: int
    slots: int
    seed: int

    def run(self) -> "Study":
        cluster = Cluster([node(str(number)) for number in range(self.nodes)])
        self.roster, self.now, self.attempts, rng = cluster.roster(), 0.0, 0, np.random.default_rng(self.seed)
        self.queue = TrialQueue(TRIALS, gpus=lambda _: 1, clock=lambda: self.now)
        free = [str(number) for number in range(self.nodes) for _ in range(self.slots)]
        running: list[tuple[float, int, Trial, str]] = []
        while not self.queue.done:
            rng.shuffle(free)
            while open_ := [each for each in free if each in self.roster.fit]:
                if (job := self.queue.next()) is None:
                    break
                free.remove(open_[0])
                self.attempts += 1
                took = rng.uniform(1, 5) if self.fails(job.trial, open_[0]) else rng.uniform(30, 100)
                heapq.heappush(running, (self.now + took, self.attempts, job.trial, open_[0]))
            self.now, _, trial, place = heapq.heappop(running)
            free.append(place)
            self.end(trial, place)
        return self

    def end(self, trial: Trial, place: str) -> None:
        """As `ScheduleCallback` does."""
        if error := self.fails(trial, place):
            failure = Failure(Kind.CODE, error, "", "file.py:3", 0, node="" if self.roster.only(place) else place)
            self.queue.fail(trial, failure)
            changes = self.roster.failed(trial.id, failure, place)
        else:
            self.queue.finish(trial)
            changes = self.roster.finished(place)
        for name in {place, *(change.node.id for change in changes)} - self.roster.fit.keys():
            self.queue.forgive(name)


def broken(place: str) -> str:
    """What every trial ends with on the first node."""
    return "CUDA error" if place == "0" else ""


def is_jiang(trial: Trial) -> bool:
    return isinstance(trial.config.model, Baseline) and trial.config.model.network == "jiang"


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("nodes", [2, 3, 8])
def test_a_node_on_which_all_fails_is_left_and_every_trial_finishes_elsewhere(nodes: int, slots: int):
    for seed in range(20):
        study = Study(lambda _, place: broken(place), nodes, slots, seed).run()
        assert len(study.queue.finished) == len(TRIALS)
        assert "0" not in study.roster.fit
        assert len(study.roster.fit) == nodes - 1
        assert study.attempts <= len(TRIALS) + 3 + slots


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("nodes", [2, 3, 8])
@pytest.mark.parametrize("faulty", [is_jiang, lambda trial: not isinstance(trial.config.model, Baseline)])
def test_innocent_nodes_stay_when_a_kind_of_trials_is_faulty(faulty: Callable[[Trial], bool], nodes: int, slots: int):
    good = sum(not faulty(trial) for trial in TRIALS)
    for seed in range(20):
        study = Study(lambda trial, _: "E: it" * faulty(trial), nodes, slots, seed).run()
        assert len(study.queue.finished) == good
        assert len(study.roster.fit) == nodes, seed


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_bad_node_and_faulty_trials_are_told_apart(share: float):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        faulty = {trial.id for trial in TRIALS if is_jiang(trial) and rng.random() < share}
        study = Study(
            lambda trial, place, faulty=faulty: broken(place) or "E: it" * (trial.id in faulty), 3, 2, seed
        ).run()
        assert study.roster.fit.keys() == {"1", "2"}
        assert faulty.isdisjoint(study.queue.finished)
        others = {trial.id for trial in TRIALS if not is_jiang(trial)}
        assert others <= study.queue.finished.keys()
