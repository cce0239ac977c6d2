"""The session-transfer endpoint in each web framework, with the vectors, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import portals
import pytest
import vectors
from portals import PATH, Portal
from standin import Answer, Gateway, entry_of
from vestibule import Client, Refusal, ServiceContext, User
from vestibule.transfer import Endpoint, Redirect
from vestibule.transport import Surroundings

VECTORS = vectors.load("session-transfer.json")
GOOD = VECTORS["cases"][0]["query"]


class Stage:
    """One portal of one framework, and its gateway."""

    def __init__(self, gateway: Gateway, portal: Portal, port: int, framework: str) -> None:
        self.gateway, self.portal, self.port, self.framework = gateway, portal, port, framework

    def ask(self, query: str, method: str = "GET", path: str = PATH) -> portals.Answered:
        return portals.ask(self.port, method, f"{path}?{query}" if query else path)


@pytest.fixture(scope="module", params=list(portals.ALL))
def running(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Gateway() as gateway:
        surroundings = Surroundings(sleep=lambda seconds: None)
        with Client.from_dict(gateway.key_file(), surroundings=surroundings) as client:
            portal = Portal(client)
            with portals.ALL[request.param](portal) as port:
                yield Stage(gateway, portal, port, request.param)


@pytest.fixture
def stage(running: Stage) -> Stage:
    """The same, as if nothing had happened yet."""
    running.gateway.calls.clear()
    running.gateway.usual = Answer(VECTORS["gateway"]["status"], VECTORS["gateway"]["body"])
    portal = running.portal
    portal.user, portal.allow, portal.options, portal.own_page = User("anna-1", session_id="s-9"), True, {}, False
    portal.asked.clear()
    return running


@pytest.mark.parametrize("case", **vectors.named(VECTORS["cases"]))
def test_the_vectors(case: Any, stage: Stage) -> None:
    portal, expect = stage.portal, case["expect"]
    portal.user = User(**case["user"]) if case["user"] else None
    portal.allow = case["allow"]
    portal.options = {name: case[name] for name in ("back_url", "back_url_text") if name in case}
    if "gateway" in case:
        stage.gateway.usual = Answer(case["gateway"]["status"], case["gateway"]["body"])

    answered = stage.ask(case["query"], case["method"])

    assert answered.status == expect["status"]
    assert answered.headers.get("location") == expect.get("location")
    assert entry_of(stage.gateway) == expect["sent"]
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["referrer-policy"] == "no-referrer"
    if "code" in expect:
        assert answered.headers["content-type"] == "text/plain; charset=utf-8"
        assert f"({expect['code']})" in answered.text


def test_the_access_check_is_told_where_the_user_wants_to_go(stage: Stage) -> None:
    stage.ask(GOOD + "&nextUrl=https%3A%2F%2Fapp.example%2Fa")
    [transfer] = stage.portal.asked
    assert transfer.service_provider_id == "MP-1"
    assert transfer.context == ServiceContext.account("AG-1")
    assert (transfer.account_id, transfer.next_url) == ("AG-1", "https://app.example/a")


def test_a_refusal_is_one_line_of_the_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.gateway.usual = Answer(400, {"code": 3, "message": "next_url: `a\nERROR root: all is lost`"})
    assert stage.ask(GOOD).status == 403
    [record] = [record for record in caplog.records if record.name == "vestibule"]
    assert "next_url" in record.getMessage() and "\n" not in record.getMessage()


@pytest.mark.parametrize("allow", [1, "yes", object(), [True]])
def test_only_true_is_yes(allow: Any, stage: Stage) -> None:
    stage.portal.allow = allow
    assert stage.ask(GOOD).status == 403
    assert stage.gateway.calls == []


def test_an_access_check_that_nobody_awaited_is_no(stage: Stage) -> None:
    async def allowed() -> bool:
        return True

    stage.portal.allow = coroutine = allowed()
    if stage.framework == "fastapi":
        # It awaits what is to be awaited.
        assert stage.ask(GOOD).status == 303
    else:
        assert stage.ask(GOOD).status == 403
        coroutine.close()


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_nothing_but_get_mints_a_code(method: str, stage: Stage) -> None:
    answered = stage.ask(GOOD, method)
    assert answered.status == 405
    assert "GET" in answered.headers["allow"]
    assert stage.portal.asked == [] and stage.gateway.calls == []


def test_refusals_may_have_a_page_of_the_portal(stage: Stage) -> None:
    stage.portal.own_page, stage.portal.allow = True, False
    answered = stage.ask(GOOD)
    assert (answered.status, answered.text) == (403, "<h1>access_denied</h1>")
    stage.portal.allow = True
    assert stage.ask(GOOD).status == 303


def test_the_login_page_may_have_a_query_and_another_parameter(stage: Stage) -> None:
    stage.portal.user = None
    stage.portal.options = {"login": "https://login.portal.example/?brand=abc", "login_parameter": "return_to"}
    location = stage.ask("serviceProviderId=MP-1&serviceContext=eyJfdHlwZSI6InBhcnRuZXIiLCJwYXJ0bmVyX2lkIjoiQUJDIn0%3D").headers["location"]
    start = "https://login.portal.example/?brand=abc&return_to=%2Fsession-transfer%3FserviceProviderId%3DMP-1%26"
    assert location.startswith(start)
    assert location.count("&") == 1 and location.count("?") == 1


@pytest.mark.parametrize("path", ["//evil.example/session-transfer", "/\\evil.example/", "session-transfer", ""])
def test_the_way_back_is_a_path_of_this_site(path: str, stage: Stage) -> None:
    outcome = Endpoint(stage.portal.client, "ABC", "/login").login(path, GOOD)
    assert isinstance(outcome, Refusal) and outcome.status == 400


def test_the_way_back_is_written_as_addresses_are(stage: Stage) -> None:
    outcome = Endpoint(stage.portal.client, "ABC", "/login").login("/a b/\u00e9?x", "y=1")
    assert isinstance(outcome, Redirect)
    assert outcome.location == "/login?next=%2Fa%2520b%2F%25C3%25A9%253Fx%3Fy%3D1"


# With the others the server gives each request a thread, if it is a good one.
@pytest.mark.parametrize("running", ["fastapi"], indirect=True)
def test_others_are_served_while_the_gateway_is_slow(stage: Stage) -> None:
    stage.gateway.came.clear()
    stage.gateway.open.clear()
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(stage.ask, GOOD)
        assert stage.gateway.came.wait(10)
        try:
            assert stage.ask("").status == 400
            assert not slow.done()
        finally:
            stage.gateway.open.set()
        assert slow.result(timeout=20).status == 303


def test_what_arrives_in_other_letters_is_refused(stage: Stage) -> None:
    assert stage.ask(GOOD + "&nextUrl=\u00e9").status == 400


def test_a_failing_access_check_lets_nobody_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def append(self, _: object) -> None:
            raise RuntimeError("the database is away")

    monkeypatch.setattr(stage.portal, "asked", Broken())
    assert stage.ask(GOOD).status == 500
    assert stage.gateway.calls == []
