"""The session-transfer endpoint for Falcon (WSGI)."""

from __future__ import annotations

from typing import Any, Callable, Optional

from falcon import Request, Response

from .client import Client
from .transfer import Endpoint, Outcome, Refusal, Transfer, User


class SessionTransfer:
    """A resource, for `app.add_route`."""

    def __init__(
        self,
        client: Client,
        *,
        partner_id: str,
        user: Callable[[Request], Optional[User]],
        allow: Optional[Callable[[User, Transfer], bool]],
        login: str,
        refused: Optional[Callable[[Response, Refusal], None]] = None,
        **options: Any,
    ) -> None:
        """`user` says who is signed in, `allow` whether they may enter (only True is yes; None denies everybody),
        `login` is your login page, which gets the way back as `next`. `refused` may answer refusals with a page of
        yours. Options: login_parameter, back_url, back_url_text."""
        self._endpoint = Endpoint(client, partner_id, login, **options)
        self._user = user
        self._allow = allow
        self._refused = refused

    def on_get(self, req: Request, resp: Response) -> None:
        outcome = self._outcome(req)
        if isinstance(outcome, Refusal) and self._refused is not None:
            self._refused(resp, outcome)
        else:
            _answer(resp, outcome)

    def _outcome(self, asked: Request) -> Outcome:
        transfer = self._endpoint.read(asked.method, asked.query_string)
        if isinstance(transfer, Refusal):
            return transfer
        person = self._user(asked)
        if person is None:
            return self._endpoint.login(asked.root_path + asked.path, asked.query_string)
        return self._endpoint.enter(transfer, person, self._allow(person, transfer) if self._allow else None)


def _answer(resp: Response, outcome: Outcome) -> None:
    resp.set_headers(outcome.headers())
    resp.status = outcome.status
    resp.content_type = "text/plain; charset=utf-8"
    resp.text = outcome.text() if isinstance(outcome, Refusal) else ""
