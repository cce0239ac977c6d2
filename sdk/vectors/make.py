"""Writes the vectors beside it: `python3 sdk/vectors/make.py`; with `--check` it only compares.

Only Python's own library, and none of any SDK: what an SDK is tested with shall not come from it.
"""

from __future__ import annotations

import base64
import json
import pathlib
import sys
from typing import Any
from urllib.parse import quote

HERE = pathlib.Path(__file__).resolve().parent
GATEWAY = "https://gateway.example"
EMAIL = "portal@abc.gateway.example"
#: 2026-01-02T03:04:05Z, in seconds.
NOW = 1767323045


def encoded(text: str) -> str:
    """Percent-encoded: everything except letters, digits and `-._~`."""
    return quote(text, safe="")


def standard(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def url_safe(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


# Service contexts.

ACCOUNT = '{"_type":"account","account_id":"AG-1"}'
PARTNER = '{"_type":"partner","partner_id":"ABC"}'
SUPERADMIN = '{"_type":"superadmin"}'


def written(name: str, context: dict[str, Any], text: str, wire: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "context": context,
        "json": text,
        "encoded": standard(text),
        "query_value": encoded(standard(text)),
        "wire": wire,
    }


def read(name: str, text: str, context: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "text": text, "context": context}


def refused(name: str, text: str, code: str = "context_malformed") -> dict[str, Any]:
    return {"name": name, "text": text, "code": code}


def refused_json(name: str, text: str, code: str = "context_malformed") -> dict[str, Any]:
    return refused(name, standard(text), code)


def contexts() -> dict[str, Any]:
    account = {"account_id": "AG-1"}
    longest = "a" * 64
    return {
        "encode": [
            written("account", account, ACCOUNT, {"account": {"accountId": "AG-1"}}),
            written("partner", {"partner_id": "ABC"}, PARTNER, {"partner": {"partnerId": "ABC"}}),
            written(
                "account with all characters of ids",
                {"account_id": "A.b_c-9"},
                '{"_type":"account","account_id":"A.b_c-9"}',
                {"account": {"accountId": "A.b_c-9"}},
            ),
            written(
                "account of the greatest length",
                {"account_id": longest},
                '{"_type":"account","account_id":"' + longest + '"}',
                {"account": {"accountId": longest}},
            ),
        ],
        "parse": [
            read("standard with padding", standard(PARTNER), {"partner_id": "ABC"}),
            read("standard without padding", standard(PARTNER).rstrip("="), {"partner_id": "ABC"}),
            read("URL-safe with padding", url_safe(ACCOUNT), account),
            read("URL-safe without padding", url_safe(ACCOUNT + " ").rstrip("="), account),
            read("members in the other order", standard('{"account_id":"AG-1","_type":"account"}'), account),
            read("blanks between members", standard('{ "_type" : "account",\n "account_id" : "AG-1" }'), account),
            read("escapes inside strings", standard('{"_type":"acco\\u0075nt","account_id":"AG\\u002d1"}'), account),
        ],
        "deny": [
            refused_json("superadmin", SUPERADMIN, "context_forbidden"),
        ],
        "refuse": [
            refused("empty", ""),
            refused("not base64", "%%%%"),
            refused("JSON that is not encoded", ACCOUNT),
            refused("blank in front", " " + standard(PARTNER)),
            refused("line end behind", standard(PARTNER) + "\n"),
            refused("line end inside", standard(PARTNER)[:10] + "\n" + standard(PARTNER)[10:]),
            refused("padding half there", standard(SUPERADMIN)[:-1]),
            refused("padding too long", standard(SUPERADMIN) + "="),
            refused("padding only", "=="),
            refused("bits behind the last byte", standard(SUPERADMIN)[:-3] + "R=="),
            refused("cut short", standard(ACCOUNT)[:-4]),
            refused("encoded twice", standard(standard(ACCOUNT))),
            refused("percent-encoded still", encoded(standard(PARTNER))),
            refused("a megabyte", standard(" " * 786_432)),
            refused("ten thousand deep", standard("[" * 10_000 + "]" * 10_000)),
            refused("seven hundred deep", standard("[" * 350 + "]" * 350)),
            refused("no UTF-8", base64.b64encode(b'{"_type":"account","account_id":"\xff"}').decode()),
            refused("UTF-16", base64.b64encode(ACCOUNT.encode("utf-16")).decode()),
            refused("byte order mark", base64.b64encode(b"\xef\xbb\xbf" + ACCOUNT.encode()).decode()),
            refused_json("no JSON", "account"),
            refused_json("a list", "[" + ACCOUNT + "]"),
            refused_json("a string", '"account"'),
            refused_json("null", "null"),
            refused_json("nothing inside", "{}"),
            refused_json("JSON and more", ACCOUNT + ACCOUNT),
            refused_json("no type", '{"account_id":"AG-1"}'),
            refused_json("type that is no string", '{"_type":1,"account_id":"AG-1"}'),
            refused_json("type in a list", '{"_type":["account"],"account_id":"AG-1"}'),
            refused_json("account without id", '{"_type":"account"}'),
            refused_json("account with a partner's id only", '{"_type":"account","partner_id":"ABC"}'),
            refused_json("two contexts at once", '{"_type":"account","account_id":"AG-1","partner_id":"ABC"}'),
            refused_json("two contexts the other way", '{"_type":"partner","account_id":"AG-1","partner_id":"ABC"}'),
            refused_json("type twice", '{"_type":"partner","_type":"account","account_id":"AG-1"}'),
            refused_json("id twice", '{"_type":"account","account_id":"AG-1","account_id":"AG-2"}'),
            refused_json("superadmin with more", '{"_type":"superadmin","account_id":"AG-1"}'),
            refused_json("account with more", '{"_type":"account","account_id":"AG-1","name":"x"}'),
            refused_json("an account in more bytes than it may have", ACCOUNT + " " * 768),
            refused_json("empty id", '{"_type":"account","account_id":""}'),
            refused_json("id that is no string", '{"_type":"account","account_id":7}'),
            refused_json("id in a list", '{"_type":"account","account_id":["AG-1"]}'),
            refused_json("id that leads upwards", '{"_type":"account","account_id":".."}'),
            refused_json("id with a slash", '{"_type":"account","account_id":"a/b"}'),
            refused_json("id with a blank", '{"_type":"account","account_id":" AG-1"}'),
            refused_json("id with a line end", '{"_type":"account","account_id":"AG-1\\n"}'),
            refused_json("id too long", '{"_type":"account","account_id":"' + "a" * 65 + '"}'),
            refused_json("id in other letters", '{"_type":"account","account_id":"\u0410G-1"}'),
            refused_json("digits in other letters", '{"_type":"account","account_id":"AG-\u0661"}'),
            refused_json("type in capitals", '{"_type":"Account","account_id":"AG-1"}', "context_type_unknown"),
            refused_json("type unknown", '{"_type":"brand","brand_id":"B-1"}', "context_type_unknown"),
            refused_json("type with a blank", '{"_type":"account ","account_id":"AG-1"}', "context_type_unknown"),
            refused_json("type empty", '{"_type":""}', "context_type_unknown"),
        ],
    }


# Assertions of service accounts.


def assertion(name: str, key_file: str, jti: str, alg: str, kid: str, exchange: str) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "aud": GATEWAY,
        "iss": EMAIL,
        "sub": EMAIL,
        "iat": NOW,
        "exp": NOW + 600,
        "jti": jti,
    }
    if exchange == "session_token":
        claims["kid"] = kid
        url = f"{GATEWAY}/iam.v1.UserIAM/GetSessionToken"
        request = {"url": url, "content_type": "application/json", "json": {"token": "ASSERTION"}}
    else:
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        request = {
            "url": f"{GATEWAY}/oauth2/token",
            "content_type": "application/x-www-form-urlencoded",
            "form": {"grant_type": grant, "assertion": "ASSERTION"},
        }
    return {
        "name": name,
        "key_file": f"keys/{key_file}",
        "now": NOW,
        "jti": jti,
        "exchange": exchange,
        "header": {"alg": alg, "kid": kid, "typ": "JWT"},
        "claims": claims,
        "request": request,
    }


def assertions() -> dict[str, Any]:
    bearer, session = "bearer", "session_token"
    one, two, three = (f"0b9c8f0e-5d2e-4b6e-9a51-7c1f0d9e000{at}" for at in "123")
    return {
        "public_keys": "keys/public.json",
        "cases": [
            assertion("ES256 at /oauth2/token", "es256.json", one, "ES256", "key-es256", bearer),
            assertion("RS256 at /oauth2/token", "rs256.json", two, "RS256", "key-rs256", bearer),
            assertion(
                "ES256 at GetSessionToken", "es256-session-token.json", three, "ES256", "key-es256", session
            ),
        ],
    }


def key_files() -> dict[str, Any]:
    good = json.loads((HERE / "keys/es256.json").read_text())

    def without(name: str) -> dict[str, Any]:
        return {"name": f"no {name}", "base": "keys/es256.json", "remove": [name], "set": {}}

    def changed(name: str, **members: Any) -> dict[str, Any]:
        return {"name": name, "base": "keys/es256.json", "remove": [], "set": members}

    def payload(**members: Any) -> dict[str, Any]:
        return {**good["assertionPayloadData"], **members}

    required = ["type", "private_key_id", "private_key", "client_email", "token_uri", "assertionPayloadData"]
    return {
        "good": [
            {"file": "keys/es256.json", "alg": "ES256", "pem": "SEC 1", "base_url": GATEWAY, "client_email": EMAIL},
            {"file": "keys/rs256.json", "alg": "RS256", "pem": "PKCS#1", "base_url": GATEWAY, "client_email": EMAIL},
            {
                "file": "keys/es256-session-token.json",
                "alg": "ES256",
                "pem": "SEC 1",
                "base_url": GATEWAY,
                "client_email": EMAIL,
            },
        ],
        "refuse": [
            {"name": "no JSON", "text": "service_account"},
            {"name": "a list", "text": "[]"},
            {"name": "empty", "text": ""},
            *[without(name) for name in required],
            changed("another type", type="authorized_user"),
            changed("a private key that is none", private_key="secret"),
            changed("a private key cut short", private_key=good["private_key"].replace("MHcC", "MHc", 1)),
            changed("a token_uri that is no address", token_uri="/oauth2/token"),
            changed("a token_uri over plain http", token_uri="http://gateway.example/oauth2/token"),
            changed("a token_uri with a user", token_uri="https://gateway.example@evil.example/oauth2/token"),
            changed("an alg that is not the key's", assertionHeaderData={"alg": "RS256", "kid": "key-es256"}),
            changed("an alg without a key", assertionHeaderData={"alg": "none", "kid": "key-es256"}),
            changed("no aud", assertionPayloadData={"iss": EMAIL, "sub": EMAIL}),
            changed("an aud that is no string", assertionPayloadData=payload(aud=7)),
        ],
    }


# Calls of sso.v1.


def call(
    name: str,
    method: str,
    arguments: dict[str, Any],
    body: dict[str, Any],
    answer: dict[str, Any],
    result: Any,
    service: str = "IdentityProvider",
) -> dict[str, Any]:
    path = f"/sso.v1.{service}/{method}"
    return {
        "name": name,
        "method": method,
        "arguments": arguments,
        "path": path,
        "body": body,
        "answer": answer,
        "result": result,
    }


def calls() -> dict[str, Any]:
    account = {"account_id": "AG-1"}
    wire = {"account": {"accountId": "AG-1"}}
    entry = "https://app.example/AG-1/"
    with_code = f"{GATEWAY}/enter?code=c0de&nextUrl=https%3A%2F%2Fapp.example%2Freports"
    transfer = "https://portal.example/session-transfer?serviceProviderId=MP-1&serviceContext=e30%3D"
    return {
        "cases": [
            call(
                "an app's entry URL",
                "GetEntryURL",
                {"service_provider_id": "MP-1", "context": account},
                {"serviceProviderId": "MP-1", "context": wire},
                {"entryUrl": entry},
                entry,
            ),
            call(
                "an app's entry URL with a path",
                "GetEntryURL",
                {
                    "service_provider_id": "MP-1",
                    "context": account,
                    "path": "/reports?for={{accountId}}",
                    "skip_gateway_authentication": True,
                },
                {
                    "serviceProviderId": "MP-1",
                    "context": wire,
                    "path": "/reports?for={{accountId}}",
                    "skipGatewayAuthentication": True,
                },
                {"entryUrl": entry},
                entry,
            ),
            call(
                "the least of an entry with a code",
                "GetEntryURLWithCode",
                {"service_provider_id": "MP-1", "context": {"partner_id": "ABC"}, "user_id": "anna-1"},
                {
                    "serviceProviderId": "MP-1",
                    "context": {"partner": {"partnerId": "ABC"}},
                    "userId": "anna-1",
                },
                {"entryUrl": with_code, "somethingNew": 1},
                with_code,
            ),
            call(
                "everything of an entry with a code",
                "GetEntryURLWithCode",
                {
                    "service_provider_id": "MP-1",
                    "context": account,
                    "user_id": "\u00e4nna/1 ",
                    "session_id": "s-9",
                    "email": "anna@abc.example",
                    "next_url": "https://app.example/reports?a=1&b=%2F#top",
                    "back_url": "https://portal.example/home",
                    "back_url_text": "Zur\u00fcck",
                    "federated_identity_provider": "corporate",
                    "impersonator_user_id": "support-7",
                },
                {
                    "serviceProviderId": "MP-1",
                    "context": wire,
                    "userId": "\u00e4nna/1 ",
                    "sessionId": "s-9",
                    "email": "anna@abc.example",
                    "nextUrl": "https://app.example/reports?a=1&b=%2F#top",
                    "backUrl": "https://portal.example/home",
                    "backUrlText": "Zur\u00fcck",
                    "federatedIdentityProvider": "corporate",
                    "impersonatorUserId": "support-7",
                },
                {"entryUrl": with_code},
                with_code,
            ),
            call(
                "several entry URLs, in the order asked",
                "GetMultiEntryURL",
                {"service_provider_ids": ["MP-2", "MP-1"], "context": account},
                {"serviceProviderIds": ["MP-2", "MP-1"], "context": wire},
                {"entryUrls": ["https://two.example/", "https://one.example/"]},
                ["https://two.example/", "https://one.example/"],
            ),
            call("the end of a session", "Logout", {"session_id": "s-9"}, {"sessionId": "s-9"}, {}, None),
            call("the end of a user's sessions", "Logout", {"user_id": "anna-1"}, {"userId": "anna-1"}, {}, None),
            call(
                "where a session is transferred",
                "GetSessionTransferURL",
                {"service_provider_id": "MP-1", "context": account},
                {"serviceProviderId": "MP-1", "context": wire},
                {"sessionTransferUrl": transfer},
                transfer,
                "ServiceProvider",
            ),
            call(
                "where a user signs out",
                "GetLogoutURL",
                {"service_provider_id": "MP-1", "next_url": "https://app.example/bye"},
                {"serviceProviderId": "MP-1", "nextUrl": "https://app.example/bye"},
                {"logoutUrl": f"{GATEWAY}/oauth2/logout"},
                f"{GATEWAY}/oauth2/logout",
                "ServiceProvider",
            ),
        ],
        "refuse": [
            {"name": "no app", "method": "GetEntryURL", "arguments": {"service_provider_id": "", "context": account}},
            {"name": "logout of nobody", "method": "Logout", "arguments": {}},
            {
                "name": "logout by two names",
                "method": "Logout",
                "arguments": {"session_id": "s-9", "user_id": "anna-1"},
            },
            {
                "name": "nobody enters",
                "method": "GetEntryURLWithCode",
                "arguments": {"service_provider_id": "MP-1", "context": account},
            },
        ],
        "misunderstood": [
            {"name": "no JSON", "body": "<html>"},
            {"name": "no object", "body": "[]"},
            {"name": "empty", "body": ""},
            {"name": "without the address", "body": "{}"},
            {"name": "address that is null", "body": '{"entryUrl":null}'},
            {"name": "address that is empty", "body": '{"entryUrl":""}'},
            {"name": "address that is no string", "body": '{"entryUrl":["https://app.example/"]}'},
        ],
    }


# Errors.


def error(name: str, status: int, body: Any, code: int, message: str, repeated: bool = False) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"name": name, "status": status, "body": text, "code": code, "message": message, "repeated": repeated}


