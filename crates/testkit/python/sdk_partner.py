"""A partner's backend and its session-transfer endpoint, both with the SDK for Python, against a real gateway.

Standard input: JSON {key_file, partner_id, calls}. A call is {method, arguments} with the SDK's own names (`context` as
{account_id} or {partner_id}), or {transfer, user, accounts}: somebody (null: nobody) comes to the endpoint with this
query, and may enter these accounts. Standard output: one line of JSON for each call: {"result": ..}, {"error", "code",
"message"}, or {"status", "location", "text"}.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "sdk/python/src"))

import local_names
from flask import Flask
from vestibule import ApiError, Client, ServiceContext, User
from vestibule.flask import session_transfer

local_names.known()


def called(client, call):
    arguments = dict(call["arguments"])
    if "context" in arguments:
        arguments["context"] = ServiceContext(**arguments["context"])
    try:
        return {"result": getattr(client, call["method"])(**arguments)}
    except ApiError as error:
        return {"error": type(error).__name__, "code": error.code, "message": error.message}


def transferred(client, partner_id, call):
    app = Flask("portal")
    user = User(**call["user"]) if call["user"] else None
    view = session_transfer(
        client,
        partner_id=partner_id,
        login="/login",
        user=lambda request: user,
        allow=lambda user, transfer: transfer.account_id in call["accounts"],
    )
    app.add_url_rule("/session-transfer", "session_transfer", view)
    answer = app.test_client().get(f"/session-transfer?{call['transfer']}")
    return {"status": answer.status_code, "location": answer.headers.get("location"), "text": answer.text}


def main():
    order = json.load(sys.stdin)
    with Client.from_dict(order["key_file"]) as client:
        for call in order["calls"]:
            done = transferred(client, order["partner_id"], call) if "transfer" in call else called(client, call)
            print(json.dumps(done))


main()
