"""The vectors that every SDK is tested with."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any, Callable

import jwt
import pytest
import vectors
from standin import PUBLIC, Answer, Gateway
from vestibule import (
    ApiError,
    Client,
    ContextRefused,
    Credentials,
    CredentialsError,
    ServiceContext,
    local_return,
    sign_tenant_token,
)

CONTEXTS = vectors.load("contexts.json")
KEY_FILES = vectors.load("key-files.json")
CALLS = vectors.load("calls.json")
ERRORS = vectors.load("errors.json")
TENANT_TOKENS = vectors.load("tenant-tokens.json")
LOCAL = vectors.load("session-transfer.json")["local_return"]
ENTRY = ("MP-1", ServiceContext.account("AG-1"))


def test_the_files_are_what_their_program_writes() -> None:
    subprocess.run([sys.executable, "-B", vectors.FOLDER / "make.py", "--check"], check=True)


@pytest.mark.parametrize("case", **vectors.named(CONTEXTS["encode"]))
def test_contexts_are_written(case: Any) -> None:
    context = ServiceContext(**case["context"])
    assert context.json() == case["json"]
    assert context.encode() == case["encoded"]
    assert context.query_value() == case["query_value"]
    assert context.wire() == case["wire"]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(case["json"].encode()).decode()
        assert ServiceContext.parse(text) == ServiceContext.parse(text.rstrip("=")) == context


@pytest.mark.parametrize("case", **vectors.named(CONTEXTS["parse"]))
def test_contexts_are_read(case: Any) -> None:
    assert ServiceContext.parse(case["text"]) == ServiceContext(**case["context"])


@pytest.mark.parametrize("case", **vectors.named(CONTEXTS["deny"] + CONTEXTS["refuse"]))
def test_other_contexts_are_refused(case: Any) -> None:
    with pytest.raises(ContextRefused) as refused:
        ServiceContext.parse(case["text"])
    assert refused.value.code == case["code"]


@pytest.mark.parametrize("members", [{}, {"account_id": "a", "partner_id": "b"}, {"account_id": ".."}, {"account_id": 7}])
def test_a_context_is_always_one_that_can_be_written(members: Any) -> None:
    with pytest.raises(ContextRefused):
        ServiceContext(**members)


@pytest.mark.parametrize("case", KEY_FILES["good"], ids=lambda case: case["file"])
def test_key_files_are_read(case: Any) -> None:
    held = Credentials.from_file(vectors.FOLDER / case["file"])
    assert (held.algorithm, held.base_url, held.client_email) == (case["alg"], case["base_url"], case["client_email"])
    secret = json.loads((vectors.FOLDER / case["file"]).read_text())["private_key"].splitlines()[1]
    assert secret not in repr(held) and "PRIVATE" not in repr(held)


@pytest.mark.parametrize("case", **vectors.named(KEY_FILES["refuse"]))
def test_other_key_files_are_refused(case: Any) -> None:
    text = case.get("text")
    secret = "no secret in it"
    if text is None:
        file = vectors.load(case["base"])
        kept = {name: value for name, value in file.items() if name not in case["remove"]}
        text = json.dumps({**kept, **case["set"]})
        secret = file["private_key"].splitlines()[1]
    with pytest.raises(CredentialsError) as refused:
        Credentials.from_json(text)
    assert secret not in str(refused.value)


@pytest.mark.parametrize("case", **vectors.named(vectors.load("assertions.json")["cases"]))
def test_assertions_are_as_they_must_be(case: Any) -> None:
    held = Credentials.from_file(vectors.FOLDER / case["key_file"])
    assertion = held.assertion(case["now"], case["jti"])
    assert jwt.get_unverified_header(assertion) == case["header"]
    key = PUBLIC[case["header"]["kid"]]
    claims = jwt.decode(
        assertion, key.key, algorithms=[case["header"]["alg"]], options={"verify_exp": False, "verify_iat": False, "verify_aud": False}
    )
    assert claims == case["claims"]
    assert held.token_url == case["request"]["url"]
    assert held.uses_session_token == (case["exchange"] == "session_token")


def context_in(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: ServiceContext(**value) if name == "context" else value for name, value in arguments.items()}


METHODS = {
    "GetEntryURL": Client.get_entry_url,
    "GetEntryURLWithCode": Client.get_entry_url_with_code,
    "GetMultiEntryURL": Client.get_multi_entry_url,
    "Logout": Client.logout,
    "GetSessionTransferURL": Client.get_session_transfer_url,
    "GetLogoutURL": Client.get_logout_url,
}


@pytest.mark.parametrize("case", **vectors.named(CALLS["cases"]))
def test_calls_are_sent_and_answered(case: Any, gateway: Gateway, client: Client) -> None:
    gateway.usual = Answer(200, case["answer"])
    method: Callable[..., Any] = METHODS[case["method"]]
    assert method(client, **context_in(case["arguments"])) == case["result"]
    assert gateway.calls == [(case["path"], case["body"])]


@pytest.mark.parametrize("case", **vectors.named(CALLS["refuse"]))
def test_calls_that_cannot_be_meant_are_not_sent(case: Any, gateway: Gateway, client: Client) -> None:
    method: Callable[..., Any] = METHODS[case["method"]]
    with pytest.raises(ApiError) as refused:
        method(client, **context_in(case["arguments"]))
    assert (refused.value.code, refused.value.http_status) == (3, None)
    assert gateway.calls == [] and gateway.assertions == []


@pytest.mark.parametrize("case", **vectors.named(CALLS["misunderstood"]))
def test_an_answer_that_is_not_understood_is_an_error(case: Any, gateway: Gateway, client: Client) -> None:
    gateway.usual = Answer(200, case["body"])
    with pytest.raises(ApiError) as refused:
        client.get_entry_url(*ENTRY)
    assert refused.value.code == 13
    assert len(gateway.calls) == 1


@pytest.mark.parametrize("case", **vectors.named(ERRORS["cases"]))
def test_errors_become_exceptions(case: Any, gateway: Gateway, client: Client) -> None:
    gateway.usual = Answer(case["status"], case["body"])
    with pytest.raises(ApiError) as refused:
        client.get_entry_url(*ENTRY)
    assert (refused.value.code, refused.value.message) == (case["code"], case["message"])
    assert refused.value.http_status == case["status"]
    # After 16 a new token is tried, once.
    asked = 3 if case["repeated"] else 2 if case["code"] == 16 else 1
    assert len(gateway.calls) == asked


def test_each_number_has_its_own_exception() -> None:
    from vestibule.errors import api_error

    for known in ERRORS["codes"]:
        error = api_error(known["status"], json.dumps({"code": known["code"], "message": "told"}).encode())
        assert (error.number, error.name) == (known["code"], known["name"])
        assert type(error).__name__.lower() == known["name"].replace("_", "") or known["code"] == 2


@pytest.mark.parametrize("case", **vectors.named(TENANT_TOKENS["cases"]))
def test_tenant_tokens_are_signed(case: Any) -> None:
    signed = sign_tenant_token(case["secret"], now=case["now"], jti=case["jti"], **case["arguments"])
    assert jwt.get_unverified_header(signed) == case["header"]
    claims = jwt.decode(
        signed, case["secret"], algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False, "verify_aud": False}
    )
    assert claims == case["claims"]


@pytest.mark.parametrize("case", **vectors.named(TENANT_TOKENS["refuse"]))
def test_other_tenant_tokens_are_not_made(case: Any) -> None:
    with pytest.raises(ValueError):
        sign_tenant_token(case["secret"], **case["arguments"])


def test_each_tenant_token_is_another() -> None:
    secret = TENANT_TOKENS["cases"][0]["secret"]
    one, two = (jwt.decode(sign_tenant_token(secret, "anna"), secret, algorithms=["HS256"]) for _ in range(2))
    assert one["jti"] != two["jti"] and abs(one["iat"] - two["iat"]) < 60


@pytest.mark.parametrize("text", LOCAL["kept"])
def test_a_return_to_this_site_is_kept(text: str) -> None:
    assert local_return(text, "/home") == text


@pytest.mark.parametrize("text", LOCAL["replaced"])
def test_a_return_to_elsewhere_is_replaced(text: str) -> None:
    assert local_return(text, "/home") == "/home"


def test_without_a_return_there_is_the_default() -> None:
    assert local_return(None) == "/"
