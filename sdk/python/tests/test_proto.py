"""The published description: it compiles, it agrees with the vectors, and the partner of the tests speaks it."""

from __future__ import annotations

import importlib
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
import vectors

ROOT = vectors.FOLDER.parents[1]
PARTNER = ROOT / "crates/testkit/python/grpc_partner.py"
CALLS = vectors.load("calls.json")["cases"]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The modules that protoc writes."""
    import grpc_tools
    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("stubs")
    own = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    arguments = [f"-I{ROOT / 'sdk/proto'}", f"-I{own}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main(["protoc", *arguments, "sso/v1/sso.proto"]) == 0
    sys.path.insert(0, str(folder))
    yield importlib.import_module("sso.v1.sso_pb2"), importlib.import_module("sso.v1.sso_pb2_grpc")
    sys.path.remove(str(folder))


def method_of(stubs: Any, case: Any) -> Any:
    service, method = case["path"].removeprefix("/sso.v1.").split("/")
    return stubs[0].DESCRIPTOR.services_by_name[service].methods_by_name[method]


@pytest.mark.parametrize("case", **vectors.named(CALLS))
def test_calls_of_the_vectors_are_messages(case: Any, stubs: Any) -> None:
    from google.protobuf import json_format, message_factory

    method = method_of(stubs, case)
    for value, described in ((case["body"], method.input_type), (case["answer"], method.output_type)):
        message = message_factory.GetMessageClass(described)()
        json_format.ParseDict(value, message, ignore_unknown_fields="somethingNew" in value)
        written = json_format.MessageToDict(message)
        assert written == {name: member for name, member in value.items() if name != "somethingNew"}


def test_numbers_that_clients_in_the_field_have_stay(stubs: Any) -> None:
    numbers = {
        "ServiceContext": {"account": 1, "partner": 2, "super_admin": 3},
        "GetEntryURLRequest": {"service_provider_id": 1, "context": 2},
        "GetEntryURLResponse": {"entry_url": 1},
        "GetEntryURLWithCodeRequest": {
            "service_provider_id": 1,
            "session_id": 2,
            "user_id": 3,
            "email": 4,
            "context": 5,
            "next_url": 6,
            "back_url": 7,
            "back_url_text": 8,
            "federated_identity_provider": 9,
            "impersonator_user_id": 10,
        },
        "GetEntryURLWithCodeResponse": {"entry_url": 1},
        "LogoutRequest": {"session_id": 1, "user_id": 2},
        "GetSessionTransferURLRequest": {"service_provider_id": 1, "context": 2},
        "GetSessionTransferURLResponse": {"session_transfer_url": 1},
    }
    messages = stubs[0].DESCRIPTOR.message_types_by_name
    for name, fixed in numbers.items():
        found = {field.name: field.number for field in messages[name].fields if field.number < 100}
        assert found == fixed, name
    nested = messages["ServiceContext"].nested_types_by_name
    assert nested["Account"].fields_by_name["account_id"].number == 1
    assert nested["Partner"].fields_by_name["partner_id"].number == 1
    assert stubs[0].DESCRIPTOR.services_by_name["IdentityProvider"].methods_by_name["Logout"].output_type.full_name == (
        "google.protobuf.Empty"
    )
    # All else is numbered from 100 up.
    for name, message in messages.items():
        if name not in numbers:
            assert all(field.number >= 100 for field in message.fields), name


def test_the_partner_of_the_tests_calls_and_is_told(stubs: Any) -> None:
    from grpc_reflection.v1alpha import reflection

    messages, services = stubs
    seen: list[Any] = []

    class IdentityProvider(services.IdentityProviderServicer):  # type: ignore[misc, name-defined]
        def GetEntryURLWithCode(self, request: Any, context: Any) -> Any:
            seen.append((request.user_id, request.context.account.account_id, dict(context.invocation_metadata())))
            if not request.user_id:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "user_id: missing")
            return messages.GetEntryURLWithCodeResponse(entry_url="https://gateway.example/enter?code=c0de")

    def health(message: bytes, context: Any) -> bytes:
        assert message in (b"", b"\x0a\x17sso.v1.IdentityProvider")
        return b"\x08\x01" if message else b"\x08\x02"

    server = grpc.server(futures.ThreadPoolExecutor(4))
    services.add_IdentityProviderServicer_to_server(IdentityProvider(), server)
    check = grpc.unary_unary_rpc_method_handler(health)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check}),))
    names = ("sso.v1.IdentityProvider", reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    message = {"serviceProviderId": "MP-1", "userId": "anna-1", "context": {"account": {"accountId": "AG-1"}}}
    entry = {"service": "IdentityProvider", "method": "GetEntryURLWithCode", "message": message}
    order = {
        "target": f"127.0.0.1:{port}",
        "authority": "sandbox.localhost:8080",
        "token": "t0ken",
        "calls": [
            entry,
            {**entry, "message": {}, "token": None, "metadata": {"x-request-id": "7"}},
            {**entry, "method": "Logout", "message": {"sessionId": "s-9"}},
            {"service": "reflection"},
            {"service": "health", "message": "sso.v1.IdentityProvider"},
            {"service": "health", "message": ""},
        ],
    }
    try:
        ran = subprocess.run(
            [sys.executable, "-B", PARTNER], input=json.dumps(order), capture_output=True, text=True, timeout=60
        )
    finally:
        server.stop(0).wait()
    assert ran.returncode == 0, ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert answers[0] == {"answer": {"entryUrl": "https://gateway.example/enter?code=c0de"}}
    assert answers[1] == {"code": 3, "name": "invalid argument", "message": "user_id: missing"}
    assert (answers[2]["code"], answers[2]["name"]) == (12, "unimplemented")
    assert answers[3]["answer"]["sso.v1.IdentityProvider"]["Logout"] == "sso.v1.LogoutRequest"
    assert answers[4:] == [{"answer": {"serving": True}}, {"answer": {"serving": False}}]
    (user, account, metadata), (_, _, without) = seen
    assert (user, account, metadata["authorization"]) == ("anna-1", "AG-1", "Bearer t0ken")
    assert "authorization" not in without and without["x-request-id"] == "7"
