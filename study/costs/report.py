"""The plan of a study: what it would run and what that costs. No torch, no ray."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from search_spaces.table import Table
from study.costs.model import Costs
from study.costs.totals import totals
from study.plan import Trial, overview, remaining

COUNTS = ("rows", "configs", "trials", "finished", "to_run")


def estimate(
    tables: Sequence[Table],
    trials: Sequence[Trial],
    finished: Collection[str],
    costs: Costs,
    *,
    cpus: float,
    gpus: float | None,
    gpu_price: float | None,
    keeps: Callable[[Trial], bool],
) -> dict[str, Any]:
    """The plan's counts, and what the remaining trials cost, per table and in total; a shared trial counts in each.

    Args:
        cpus, gpus: of one trial; None leaves the share of a GPU to what was measured.
        gpu_price: of an hour of a GPU.
        keeps: whether a finished trial keeps its model.
    """
    found = overview(tables, trials, finished)
    left = remaining(trials, finished)

    def cost(wanted: Sequence[Trial], costs: Costs = costs) -> dict[str, Any]:
        total = totals(wanted, costs, cpus=cpus, gpus=gpus, keeps=keeps)
        return total | ({"money": total["hours"] * gpu_price} if gpu_price is not None else {})

    for table in found["tables"]:
        table["cost"] = cost([trial for trial in left if table["table"] in trial.tables])
    pools = [{"pool": str(pool), "cost": cost(left, replace(costs, pools=[pool]))} for pool in costs.pools]
    return found | {"cost": cost(left), "machine": " and ".join(map(str, costs.pools)), "pools": pools}


def show(found: dict[str, Any]) -> str:
    """An estimate as lines for a terminal."""
    known = found["machine"] and found["cost"]["unknown"] < found["to_run"]
    money = "money" in found["cost"]
    names = [name.replace("_", " ") for name in COUNTS] + ["hours", "wall h", "GB"] * bool(known)
    names += ["money"] * bool(known and money)
    lines = [f"{'':48}" + "".join(f"{name:>9}" for name in names)]
    alone = [found | {"title": f"All, on {pool['pool']} alone"} | pool for pool in found["pools"] if known]
    rows: list[dict[str, Any]] = [*found["tables"], found | {"title": "All, each training once"}]
    for row in [*rows, *(alone if len(alone) > 1 else [])]:
        label = f"Table {row['table']}: {row['title']}" if "table" in row else row["title"]
        cells = [f"{row[name]:>9}" for name in COUNTS]
        cost = row["cost"]
        cells += [f"{cost[name]:>9.3g}" for name in ("hours", "wall_hours", "stored_gb") if known]
        cells += [f"{cost['money']:>9.2f}"] if known and money else []
        lines.append(f"{label:48}" + "".join(cells))
    return "\n".join([*lines, *_remarks(found, known=bool(known))])


def _remarks(found: dict[str, Any], *, known: bool) -> list[str]:
    lines = []
    if known:
        unit = "GPU-hours" if "GPU" in found["machine"] else "core-hours"
        lines.append(f"hours: {unit}; wall h: wall-clock hours of the whole study, on what was used last "
                     f"({found['machine']}); GB: storage, with the models that are kept and the "
                     "checkpoints of running trials.")  # fmt: skip
    if found["to_run"] and found["cost"]["unknown"]:
        lines.append(f"{found['cost']['unknown']} trials of unknown cost are not counted: --calibrate times a few "
                     "steps of each model and dataset.")  # fmt: skip
    return lines