def errors() -> dict[str, Any]:
    numbers = [
        (1, "cancelled", 503, False),
        (2, "unknown", 500, False),
        (3, "invalid_argument", 400, False),
        (4, "deadline_exceeded", 408, True),
        (5, "not_found", 404, False),
        (6, "already_exists", 409, False),
        (7, "permission_denied", 403, False),
        (8, "resource_exhausted", 429, True),
        (9, "failed_precondition", 412, False),
        (10, "aborted", 503, False),
        (11, "out_of_range", 500, False),
        (12, "unimplemented", 501, False),
        (13, "internal", 500, False),
        (14, "unavailable", 503, True),
        (15, "data_loss", 500, False),
        (16, "unauthenticated", 401, False),
    ]
    told = "user_id: missing; send your own id of the user"
    return {
        "codes": [{"code": code, "name": name, "status": status} for code, name, status, _ in numbers],
        "cases": [
            *[
                error(name, status, {"code": code, "message": told, "details": []}, code, told, repeated)
                for code, name, status, repeated in numbers
            ],
            error("a code nobody knows", 500, {"code": 99, "message": told, "details": []}, 2, told),
            error("the number counts, not the status", 200 + 300, {"code": 5, "message": told}, 5, told),
            error("without a number", 404, {"message": told}, 5, told),
            error("a number that is text", 403, {"code": "7", "message": told}, 7, told),
            error("a number that is none", 403, {"code": True, "message": told}, 7, told),
            error("not JSON", 404, "<html>not here</html>", 5, "HTTP 404"),
            error("empty", 401, "", 16, "HTTP 401"),
            error("a list", 409, "[]", 6, "HTTP 409"),
            error("a proxy without the gateway", 502, "<html>Bad Gateway</html>", 14, "HTTP 502", True),
            error("a proxy that waited", 504, "<html>Gateway Time-out</html>", 14, "HTTP 504", True),
            error("a status of no meaning here", 418, "", 2, "HTTP 418"),
            error("a redirect, which is not followed", 302, "", 2, "HTTP 302"),
        ],
    }


