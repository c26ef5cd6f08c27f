"""Which nodes get trials, while nodes join, become unfit and fail. None gets one before the doctor has found it fit."""

import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass

from study.ray_backend.nodes import Checkup, Node
from study.scheduling.blame import IN_A_ROW, Blame
from study.scheduling.failures import Failure

LOOK = 2.0
"""Seconds between two looks for nodes that have joined."""
AGAIN = 600.0
"""Seconds until an unfit node is examined again: it may have been repaired."""

Examine = Callable[[Sequence[Node], Collection[Node]], Generator[None, None, list[Checkup]]]
"""Examines some nodes, of which the second ones run nothing; see `examination`."""


@dataclass(frozen=True)
class Change:
    """A node gets trials from now on, or gets none."""

    node: Node
    what: str

    def __str__(self) -> str:
        return f"{self.node} {self.what}"


@dataclass(frozen=True, eq=False)
class Examination:
    """Nodes that are being examined."""

    joined: Collection[str]
    """Ids of those that have joined or were unfit."""
    suspects: Collection[str]
    steps: Generator[None, None, list[Checkup]]


class Roster:
    """The nodes that get trials. It is asked to `look` again and again, and told how trials end.

    A node on which a trial has failed is examined. If it is unfit, or to blame (see `Blame`), and another node is left,
    it gets no more trials.
    """

    def __init__(
        self,
        fit: Iterable[Node],
        unfit: Iterable[Node],
        *,
        nodes: Callable[[], Iterable[Node]],
        room: Callable[[Node], bool],
        examine: Examine,
    ) -> None:
        """
        Args:
            nodes: gives those that are alive.
            room: whether a node has the resources of a trial; the others are ignored.
        """
        self.fit = {node.id: node for node in fit if room(node)}
        self.blamed: dict[str, Node] = {}
        self.unfit = {node.id: time.monotonic() + AGAIN for node in unfit}
        """When each unfit node is examined again."""
        self.suspects: set[str] = set()
        """Nodes on which trials have failed, and which have not been examined since."""
        self.nodes, self.room, self.examine = nodes, room, examine
        self.blame = Blame()
        self.underway: list[Examination] = []
        self.next_look = 0.0

    def names(self, device: str) -> list[str]:
        """Ids of the nodes with a kind of device that get trials."""
        return sorted(node.id for node in self.fit.values() if node.device == device)

    def only(self, node: str) -> bool:
        """Whether it is the only node that gets trials."""
        return self.fit.keys() == {node}

    def knows(self, node: Node) -> bool:
        """Whether a node has been examined, so that it gets trials or not."""
        return node.id in self.fit.keys() | self.blamed.keys() | self.unfit.keys()

    def finished(self, node: str) -> list[Change]:
        """A trial has finished on a node."""
        self.blame.finished(node)
        return self._judged()

    def failed(self, trial: str, failure: Failure, node: str) -> list[Change]:
        """A trial has failed on a node, which is alive."""
        self.blame.failed(trial, failure, node, only=self.only(node))
        if not self.only(node):
            self.suspects.add(node)
        return self._judged()

    def look(self) -> list[Change]:
        """Notice nodes that have joined, and examine them and the suspects, which takes several calls."""
        changes = []
        for one in tuple(self.underway):
            try:
                next(one.steps)
            except StopIteration as end:
                self.underway.remove(one)
                changes += self._verdicts(one, end.value)
        if time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + LOOK
            every = {node.id: node for node in self.nodes()}
            self.fit = {name: node for name, node in self.fit.items() if name in every}
            self.blamed = {name: node for name, node in self.blamed.items() if name in every}
            self.suspects &= self.fit.keys() | self.blamed.keys()
            self._examine(every)
            changes += self._judged()
        return changes

    def _examine(self, every: dict[str, Node]) -> None:
        """Begin to examine nodes that have joined or were unfit, and suspects together with another node.

        Each of the two alone, as a node that has joined may first copy data for minutes.
        """
        now = time.monotonic()
        outside = [name for name, node in every.items() if name not in self.fit | self.blamed and self.room(node)]
        asked = {name for one in self.underway for name in (*one.joined, *one.suspects)}
        if joined := {name for name in outside if now >= self.unfit.get(name, now)} - asked:
            self._begin(every, joined, ())
        if suspects := self.suspects - asked:
            self._begin(every, (), suspects)

    def _begin(self, every: dict[str, Node], joined: Collection[str], suspects: Collection[str]) -> None:
        another = [name for name in self.fit if name not in self.suspects][:1]
        asked = [every[name] for name in (*joined, *suspects, *another)]
        self.underway.append(Examination(joined, suspects, self.examine(asked, [every[name] for name in joined])))

    def _verdicts(self, one: Examination, found: Sequence[Checkup]) -> list[Change]:
        """What an examination changes. If no node is fit any more, something else is wrong, such as the storage."""
        alive = {node.id for node in self.nodes()}
        some_fit = any(checkup.fit for checkup in found if checkup.node.id in self.fit)
        changes = []
        for checkup in found:
            if (name := checkup.node.id) not in alive:
                continue
            if name in one.joined:
                changes += self._admit(checkup)
            elif name in one.suspects and some_fit and not checkup.fit:
                changes += self._drop(checkup)
        self.suspects -= set(one.suspects)
        return changes

    def _admit(self, checkup: Checkup) -> list[Change]:
        """Use a node that has joined, or was unfit, if it is fit; that it is still unfit is not told again."""
        node, before = checkup.node, checkup.node.id in self.unfit
        if checkup.fit:
            self.fit[node.id] = node
            self.unfit.pop(node.id, None)
            return [Change(node, f"{'is fit now' if before else 'has joined'}, and gets trials")]
        self.unfit[node.id] = time.monotonic() + AGAIN
        return [] if before else [Change(node, f"has joined, but is unfit and gets no trial: {_causes(checkup)}")]

    def _drop(self, checkup: Checkup) -> list[Change]:
        node = checkup.node
        self.fit.pop(node.id, None)
        self.blamed.pop(node.id, None)
        self.blame.finished(node.id)
        self.unfit[node.id] = time.monotonic() + AGAIN
        return [Change(node, f"is unfit now, and gets no more trials: {_causes(checkup)}")]

    def _judged(self) -> list[Change]:
        """Set nodes aside that are to blame, unless no other is left, and take back those that are not."""
        changes = []
        for name in self.blamed if not self.fit else ():
            self.blame.finished(name)
        for name in self.blame.nodes() & self.fit.keys():
            if len(self.fit) > 1:
                node = self.blamed[name] = self.fit.pop(name)
                what = f"gets no more trials: the last {IN_A_ROW} on it failed, and nowhere else"
                changes.append(Change(node, what))
        for name in self.blamed.keys() - self.blame.nodes():
            node = self.fit[name] = self.blamed.pop(name)
            changes.append(Change(node, "gets trials again: it is not to blame, or no other node is left"))
        return changes


def _causes(checkup: Checkup) -> str:
    return "; ".join(str(finding) for finding in checkup.findings if finding.fatal)
