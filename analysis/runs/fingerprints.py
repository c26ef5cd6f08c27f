"""Fingerprints of what a run was made from, which every printed file carries."""

import hashlib
import json

from analysis.runs.evaluated import EVALUATED
from study.plan import RunRecord


def fingerprints(record: RunRecord) -> dict[str, str]:
    """Fingerprints of a run's data, weights, code and record (confusion matrices and learning curves)."""
    made_from = record.provenance
    weights = {name: found["sha256"][:16] for name, found in sorted(made_from.get("weights", {}).items())}
    elsewhere = [[dataset, test.counts] for dataset, test in record.elsewhere.items()]
    counted = json.dumps([record.test.counts, record.validation.counts, record.best_epoch, record.curves, *elsewhere])
    others = [f"{dataset}={data}" for dataset, data in made_from.get("data_elsewhere", {}).items()]
    return {
        "data": " ".join([str(made_from.get("data", "unknown")), *others]),
        "weights": " ".join(f"{name}={sha256}" for name, sha256 in weights.items()) or "none",
        "code": str(made_from.get("code", "unknown")),
        "record": hashlib.sha256(counted.encode()).hexdigest()[:16],
    }


def provenance_line(record: RunRecord) -> str:
    """`trial 3a0f85d3bd-s0, data ..., weights ..., code ..., record ...`."""
    tested = record.provenance.get(EVALUATED)
    named = f"trial {record.trial.id}" + (f" (the model of trial {tested['trial']}, tested later)" if tested else "")
    return f"{named}, " + ", ".join(f"{part} {value}" for part, value in fingerprints(record).items())
