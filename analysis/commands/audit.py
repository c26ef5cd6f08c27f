"""Check the published tables for consistency: `python -m analysis audit`. Needs no runs."""

import argparse
from collections.abc import Sequence

from analysis.published.audit import audit
from analysis.published.claims import UNANSWERED, claims
from analysis.published.numbers import (
    SOURCE,
    printed,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print every check; 0: the numbers are consistent, 1: some are not (each is named)."""
    argparse.ArgumentParser(prog="python -m analysis audit", description=(__doc__ or "").split(":")[0]).parse_args(argv)
    print(f"{SOURCE}: consistency of the printed tables (takes half a minute)\n")
    consistent = True
    for check in audit(printed()):
        consistent &= check.ok
        print(f"{check.passed}/{check.of} {check.what}")
        print("".join(f"  not: {failed}\n" for failed in check.failed), end="", flush=True)
    print("\nClaims in the text:")
    for claim in claims(printed()):
        print(f"  {claim.verdict:<13} {claim.where}: {claim.says}\n{'':16}{claim.evidence}")
    print("\nWhat the numbers cannot resolve:")
    print("\n".join(f"  {line}" for line in UNANSWERED))
    return 0 if consistent else 1
