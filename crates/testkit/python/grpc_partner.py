"""A partner's backend that speaks gRPC, with stubs that grpcio-tools makes from the published description.

Standard input: JSON {target, calls} with `target` as in `127.0.0.1:8080`, and as one wishes `authority` (the host that
the gateway shall see), `ca` (a PEM file: TLS), `token` (sent as a bearer token). A call is {service, method, message}
with `message` in the JSON form of the description, and as one wishes `token` (null: none), `metadata` (names and
values), `timeout_s`. `service` may also be `reflection` (no method: lists services, with the methods as described) and
`health` (`message` is a service's name). Standard output: one line of JSON for each call: {"answer": ..}, or
{"code", "name", "message"}.
"""

import importlib
import json
import pathlib
import sys
import tempfile

import grpc
from google.protobuf import json_format
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

DESCRIPTIONS = pathlib.Path(__file__).resolve().parents[3] / "sdk/proto"


def stubs():
    """The modules that protoc writes: messages and stubs."""
    with tempfile.TemporaryDirectory() as folder:
        import grpc_tools

        own = pathlib.Path(grpc_tools.__file__).parent / "_proto"
        arguments = [f"-I{DESCRIPTIONS}", f"-I{own}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
        status = protoc.main(["protoc", *arguments, "sso/v1/sso.proto"])
        assert status == 0, f"protoc ended with {status}"
        sys.path.insert(0, folder)
        sys.dont_write_bytecode = True
        return importlib.import_module("sso.v1.sso_pb2"), importlib.import_module("sso.v1.sso_pb2_grpc")


def opened(order):
    options = [("grpc.enable_http_proxy", 0)]
    if "authority" in order:
        options.append(("grpc.default_authority", order["authority"]))
    if "ca" not in order:
        return grpc.insecure_channel(order["target"], options)
    roots = pathlib.Path(order["ca"]).read_bytes()
    if "authority" in order:
        options.append(("grpc.ssl_target_name_override", order["authority"].rsplit(":", 1)[0]))
    return grpc.secure_channel(order["target"], grpc.ssl_channel_credentials(roots), options)


def called(order, call, channel, messages, services):
    if call["service"] == "reflection":
        return reflected(channel)
    timeout = call.get("timeout_s", 30)
    if call["service"] == "health":
        return healthy(channel, call["message"], timeout)
    method = getattr(getattr(services, f"{call['service']}Stub")(channel), call["method"])
    described = messages.DESCRIPTOR.services_by_name[call["service"]].methods_by_name[call["method"]]
    message = json_format.ParseDict(call["message"], getattr(messages, described.input_type.name)())
    token = call.get("token", order.get("token"))
    metadata = [(name, value) for name, value in call.get("metadata", {}).items()]
    if token is not None:
        metadata.append(("authorization", f"Bearer {token}"))
    return json_format.MessageToDict(method(message, metadata=metadata, timeout=timeout))


def healthy(channel, name, timeout):
    """`grpc.health.v1.Health/Check`, whose messages are small enough to be read by hand."""
    text = name.encode()
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    answer = check((b"\x0a" + bytes([len(text)]) + text) if text else b"", timeout=timeout)
    return {"serving": answer == b"\x08\x01"}


def reflected(channel):
    from google.protobuf.descriptor_pool import DescriptorPool

    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    names = sorted(name for name in database.get_services() if name.startswith("sso."))
    return {name: {method.name: method.input_type.full_name for method in pool.FindServiceByName(name).methods} for name in names}


def main():
    order = json.load(sys.stdin)
    messages, services = stubs()
    with opened(order) as channel:
        for call in order["calls"]:
            try:
                print(json.dumps({"answer": called(order, call, channel, messages, services)}))
            except grpc.RpcError as error:
                number, name = error.code().value
                print(json.dumps({"code": number, "name": name, "message": error.details()}))


if __name__ == "__main__":
    main()