# The session-transfer endpoint.

PATH = "/session-transfer"
ANNA = {"id": "anna-1", "session_id": "s-9"}
ENTRY = f"{GATEWAY}/enter?code=c0de"


def query(context: str = ACCOUNT, **more: str) -> str:
    parts = {"serviceProviderId": "MP-1", "serviceContext": standard(context), **more}
    return "&".join(f"{name}={encoded(value)}" for name, value in parts.items())


def transfer(name: str, query: str, expect: dict[str, Any], **more: Any) -> dict[str, Any]:
    case = {"name": name, "method": "GET", "query": query, "user": ANNA, "allow": True}
    return {**case, **more, "expect": {"sent": None, **expect}}


def redirect(location: str, sent: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"status": 303, "location": location, "sent": sent}


def refusal(status: int, code: str, sent: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"status": status, "code": code, "sent": sent}


def to_login(query: str) -> dict[str, Any]:
    return redirect("/login?next=" + encoded(f"{PATH}?{query}"))


def told_by_gateway(name: str, status: int, code: int, expected: tuple[int, str]) -> dict[str, Any]:
    answer = {"status": status, "body": {"code": code, "message": "told", "details": []}}
    return transfer(name, query(), refusal(*expected, SENT), gateway=answer)


SENT = {
    "serviceProviderId": "MP-1",
    "context": {"account": {"accountId": "AG-1"}},
    "userId": "anna-1",
    "sessionId": "s-9",
}
SENT_PARTNER = {**SENT, "context": {"partner": {"partnerId": "ABC"}}}


