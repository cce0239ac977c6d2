"""The session-transfer endpoint for Django."""

from __future__ import annotations

from typing import Any, Callable, Optional

from django.http import HttpRequest, HttpResponse

from .client import Client
from .transfer import Endpoint, Outcome, Refusal, Transfer, User


def session_transfer(
    client: Client,
    *,
    partner_id: str,
    user: Callable[[HttpRequest], Optional[User]],
    allow: Optional[Callable[[User, Transfer], bool]],
    login: str,
    refused: Optional[Callable[[HttpRequest, Refusal], HttpResponse]] = None,
    **options: Any,
) -> Callable[[HttpRequest], HttpResponse]:
    """A view. `user` says who is signed in, `allow` whether they may enter (only True is yes; None denies everybody),
    `login` is your login page, which gets the way back as `next`. `refused` may answer refusals with a page of yours.
    Options: login_parameter, back_url, back_url_text."""
    endpoint = Endpoint(client, partner_id, login, **options)

    def view(request: HttpRequest) -> HttpResponse:
        outcome = _outcome(endpoint, request, user, allow)
        if isinstance(outcome, Refusal) and refused is not None:
            return refused(request, outcome)
        return _response(outcome)

    return view


def _outcome(
    endpoint: Endpoint,
    asked: HttpRequest,
    user: Callable[[HttpRequest], Optional[User]],
    allow: Optional[Callable[[User, Transfer], bool]],
) -> Outcome:
    query = asked.META.get("QUERY_STRING", "")
    transfer = endpoint.read(asked.method or "", query)
    if isinstance(transfer, Refusal):
        return transfer
    person = user(asked)
    if person is None:
        return endpoint.login(asked.path, query)
    return endpoint.enter(transfer, person, allow(person, transfer) if allow else None)


def _response(outcome: Outcome) -> HttpResponse:
    # Not HttpResponseRedirect: it writes the address anew, and this one goes out as the gateway made it.
    text = outcome.text() if isinstance(outcome, Refusal) else ""
    headers = {**outcome.headers(), "content-type": "text/plain; charset=utf-8"}
    return HttpResponse(text, status=outcome.status, headers=headers)
