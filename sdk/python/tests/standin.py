"""Acts as the gateway, over real sockets: exchanges assertions that it verifies, and answers calls as it is told."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qs

import jwt
import vectors

SESSION_TOKEN = "/iam.v1.UserIAM/GetSessionToken"
PUBLIC = {kid: jwt.PyJWK(jwk, {"EC": "ES256", "RSA": "RS256"}[jwk["kty"]]) for kid, jwk in vectors.load("keys/public.json").items()}


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Gateway:
    #: What the next calls get, before `usual`.
    planned: list[Answer] = field(default_factory=list)
    usual: Answer = field(default_factory=lambda: Answer(200, {"entryUrl": "https://app.example/"}))
    #: The same for exchanges of assertions.
    planned_tokens: list[Answer] = field(default_factory=list)
    #: Path and body of each call that came with a live token.
    calls: list[tuple[str, Any]] = field(default_factory=list)
    #: The claims of each assertion that was taken.
    assertions: list[dict[str, Any]] = field(default_factory=list)
    #: How many calls came with a token that is not live.
    rejected: int = 0
    live: set[str] = field(default_factory=set)
    life_s: int = 1_800
    #: Answers wait for this; with `holds_exchanges` only those to exchanges of assertions.
    open: threading.Event = field(default_factory=threading.Event)
    #: Set when a request has come.
    came: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    holds_exchanges: bool = False
    count: Any = field(default_factory=itertools.count)
    url: str = ""

    def __post_init__(self) -> None:
        self.open.set()

    def __enter__(self) -> Gateway:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                is_exchange = not self.path.startswith("/sso.v1.")
                if is_exchange or not gateway.holds_exchanges:
                    gateway.came.set()
                    gateway.open.wait(30)
                answer = gateway.answer(self.path, self.headers, body)
                text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                self.send_response(answer.status)
                for name, value in {"content-length": str(len(text.encode())), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(text.encode())
                except ConnectionError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """A client that went away is what some tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, path: str, headers: Any, body: bytes) -> Answer:
        with self.lock:
            if path in ("/oauth2/token", SESSION_TOKEN):
                return self.planned_tokens.pop(0) if self.planned_tokens else self.exchange(path, headers, body)
            if headers["authorization"].removeprefix("Bearer ") not in self.live:
                self.rejected += 1
                return Answer(401, {"code": 16, "message": "the access token is not taken", "details": []})
            assert headers["content-type"] == "application/json"
            self.calls.append((path, json.loads(body)))
            return self.planned.pop(0) if self.planned else self.usual

    def exchange(self, path: str, headers: Any, body: bytes) -> Answer:
        if path == SESSION_TOKEN:
            assert headers["content-type"] == "application/json"
            assertion = json.loads(body)["token"]
        else:
            assert headers["content-type"] == "application/x-www-form-urlencoded"
            form = parse_qs(body.decode(), strict_parsing=True)
            assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            [assertion] = form["assertion"]
        claims = self.verified(assertion)
        if any(claims["jti"] == known["jti"] for known in self.assertions):
            return Answer(400, {"error": "invalid_grant", "error_description": "the assertion was used already"})
        self.assertions.append(claims)
        if path == SESSION_TOKEN:
            header = jwt.get_unverified_header(assertion)
            assert (claims["kid"], header["alg"]) == (header["kid"], "ES256")
            return Answer(200, {"token": self.token()})
        return Answer(200, {"access_token": self.token(), "token_type": "Bearer", "expires_in": self.life_s})

    def token(self) -> str:
        now = int(time.time())
        claims = {"sub": "portal", "iat": now, "exp": now + self.life_s, "jti": str(next(self.count))}
        token = jwt.encode(claims, "a secret of the stand-in, of 32 bytes", algorithm="HS256")
        self.live.add(token)
        return token

    def verified(self, assertion: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(assertion)
        key = PUBLIC[header["kid"]]
        claims: dict[str, Any] = jwt.decode(
            assertion,
            key.key,
            algorithms=[key.algorithm_name],
            audience=self.url,
            options={"require": ["exp", "iat", "jti", "iss", "sub"]},
        )
        assert claims["iss"] == claims["sub"]
        return claims

    def key_file(self, name: str = "es256") -> dict[str, Any]:
        """A key file of the vectors, for this gateway."""
        text = (vectors.FOLDER / f"keys/{name}.json").read_text().replace("https://gateway.example", self.url)
        file: dict[str, Any] = json.loads(text)
        return file

    def revoke_all(self) -> None:
        with self.lock:
            self.live.clear()


def entry_of(gateway: Gateway) -> Optional[Any]:
    """What GetEntryURLWithCode was called with, if it was."""
    bodies = [body for path, body in gateway.calls if path == "/sso.v1.IdentityProvider/GetEntryURLWithCode"]
    assert len(bodies) == len(gateway.calls) <= 3
    return bodies[-1] if bodies else None
