"""The client over real sockets: one token for all threads, repetitions, time-outs."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import pathlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest
from conftest import Watch
from standin import Answer, Gateway
from vestibule import (
    ApiError,
    AsyncClient,
    Client,
    Credentials,
    CredentialsError,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ServiceContext,
    TokenRefused,
    Unauthenticated,
    Unavailable,
)
from vestibule.tokens import AccessToken, AccessTokens, life_of

ACCOUNT = ServiceContext.account("AG-1")
ENTRY = "https://app.example/"
AWAY = Answer(503, {"code": 14, "message": "not now", "details": []})


def ask(client: Client) -> str:
    return client.get_entry_url("MP-1", ACCOUNT)


@pytest.mark.parametrize("key", ["es256", "rs256", "es256-session-token"])
def test_each_key_and_each_exchange_gets_a_token(key: str, gateway: Gateway, client_of: Callable[..., Client]) -> None:
    client = client_of(key)
    assert ask(client) == ENTRY
    assert ask(client) == ENTRY
    assert len(gateway.assertions) == 1, "the token is kept"
    assert ("kid" in gateway.assertions[0]) == (key == "es256-session-token")


def test_an_rs256_key_is_not_sent_where_only_es256_is_taken(gateway: Gateway) -> None:
    file = {**gateway.key_file("rs256"), "token_uri": f"{gateway.url}/iam.v1.UserIAM/GetSessionToken"}
    with Client.from_dict(file) as client:
        assert ask(client) == ENTRY


def test_a_token_is_renewed_before_it_ends(gateway: Gateway, client: Client, watch: Watch) -> None:
    ask(client)
    watch.at += gateway.life_s - 121
    ask(client)
    assert len(gateway.assertions) == 1
    watch.at += 2
    ask(client)
    assert len(gateway.assertions) == 2


def test_a_session_token_tells_its_end_itself(gateway: Gateway, client_of: Callable[..., Client], watch: Watch) -> None:
    client = client_of("es256-session-token")
    ask(client)
    watch.at += gateway.life_s - 119
    ask(client)
    assert len(gateway.assertions) == 2


def test_where_the_early_renewal_fails_the_old_token_does(gateway: Gateway, client: Client, watch: Watch) -> None:
    ask(client)
    watch.at += gateway.life_s - 60
    gateway.planned_tokens = [AWAY]
    assert ask(client) == ENTRY
    assert watch.slept == []
    watch.at += 120
    gateway.planned_tokens = [AWAY, AWAY, AWAY]
    with pytest.raises(Unavailable):
        ask(client)


def test_while_one_renews_early_the_others_go_on(gateway: Gateway, client: Client, watch: Watch) -> None:
    ask(client)
    watch.at += gateway.life_s - 60
    gateway.came.clear()
    gateway.holds_exchanges = True
    gateway.open.clear()
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(ask, client)
        assert gateway.came.wait(10)
        assert ask(client) == ENTRY
        assert not renewing.done() and len(gateway.assertions) == 1
        gateway.open.set()
        assert renewing.result(timeout=20) == ENTRY
    assert len(gateway.assertions) == 2


def test_many_threads_make_one_exchange(gateway: Gateway, client: Client) -> None:
    gateway.open.clear()
    with ThreadPoolExecutor(32) as threads:
        asked = [threads.submit(ask, client) for _ in range(32)]
        assert gateway.came.wait(10)
        gateway.open.set()
        assert {one.result(timeout=20) for one in asked} == {ENTRY}
    assert len(gateway.assertions) == 1
    assert len(gateway.calls) == 32


def test_many_threads_whose_token_is_rejected_make_one_exchange_more(gateway: Gateway, client: Client) -> None:
    ask(client)
    gateway.revoke_all()
    with ThreadPoolExecutor(16) as threads:
        together = threading.Barrier(16)

        def one() -> str:
            together.wait(10)
            return ask(client)

        asked = [threads.submit(one) for _ in range(16)]
        assert {one.result(timeout=20) for one in asked} == {ENTRY}
    assert len(gateway.assertions) == 2
    assert 1 <= gateway.rejected <= 16


def test_a_failure_of_the_one_exchange_is_that_of_all_who_waited(gateway: Gateway, client_of: Callable[..., Client]) -> None:
    client = client_of(attempts=1)
    gateway.open.clear()
    gateway.planned_tokens = [AWAY]
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask, client) for _ in range(8)]
        assert gateway.came.wait(10)
        gateway.open.set()
        failed = [one.exception(timeout=20) for one in asked]
    # A thread that began only when the others had failed tried by itself, and came through.
    assert sum(isinstance(error, Unavailable) for error in failed) >= 1
    assert all(error is None or isinstance(error, Unavailable) for error in failed)
    assert len(gateway.assertions) <= 1
    assert ask(client) == ENTRY


def test_after_a_401_a_new_token_is_tried_once(gateway: Gateway, client: Client, watch: Watch) -> None:
    ask(client)
    gateway.revoke_all()
    assert ask(client) == ENTRY
    assert (len(gateway.assertions), gateway.rejected) == (2, 1)

    gateway.usual = Answer(401, {"code": 16, "message": "no", "details": []})
    with pytest.raises(Unauthenticated):
        ask(client)
    assert len(gateway.assertions) == 3
    assert watch.slept == []


def test_what_may_pass_is_tried_again_with_growing_pauses(gateway: Gateway, client: Client, watch: Watch) -> None:
    gateway.planned = [AWAY, AWAY]
    assert ask(client) == ENTRY
    assert watch.slept == [0.1, 0.2]
    assert len(gateway.calls) == 3


def test_pauses_are_drawn_at_random() -> None:
    from vestibule.transport import Surroundings, repeated

    fractions = iter([0.25, 0.5])
    slept: list[float] = []
    surroundings = Surroundings(monotonic=lambda: 0.0, sleep=slept.append, fraction=lambda: next(fractions))

    def away(_: float) -> None:
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        repeated(away, surroundings, 10.0, 3)
    assert slept == [0.025, 0.1]


def test_the_gateway_says_how_long_to_wait(gateway: Gateway, client: Client, watch: Watch) -> None:
    gateway.planned = [Answer(429, {"code": 8, "message": "slowly"}, {"retry-after": "3"})]
    assert ask(client) == ENTRY
    assert watch.slept == [3.0]


def test_nobody_waits_beyond_the_time_out(gateway: Gateway, client: Client, watch: Watch) -> None:
    gateway.planned = [Answer(429, {"code": 8, "message": "slowly"}, {"retry-after": "60"})]
    with pytest.raises(ApiError) as refused:
        ask(client)
    assert (refused.value.code, refused.value.retry_after) == (8, 60.0)
    assert watch.slept == [] and len(gateway.calls) == 1


def test_a_refusal_is_not_tried_again(gateway: Gateway, client: Client) -> None:
    gateway.usual = Answer(403, {"code": 7, "message": "AG-1 is not yours", "details": []})
    with pytest.raises(PermissionDenied, match="AG-1 is not yours"):
        ask(client)
    assert len(gateway.calls) == 1


def test_each_exchange_that_is_tried_again_has_its_own_assertion(gateway: Gateway, client: Client) -> None:
    gateway.planned_tokens = [AWAY, AWAY]
    assert ask(client) == ENTRY
    assert len(gateway.assertions) == 1
    # The stand-in refuses an assertion that comes twice, so that one which was sent twice would have failed here.
    gateway.revoke_all()
    assert ask(client) == ENTRY
    assert len({claims["jti"] for claims in gateway.assertions}) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, {"error": "invalid_grant", "error_description": "the key is switched off"}),
        Answer(401, {"code": 16, "message": "the key is switched off"}),
        Answer(403, {"code": 7, "message": "the key is switched off"}),
    ],
)
def test_a_service_account_that_gets_no_token_is_told_why(answer: Answer, gateway: Gateway, client: Client) -> None:
    gateway.planned_tokens = [answer]
    with pytest.raises(TokenRefused, match="the key is switched off"):
        ask(client)
    assert gateway.calls == [] and gateway.rejected == 0


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "{}", '{"access_token":7}', '{"access_token":"a\\nb"}'])
def test_an_exchange_that_is_not_understood_is_an_error(body: str, gateway: Gateway, client: Client) -> None:
    gateway.planned_tokens = [Answer(200, body)]
    with pytest.raises(Internal):
        ask(client)
    assert gateway.calls == []


def test_a_gateway_that_does_not_answer_ends_with_the_time_out(gateway: Gateway) -> None:
    with Client.from_dict(gateway.key_file(), timeout_s=0.2) as client:
        gateway.open.clear()
        with pytest.raises(DeadlineExceeded):
            ask(client)
        gateway.open.set()


def test_a_gateway_that_is_not_there_is_unavailable(gateway: Gateway, watch: Watch, client_of: Callable[..., Client]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = client_of(base_url=f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable) as refused:
        ask(client)
    assert refused.value.http_status is None
    assert len(watch.slept) == 2


def test_a_connection_that_the_gateway_closed_is_made_anew(gateway: Gateway, client: Client) -> None:
    ask(client)
    gateway.planned = [Answer(200, {"entryUrl": ENTRY}, {"connection": "close"})]
    assert ask(client) == ask(client) == ENTRY


def test_an_answer_without_end_is_not_read_to_it(gateway: Gateway, client: Client) -> None:
    gateway.usual = Answer(200, "x" * (1 << 20) + "x")
    with pytest.raises(Internal, match="too large"):
        ask(client)
    gateway.usual = Answer(200, {"entryUrl": ENTRY})
    assert ask(client) == ENTRY


def test_the_token_does_not_follow_a_redirect(gateway: Gateway, client: Client) -> None:
    with Gateway() as elsewhere:
        gateway.usual = Answer(307, "", {"location": f"{elsewhere.url}/sso.v1.IdentityProvider/GetEntryURL"})
        with pytest.raises(ApiError) as refused:
            ask(client)
        assert refused.value.http_status == 307
        assert not elsewhere.came.is_set()


def test_a_base_url_must_be_safe_for_a_token(gateway: Gateway) -> None:
    for url in ("http://gateway.example", "gateway.example", "https://a@b.example", "ftp://gateway.example", ""):
        with pytest.raises(InvalidArgument):
            Client.from_dict(gateway.key_file(), base_url=url)
    for options in ({"timeout_s": 0}, {"attempts": 0}):
        with pytest.raises(InvalidArgument):
            Client.from_dict(gateway.key_file(), **options)


@pytest.mark.parametrize("name", ["VESTIBULE_CREDENTIALS", "VENDASTA_APPLICATION_CREDENTIALS"])
def test_the_key_file_is_found_by_the_environment(
    name: str, gateway: Gateway, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(gateway.key_file()))
    monkeypatch.setenv(name, str(path))
    with Client.from_environment() as client:
        assert ask(client) == ENTRY
    with Client.from_file(path) as client:
        assert ask(client) == ENTRY


def test_our_own_variable_comes_first() -> None:
    with pytest.raises(CredentialsError, match="ours"):
        Credentials.from_environment(
            {"VESTIBULE_CREDENTIALS": "/nowhere/ours", "VENDASTA_APPLICATION_CREDENTIALS": "/nowhere/theirs"}
        )
    with pytest.raises(CredentialsError, match="VESTIBULE_CREDENTIALS"):
        Credentials.from_environment({})


def test_no_text_form_shows_a_secret(gateway: Gateway, client: Client) -> None:
    ask(client)
    [token] = gateway.live
    for shown in (repr(client), repr(client._credentials), repr(client._tokens), repr(AccessToken(token, 0, 0))):
        assert token not in shown and "PRIVATE" not in shown


def _child(client: Client, told: Any) -> None:
    told.send(ask(client))
    told.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_client_is_good_in_a_child_after_a_fork(gateway: Gateway, client: Client) -> None:
    ask(client)
    # A lock that a thread of the parent holds at the fork is never given back in the child.
    with client._tokens._lock:
        context = multiprocessing.get_context("fork")
        heard, told = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(client, told))
        child.start()
    told.close()
    assert heard.poll(20) and heard.recv() == ENTRY
    child.join(20)
    assert child.exitcode == 0
    assert ask(client) == ENTRY
    assert len(gateway.assertions) == 2


def test_the_client_for_code_that_awaits(gateway: Gateway, client: Client) -> None:
    awaited = AsyncClient(client)

    async def many() -> list[str]:
        return await asyncio.gather(*(awaited.get_entry_url("MP-1", ACCOUNT) for _ in range(5)))

    assert asyncio.run(many()) == [ENTRY] * 5
    assert len(gateway.assertions) == 1
    gateway.usual = Answer(404, {"code": 5, "message": "service_provider_id: not there"})

    async def one() -> None:
        await awaited.get_entry_url("MP-1", context=ACCOUNT)

    with pytest.raises(NotFound):
        asyncio.run(one())


def test_a_message_without_end_is_cut(gateway: Gateway, client: Client) -> None:
    gateway.usual = Answer(400, {"code": 3, "message": "x" * 5_000})
    with pytest.raises(InvalidArgument) as refused:
        ask(client)
    assert refused.value.message == "x" * 1_000


def test_an_exchange_has_only_the_time_that_is_left() -> None:
    given: list[float] = []

    def fetch(left_s: float) -> AccessToken:
        given.append(left_s)
        return AccessToken("t", 0.0, 9.0)

    tokens = AccessTokens(fetch, lambda: 1.0)
    assert tokens.get(1.5) == "t"
    assert tokens.get(0.5, rejected="t") == "t"
    assert given == [1.5, 0.5]


def test_as_many_urls_as_were_asked_for(gateway: Gateway, client: Client) -> None:
    for urls in (["https://one.example/"], ["https://one.example/", 2], "https://one.example/", None):
        gateway.usual = Answer(200, {"entryUrls": urls})
        with pytest.raises(Internal):
            client.get_multi_entry_url(["MP-1", "MP-2"])


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJleHAiOiJ4In0.c", "a.bnVsbA.c"])
def test_a_token_that_tells_no_end_is_kept_for_a_minute(token: str) -> None:
    assert life_of(token, 0.0) == 60.0