def wrong_entry(name: str, url: str) -> dict[str, Any]:
    answer = {"status": 200, "body": {"entryUrl": url}}
    return transfer(name, query(), refusal(502, "entry_url_refused", SENT), gateway=answer)


def session_transfer() -> dict[str, Any]:
    next_url = "https://app.example/reports?a=1&b=%2F#top"
    odd = query() + "&x=%2f%41+b&&nextUrl=https%3a%2f%2fapp.example%2f%3fy%3d%252F&=&z"
    bob = {
        "id": "b\u00f6b \u2713",
        "session_id": "s-1",
        "email": "bob@abc.example",
        "federated_identity_provider": "corporate",
        "impersonator_id": "support-7",
    }
    return {
        "partner_id": "ABC",
        "path": PATH,
        "login": "/login",
        "gateway": {"status": 200, "body": {"entryUrl": ENTRY}},
        "cases": [
            transfer("an account that the user may enter", query(), redirect(ENTRY, SENT)),
            transfer("the partner's own context", query(PARTNER), redirect(ENTRY, SENT_PARTNER)),
            transfer(
                "URL-safe and without padding",
                f"serviceProviderId=MP-1&serviceContext={url_safe(PARTNER).rstrip('=')}",
                redirect(ENTRY, SENT_PARTNER),
            ),
            transfer(
                "nextUrl is passed on unchanged",
                query(nextUrl=next_url),
                redirect(ENTRY, {**SENT, "nextUrl": next_url}),
            ),
            transfer("an empty nextUrl is none", query(nextUrl=""), redirect(ENTRY, SENT)),
            transfer("other parameters do not matter", query(utm_source="mail") + "&&", redirect(ENTRY, SENT)),
            transfer(
                "everything that is known of a user",
                query(),
                redirect(
                    ENTRY,
                    {
                        **SENT,
                        "userId": "b\u00f6b \u2713",
                        "sessionId": "s-1",
                        "email": "bob@abc.example",
                        "federatedIdentityProvider": "corporate",
                        "impersonatorUserId": "support-7",
                    },
                ),
                user=bob,
            ),
            transfer(
                "the back button",
                query(),
                redirect(ENTRY, {**SENT, "backUrl": "https://portal.example/", "backUrlText": "Back"}),
                back_url="https://portal.example/",
                back_url_text="Back",
            ),
            transfer("not signed in", query(), to_login(query()), user=None),
            transfer("not signed in, with an odd query: kept byte for byte", odd, to_login(odd), user=None),
            transfer(
                "not signed in, nextUrl to a stranger: it stays inside",
                query(nextUrl="//evil.example"),
                to_login(query(nextUrl="//evil.example")),
                user=None,
            ),
            transfer("not allowed", query(), refusal(403, "access_denied"), allow=False),
            transfer("nobody said that it is allowed", query(), refusal(403, "access_denied"), allow=None),
            transfer("not allowed, the partner's own", query(PARTNER), refusal(403, "access_denied"), allow=False),
            transfer(
                "another partner's context, though allowed",
                query('{"_type":"partner","partner_id":"ABCD"}'),
                refusal(403, "partner_mismatch"),
            ),
            transfer(
                "the partner in other letters",
                query('{"_type":"partner","partner_id":"abc"}'),
                refusal(403, "partner_mismatch"),
            ),
            transfer("superadmin, though allowed", query(SUPERADMIN), refusal(403, "context_forbidden")),
            transfer(
                "a type that came later, though allowed",
                query('{"_type":"brand","brand_id":"B-1"}'),
                refusal(403, "context_type_unknown"),
            ),
            transfer("superadmin, not signed in", query(SUPERADMIN), refusal(403, "context_forbidden"), user=None),
            transfer(
                "two contexts in one",
                query('{"_type":"account","account_id":"AG-1","partner_id":"ABC"}'),
                refusal(400, "context_malformed"),
            ),
            transfer("no base64", "serviceProviderId=MP-1&serviceContext=%25", refusal(400, "context_malformed")),
            transfer("an empty context", "serviceProviderId=MP-1&serviceContext=", refusal(400, "context_malformed")),
            transfer("no context", "serviceProviderId=MP-1", refusal(400, "request_malformed")),
            transfer("two contexts", query() + "&serviceContext=" + encoded(standard(PARTNER)), refusal(400, "request_malformed")),
            transfer("two apps", query() + "&serviceProviderId=MP-2", refusal(400, "request_malformed")),
            transfer("two next URLs", query(nextUrl="https://a.example/") + "&nextUrl=", refusal(400, "request_malformed")),
            transfer("no app", "serviceContext=" + encoded(standard(ACCOUNT)), refusal(400, "request_malformed")),
            transfer(
                "an app that is no id",
                "serviceProviderId=..%2F&serviceContext=" + encoded(standard(ACCOUNT)),
                refusal(400, "request_malformed"),
            ),
            transfer("no query", "", refusal(400, "request_malformed")),
            transfer("no UTF-8", query() + "&nextUrl=%ff", refusal(400, "request_malformed")),
            transfer("a query of nine thousand bytes", query(x="a" * 9_000), refusal(400, "request_malformed")),
            told_by_gateway("the gateway finds a field wrong", 400, 3, (403, "gateway_refused")),
            told_by_gateway("the gateway does not know it", 404, 5, (403, "gateway_refused")),
            told_by_gateway("the gateway forbids it", 403, 7, (403, "gateway_refused")),
            told_by_gateway("the gateway says not now", 412, 9, (403, "gateway_refused")),
            told_by_gateway("the gateway does not know the caller", 401, 16, (502, "gateway_failed")),
            told_by_gateway("the gateway fails", 500, 13, (502, "gateway_failed")),
            told_by_gateway("the gateway is away", 503, 14, (503, "gateway_unavailable")),
            told_by_gateway("the gateway is busy", 429, 8, (503, "gateway_unavailable")),
            transfer(
                "an entry URL on this machine",
                query(),
                redirect("http://localhost:8080/enter?code=c0de", SENT),
                gateway={"status": 200, "body": {"entryUrl": "http://localhost:8080/enter?code=c0de"}},
            ),
            wrong_entry("an entry URL over plain http", "http://app.example/enter?code=c0de"),
            wrong_entry("an entry URL that is a script", "javascript:alert(1)//"),
            wrong_entry("an entry URL without a scheme", "//app.example/enter"),
            wrong_entry("an entry URL without a host", "https:///enter"),
            wrong_entry("an entry URL with a user", "https://gateway.example@evil.example/enter"),
            wrong_entry("an entry URL with a line end", "https://gateway.example/\r\nset-cookie: a=b"),
            wrong_entry("an entry URL with a backslash", "https://gateway.example\\@evil.example/"),
            wrong_entry("this machine only by its beginning", "http://localhost.evil.example/"),
        ],
        "local_return": {
            "kept": [
                "/",
                PATH + "?" + query(),
                "/a?b=https://evil.example",
                "/a/../b#c",
                "/%2f%2fevil.example",
            ],
            "replaced": [
                "",
                "a",
                "?a",
                "#a",
                "//evil.example",
                "///evil.example",
                "/\\evil.example",
                "\\\\evil.example",
                "/\t/evil.example",
                "/\n/evil.example",
                "\t//evil.example",
                " //evil.example",
                "/ /evil.example",
                "https://evil.example",
                "https:evil.example",
                "javascript:alert(1)",
                "/a\r\nset-cookie: a=b",
                "/a\u0000",
            ],
        },
    }


