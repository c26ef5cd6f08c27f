"""Dicts within dicts, as a config is one. Needs no torch."""

from typing import Any


def flatten(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"model": {"attention": "se"}}` as `{"model.attention": "se"}`."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def difference(mine: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """Entries of `mine` that `default` has not or has otherwise, nested dicts likewise; no empty dicts."""
    changed: dict[str, Any] = {}
    for key, value in mine.items():
        if isinstance(value, dict) and isinstance(default.get(key), dict):
            value = difference(value, default[key])
        if value != default.get(key) and value != {}:
            changed[key] = value
    return changed
