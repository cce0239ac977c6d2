"""The session-transfer endpoint for FastAPI, and for Starlette below it."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Awaitable, Callable, Optional, TypeVar, Union

from starlette.requests import Request
from starlette.responses import Response

from .client import Client
from .transfer import Endpoint, Outcome, Refusal, Transfer, User

T = TypeVar("T")
Asked = Union[T, Awaitable[T]]


def session_transfer(
    client: Client,
    *,
    partner_id: str,
    user: Callable[[Request], Asked[Optional[User]]],
    allow: Optional[Callable[[User, Transfer], Asked[bool]]],
    login: str,
    refused: Optional[Callable[[Request, Refusal], Response]] = None,
    **options: Any,
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint, for `app.add_api_route`. `user` says who is signed in, `allow` whether they may enter (only True is
    yes; None denies everybody); both may be `async`. `login` is your login page, which gets the way back as `next`.
    `refused` may answer refusals with a page of yours. Options: login_parameter, back_url, back_url_text."""
    endpoint = Endpoint(client, partner_id, login, **options)

    async def outcome_of(request: Request) -> Outcome:
        query = request.scope["query_string"].decode("latin-1")
        transfer = endpoint.read(request.method, query)
        if isinstance(transfer, Refusal):
            return transfer
        person = await _settled(user(request))
        if person is None:
            return endpoint.login(request.url.path, query)
        allowed = await _settled(allow(person, transfer)) if allow else None
        # The gateway is asked in a thread, so that others are served meanwhile.
        return await asyncio.to_thread(endpoint.enter, transfer, person, allowed)

    async def view(request: Request) -> Response:
        outcome = await outcome_of(request)
        if isinstance(outcome, Refusal) and refused is not None:
            return refused(request, outcome)
        return _response(outcome)

    # FastAPI evaluates annotations where it looks, which is not here.
    view.__annotations__ = {"request": Request, "return": Response}
    return view


async def _settled(value: Asked[T]) -> T:
    return await value if inspect.isawaitable(value) else value


def _response(outcome: Outcome) -> Response:
    text = outcome.text() if isinstance(outcome, Refusal) else ""
    return Response(text, outcome.status, outcome.headers(), media_type="text/plain")