# Tenant tokens of the first door.


def tenant_tokens() -> dict[str, Any]:
    secret = "a secret of the vectors, of at least 32 bytes"
    jti = "0b9c8f0e-5d2e-4b6e-9a51-7c1f0d9e0009"
    xti = {"connector_name": "acme", "integration_name": "acme2weather", "token": "anna's token"}

    def case(name: str, arguments: dict[str, Any], header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "secret": secret,
            "now": NOW,
            "jti": jti,
            "arguments": arguments,
            "header": {"alg": "HS256", "typ": "JWT", **header},
            "claims": {"iat": NOW, "jti": jti, **claims},
        }

    least = {"subject": "anna@example.com", **xti}
    return {
        "cases": [
            case("the least", least, {}, {"sub": "anna@example.com", "xti": xti}),
            case("no connector", {"subject": "anna"}, {}, {"sub": "anna"}),
            case(
                "everything",
                {
                    "subject": "\u00e4nna",
                    **xti,
                    "key_id": "key-7",
                    "audience": GATEWAY,
                    "lifetime_s": 300,
                    "external_id": "7",
                    "meta": {"plan": ["gold"]},
                    "display_name": "\u00c4nna",
                    "full_name": "\u00c4nna Muster",
                    "email": "anna@example.com",
                    "external_integrations": ["12", "13"],
                    "acting_user_id": "support-7",
                    "acting_user_name": "Sam",
                    "extra": {"user_group": "a", "hidden_integrations": ["b"]},
                },
                {"kid": "key-7"},
                {
                    "sub": "\u00e4nna",
                    "exp": NOW + 300,
                    "aud": GATEWAY,
                    "external_id": "7",
                    "meta": {"plan": ["gold"]},
                    "ti": {
                        "udn": "\u00c4nna",
                        "ufn": "\u00c4nna Muster",
                        "uem": "anna@example.com",
                        "ili": ["12", "13"],
                        "aid": "support-7",
                        "adn": "Sam",
                    },
                    "xti": {**xti, "user_group": "a", "hidden_integrations": ["b"]},
                },
            ),
        ],
        "refuse": [
            {"name": "no secret", "secret": "", "arguments": least},
            {"name": "no subject", "secret": secret, "arguments": {**least, "subject": ""}},
            {"name": "a life over an hour", "secret": secret, "arguments": {**least, "lifetime_s": 3601}},
            {"name": "no life", "secret": secret, "arguments": {**least, "lifetime_s": 0}},
            {"name": "over 8 KiB", "secret": secret, "arguments": {**least, "token": "a" * 8192}},
            {
                "name": "a name said twice",
                "secret": secret,
                "arguments": {**least, "extra": {"token": "another"}},
            },
        ],
    }


