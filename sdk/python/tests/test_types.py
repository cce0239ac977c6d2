"""The package says its types, and keeps them."""

from __future__ import annotations

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_the_package_is_typed_strictly(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-B", "-m", "mypy", "--cache-dir", str(tmp_path)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert (ROOT / "src/vestibule/py.typed").exists()
