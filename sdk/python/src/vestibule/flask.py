"""The session-transfer endpoint for Flask."""

from __future__ import annotations

from typing import Any, Callable, Optional

from flask import Request, Response, request

from .client import Client
from .transfer import Endpoint, Outcome, Refusal, Transfer, User


def session_transfer(
    client: Client,
    *,
    partner_id: str,
    user: Callable[[Request], Optional[User]],
    allow: Optional[Callable[[User, Transfer], bool]],
    login: str,
    refused: Optional[Callable[[Refusal], Any]] = None,
    **options: Any,
) -> Callable[[], Any]:
    """A view. `user` says who is signed in, `allow` whether they may enter (only True is yes; None denies everybody),
    `login` is your login page, which gets the way back as `next`. `refused` may answer refusals with a page of yours.
    Options: login_parameter, back_url, back_url_text."""
    endpoint = Endpoint(client, partner_id, login, **options)

    def view() -> Any:
        outcome = _outcome(endpoint, request, user, allow)
        if isinstance(outcome, Refusal) and refused is not None:
            return refused(outcome)
        return _response(outcome)

    return view


def _outcome(
    endpoint: Endpoint,
    asked: Request,
    user: Callable[[Request], Optional[User]],
    allow: Optional[Callable[[User, Transfer], bool]],
) -> Outcome:
    query = asked.query_string.decode("latin-1")
    transfer = endpoint.read(asked.method, query)
    if isinstance(transfer, Refusal):
        return transfer
    person = user(asked)
    if person is None:
        return endpoint.login(asked.root_path + asked.path, query)
    return endpoint.enter(transfer, person, allow(person, transfer) if allow else None)


def _response(outcome: Outcome) -> Response:
    text = outcome.text() if isinstance(outcome, Refusal) else ""
    return Response(text, outcome.status, outcome.headers(), content_type="text/plain; charset=utf-8")