FILES = {
    "contexts.json": contexts,
    "assertions.json": assertions,
    "key-files.json": key_files,
    "calls.json": calls,
    "errors.json": errors,
    "session-transfer.json": session_transfer,
    "tenant-tokens.json": tenant_tokens,
}


def shortened(value: Any) -> Any:
    """A text of more than 2,000 characters that repeats itself as `{"repeat": part, "times": n, "end": rest}`."""
    if isinstance(value, dict):
        return {name: shortened(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shortened(member) for member in value]
    if isinstance(value, str) and len(value) > 2_000:
        return runs(value)
    return value


def runs(text: str) -> dict[str, Any]:
    """The text as runs of a repeated part, each at most 8 characters long."""
    found: list[list[Any]] = []
    at = 0
    while at < len(text):
        best = (text[at : at + 1], 1)
        for size in range(1, 9):
            part = text[at : at + size]
            times = 1
            while text.startswith(part, at + size * times):
                times += 1
            if times > 3 and size * times > len(best[0]) * best[1]:
                best = (part, times)
        if best[1] == 1 and found and found[-1][1] == 1:
            found[-1][0] += best[0]
        else:
            found.append(list(best))
        at += len(best[0]) * best[1]
    assert "".join(part * times for part, times in found) == text
    return {"runs": found}


def main() -> int:
    stale = []
    for name, make in FILES.items():
        text = json.dumps(shortened(make()), indent=2, ensure_ascii=True) + "\n"
        path = HERE / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        print(f"not as make.py writes them: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
