"""A portal of a partner in each web framework, served over real sockets."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Optional
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from vestibule import Client, Refusal, Transfer, User

PATH = "/session-transfer"


@dataclass
class Portal:
    """What the portal knows and was asked. A case of a test sets it."""

    client: Client
    user: Optional[User] = None
    allow: Any = None
    options: dict[str, Any] = field(default_factory=dict)
    #: Whether the portal answers refusals with a page of its own.
    own_page: bool = False
    asked: list[Transfer] = field(default_factory=list)

    def arguments(self) -> dict[str, Any]:
        def allow(user: User, transfer: Transfer) -> Any:
            self.asked.append(transfer)
            return self.allow

        return {
            "partner_id": "ABC",
            "user": lambda request: self.user,
            "allow": None if self.allow is None else allow,
            "login": "/login",
            **self.options,
        }


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _wsgi(app: Any) -> Iterator[int]:
    with WSGIServer(("127.0.0.1", 0), Quiet) as server:
        server.set_app(app)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def flask(portal: Portal) -> Iterator[int]:
    from flask import Flask, Response

    from vestibule.flask import session_transfer

    app = Flask("portal")

    def own_page(refusal: Refusal) -> Response:
        return Response(f"<h1>{refusal.code}</h1>", refusal.status)

    @app.route(PATH, methods=["GET", "POST"])
    def view() -> Any:
        refused = own_page if portal.own_page else None
        return session_transfer(portal.client, refused=refused, **portal.arguments())()

    with _wsgi(app) as port:
        yield port


#: Django has one portal for each process, so that its address looks for the portal of the moment here.
_OF_DJANGO: list[Portal] = []


def _django_view(request: Any) -> Any:
    from django.http import HttpResponse

    from vestibule.django import session_transfer

    def own_page(request: Any, refusal: Refusal) -> HttpResponse:
        return HttpResponse(f"<h1>{refusal.code}</h1>", status=refusal.status)

    [portal] = _OF_DJANGO
    refused = own_page if portal.own_page else None
    return session_transfer(portal.client, refused=refused, **portal.arguments())(request)


@contextmanager
def django(portal: Portal) -> Iterator[int]:
    import django as library
    from django.conf import settings
    from django.urls import path

    if not settings.configured:
        urls = type("urls", (), {"urlpatterns": [path(PATH[1:], _django_view)]})
        settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="of tests", DEBUG=False)
        library.setup()
    from django.core.wsgi import get_wsgi_application

    _OF_DJANGO.append(portal)
    with _wsgi(get_wsgi_application()) as port:
        yield port
    _OF_DJANGO.clear()


@contextmanager
def falcon(portal: Portal) -> Iterator[int]:
    import falcon as library

    from vestibule.falcon import SessionTransfer

    def own_page(resp: Any, refusal: Refusal) -> None:
        resp.status, resp.text = refusal.status, f"<h1>{refusal.code}</h1>"

    class Resource:
        def on_get(self, req: Any, resp: Any) -> None:
            refused = own_page if portal.own_page else None
            SessionTransfer(portal.client, refused=refused, **portal.arguments()).on_get(req, resp)

    app = library.App()
    app.add_route(PATH, Resource())
    with _wsgi(app) as port:
        yield port


@contextmanager
def fastapi(portal: Portal) -> Iterator[int]:
    import uvicorn
    from fastapi import FastAPI, Request, Response

    from vestibule.fastapi import session_transfer

    app = FastAPI()

    def own_page(request: Request, refusal: Refusal) -> Response:
        return Response(f"<h1>{refusal.code}</h1>", refusal.status)

    async def view(request: Request) -> Response:
        arguments = portal.arguments()

        async def user(request: Request) -> Optional[User]:
            return portal.user

        refused = own_page if portal.own_page else None
        # `user` is async here and `allow` is not: both ways are taken.
        return await session_transfer(portal.client, refused=refused, **{**arguments, "user": user})(request)

    view.__annotations__ = {"request": Request, "return": Response}
    app.add_api_route(PATH, view)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()


ALL: dict[str, Callable[[Portal], Any]] = {"flask": flask, "django": django, "falcon": falcon, "fastapi": fastapi}


class _Careless(http.client.HTTPConnection):
    """Sends letters beyond ASCII as they are, as careless programs do."""

    def _encode_request(self, request: str) -> bytes:
        return request.encode("latin-1")


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    text: str


def ask(port: int, method: str, target: str) -> Answered:
    """Sends exactly this request line, and follows nothing."""
    connection = _Careless("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, headers, response.read().decode())
    finally:
        connection.close()
