"""What the README shows is copied and run as it stands."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

import pytest
import vectors
from standin import Answer, Gateway, entry_of

ROOT = pathlib.Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python(?: example=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRAMEWORKS = ["flask_app", "fastapi_app", "django_urls", "falcon_app"]
CASES = vectors.load("session-transfer.json")["cases"]
GOOD, SENT = CASES[0]["query"], CASES[0]["expect"]["sent"]


@pytest.fixture
def examples(tmp_path: pathlib.Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with the README's files, and a key file for this gateway in the environment."""
    found: dict[str, str] = {}
    for name, code in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        assert name, f"a block that is not run:\n{code}"
        found[name] = found.get(name, "") + code
    for name, code in found.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    (tmp_path / "key.json").write_text(json.dumps(gateway.key_file()))
    monkeypatch.setenv("VESTIBULE_CREDENTIALS", str(tmp_path / "key.json"))
    return tmp_path


@contextmanager
def served(folder: pathlib.Path, module: str) -> Iterator[int]:
    command = [sys.executable, "-B", str(ROOT / "tests/run_example.py"), module]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.communicate(timeout=30)


def ask(port: int, target: str, cookie: Optional[str] = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", target, headers={"cookie": cookie} if cookie else {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@pytest.mark.parametrize("module", FRAMEWORKS)
def test_the_endpoint_of_each_framework(module: str, examples: pathlib.Path, gateway: Gateway) -> None:
    gateway.usual = Answer(200, {"entryUrl": "https://gateway.example/enter?code=c0de"})
    other = next(case["query"] for case in CASES if case["name"].startswith("another partner"))
    with served(examples, module) as port:
        target = f"/session-transfer?{GOOD}"
        to_login = ask(port, target)
        assert to_login.status == 303
        login = to_login.headers["location"]
        assert login.startswith("/login?next=%2Fsession-transfer%3F")
        assert gateway.calls == []

        entered = ask(port, target, "session=s-9")
        assert (entered.status, entered.headers["location"]) == (303, "https://gateway.example/enter?code=c0de")
        assert entry_of(gateway) == SENT
        assert len(gateway.assertions) == 1

        stranger = target.replace("eyJfdHlwZSI6ImFjY291bnQiLCJhY2NvdW50X2lkIjoiQUctMSJ9", "eyJfdHlwZSI6ImFjY291bnQiLCJhY2NvdW50X2lkIjoiQUctMiJ9")
        assert stranger != target
        assert ask(port, stranger, "session=s-9").status == 403
        assert ask(port, f"/session-transfer?{other}", "session=s-9").status == 403
        assert len(gateway.calls) == 1

        if module == "flask_app":
            signed_in = ask(port, login)
            assert signed_in.headers["location"] == target
            assert signed_in.headers["set-cookie"].startswith("session=s-9; ")
            assert ask(port, "/login?next=//evil.example").headers["location"] == "/"


def test_the_frameworks_named_are_those_shown(examples: pathlib.Path) -> None:
    shown = {path.stem for path in examples.glob("*.py")}
    assert shown == {"portal", "client", "tenant_token", *FRAMEWORKS}


def test_an_endpoint_has_ten_lines(examples: pathlib.Path) -> None:
    for module in FRAMEWORKS:
        lines = (examples / f"{module}.py").read_text().split("from flask import redirect")[0].splitlines()
        assert len([line for line in lines if line.strip()]) <= 10, module


def test_the_client(examples: pathlib.Path, gateway: Gateway) -> None:
    one = Answer(200, {"entryUrl": "https://app.example/"})
    gateway.planned = [one, Answer(200, {"entryUrls": ["https://one.example/", "https://two.example/"]}), one, Answer(200, {})]
    shown = runpy.run_path(str(examples / "client.py"))
    shown["client"].close()
    assert shown["link"] == shown["entry"] == "https://app.example/"
    assert shown["links"] == ["https://one.example/", "https://two.example/"]
    assert [path.rsplit("/", 1)[1] for path, _ in gateway.calls] == [
        "GetEntryURL",
        "GetMultiEntryURL",
        "GetEntryURLWithCode",
        "Logout",
    ]


def test_the_tenant_token(examples: pathlib.Path) -> None:
    assert runpy.run_path(str(examples / "tenant_token.py"))["token"].count(".") == 2
