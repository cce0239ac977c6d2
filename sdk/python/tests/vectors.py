"""Reads `sdk/vectors`."""

from __future__ import annotations

import json
import pathlib
from typing import Any

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "vectors"


def load(name: str) -> Any:
    return _whole(json.loads((FOLDER / name).read_text(encoding="utf-8")))


def _whole(value: Any) -> Any:
    """Puts texts that stand as runs together."""
    if isinstance(value, list):
        return [_whole(member) for member in value]
    if isinstance(value, dict):
        if set(value) == {"runs"}:
            return "".join(part * times for part, times in value["runs"])
        return {name: _whole(member) for name, member in value.items()}
    return value


def named(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """For `pytest.mark.parametrize`: each case with its name. An empty list would be a test that cannot fail."""
    assert cases
    return {"argvalues": cases, "ids": [case["name"] for case in cases]}
