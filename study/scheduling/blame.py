"""Whether the node or the trial is to blame when trials fail. No torch, no ray."""

from collections import defaultdict

from study.scheduling.failures import Failure, Kind

IN_A_ROW = 3
"""Trials that fail on a node, one after another and nowhere else, before the node is to blame."""


class Blame:
    """Is told how trials ended on which node.

    A node is to blame if the last `IN_A_ROW` different trials on it have failed, and neither one of them nor another
    trial with the same error has failed on another node. As soon as one does, or a trial finishes on the node, it is no
    longer to blame. Transient errors do not count: they are the network's or the storage's.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = defaultdict(dict)
        """By node, the trials that failed there, and nowhere else, since one finished, with the error of each."""
        self.places: dict[str, set[str]] = defaultdict(set)
        """By trial and by error, the nodes on which it occurred."""

    def failed(self, trial: str, failure: Failure, node: str, *, only: bool) -> None:
        """
        Args:
            only: whether no other node gets trials, so that nothing can be learned about this one.
        """
        if failure.kind is Kind.TRANSIENT:
            return
        error = f"{failure.where} {failure.error}" if failure.where else trial
        for key in (trial, error):
            self.places[key].add(node)
        if max(len(self.places[trial]), len(self.places[error])) > 1:
            for row in self.rows.values():
                if trial in row or error in row.values():
                    row.clear()
        elif not only:
            self.rows[node][trial] = error

    def finished(self, node: str) -> None:
        self.rows[node].clear()

    def nodes(self) -> set[str]:
        """The nodes that are to blame."""
        return {node for node, row in self.rows.items() if len(row) >= IN_A_ROW}
