"""The session-transfer endpoint: what it decides, without any web framework.

A browser arrives that the gateway has sent. The endpoint knows who is signed in at the partner, asks the partner's own
access check, gets an entry URL from the gateway and sends the browser there. `vestibule.flask`, `.fastapi`, `.django`
and `.falcon` are this endpoint for those frameworks.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Optional, Union
from urllib.parse import parse_qsl, quote

from .addresses import encoded, secure_origin
from .client import Client
from .context import ServiceContext, is_id
from .errors import ApiError, ContextRefused, VestibuleError

_log = logging.getLogger("vestibule")

#: The longest query, in bytes: the gateway's own are far shorter.
_LONGEST_QUERY = 8 * 1024
#: Of every answer: an entry URL is for one browser and one moment.
_HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
#: What stands in a path as it is (RFC 3986, section 3.3).
_PATH = "/:@!$&'()*+,;=~"


@dataclass(frozen=True)
class User:
    """Who is signed in at the partner."""

    #: The partner's own id of the user, exactly as it always sends it.
    id: str
    #: The partner's own id of the session, which `Client.logout` names. Not the secret in the cookie.
    session_id: Optional[str] = field(default=None, repr=False)
    email: Optional[str] = field(default=None, repr=False)
    #: The name of the system where the partner had the user sign in.
    federated_identity_provider: Optional[str] = None
    #: The partner's own id of the person who acts in the user's name.
    impersonator_id: Optional[str] = None


@dataclass(frozen=True)
class Transfer:
    """Where the user wants to go: for the access check."""

    service_provider_id: str
    context: ServiceContext
    #: Where in the app; the gateway checks it.
    next_url: Optional[str] = None

    @property
    def account_id(self) -> Optional[str]:
        """None where the partner's own context is entered, as for a profile page."""
        return self.context.account_id


@dataclass(frozen=True)
class Redirect:
    location: str
    status: int = 303

    def headers(self) -> dict[str, str]:
        return {**_HEADERS, "location": self.location}


@dataclass(frozen=True)
class Refusal:
    status: int
    #: Stable, for support and for pages of your own.
    code: str
    #: For the person in front of the browser.
    message: str

    def headers(self) -> dict[str, str]:
        return {**_HEADERS, "allow": "GET"} if self.status == 405 else dict(_HEADERS)

    def text(self) -> str:
        return f"{self.message} ({self.code})\n"


Outcome = Union[Redirect, Refusal]

_DENIED = Refusal(403, "access_denied", "You have no access to this.")
_MALFORMED = "This link is damaged. Go back and open the app again."
_FORBIDDEN = "This link is not for this portal."


class Endpoint:
    """The decisions, in the order of their names: `read`, then `login` where nobody is signed in, then `enter`."""

    def __init__(
        self,
        client: Client,
        partner_id: str,
        login: str,
        login_parameter: str = "next",
        back_url: Optional[str] = None,
        back_url_text: Optional[str] = None,
    ) -> None:
        if not is_id(partner_id):
            raise ValueError("partner_id: your id at the gateway")
        if not login:
            raise ValueError("login: where your login page is")
        self._client = client
        self._partner_id = partner_id
        self._login = login
        self._login_parameter = login_parameter
        self._back_url = back_url
        self._back_url_text = back_url_text

    def read(self, method: str, query: str) -> Union[Transfer, Refusal]:
        """Reads a request. `query` is the text after `?`, as it arrived."""
        if method != "GET":
            # A code is minted for a person who is on the way, not for a look ahead.
            return Refusal(405, "method_not_allowed", "Only GET leads on.")
        values = _parameters(query)
        if values is None or not is_id(values.get("serviceProviderId")) or "serviceContext" not in values:
            return Refusal(400, "request_malformed", _MALFORMED)
        try:
            context = ServiceContext.parse(values["serviceContext"])
        except ContextRefused as refused:
            if refused.code == "context_malformed":
                return Refusal(400, refused.code, _MALFORMED)
            return Refusal(403, refused.code, _FORBIDDEN)
        if context.partner_id is not None and context.partner_id != self._partner_id:
            return Refusal(403, "partner_mismatch", _FORBIDDEN)
        return Transfer(values["serviceProviderId"], context, values.get("nextUrl") or None)

    def login(self, path: str, query: str) -> Outcome:
        """To the login page, which shall send its user back to the same address.

        The query goes along byte for byte. It is one parameter, percent-encoded, so that nothing in it becomes a
        parameter of the login page; and it is a path of this site, so that nothing in it leads elsewhere.
        """
        if not path.startswith("/") or path.startswith("//") or "\\" in path:
            return Refusal(400, "request_malformed", _MALFORMED)
        joint = "&" if "?" in self._login else "?"
        back = f"{quote(path, safe=_PATH)}?{query}"
        return Redirect(f"{self._login}{joint}{self._login_parameter}={encoded(back)}")

    def enter(self, transfer: Transfer, user: User, allowed: object) -> Outcome:
        """Asks the gateway for an entry URL. Waits for the network.

        Decision: `allowed` must be True itself. An access check that forgot to return, or is a coroutine that nobody
        awaited, denies; the trade is that `1` does not do.
        """
        if allowed is not True:
            return _DENIED
        try:
            url = self._client.get_entry_url_with_code(
                transfer.service_provider_id,
                transfer.context,
                user_id=user.id,
                session_id=user.session_id,
                email=user.email,
                next_url=transfer.next_url,
                back_url=self._back_url,
                back_url_text=self._back_url_text,
                federated_identity_provider=user.federated_identity_provider,
                impersonator_user_id=user.impersonator_id,
            )
        except VestibuleError as error:
            return _failed(error)
        if secure_origin(url) is None:
            # The gateway is trusted with the place, yet a script or plain http is nowhere to send anybody.
            _log.error("session transfer: the gateway answered an entry URL that is not https")
            return Refusal(502, "entry_url_refused", "The app cannot be opened just now.")
        return Redirect(url)


def _parameters(query: str) -> Optional[dict[str, str]]:
    """Those that count, each at most once: with two of them, the access check could be about the other one."""
    if len(query) > _LONGEST_QUERY or not query.isascii():
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        return None
    known = [(name, value) for name, value in pairs if name in ("serviceProviderId", "serviceContext", "nextUrl")]
    values = dict(known)
    return values if len(values) == len(known) else None


def _failed(error: VestibuleError) -> Refusal:
    code = error.code if isinstance(error, ApiError) else None
    # As a literal: the gateway's words may quote what came in, and a line end in it would begin a line of its own.
    _log.warning("session transfer: %s: %r", type(error).__name__, str(error))
    if isinstance(error, ApiError) and error.is_passing:
        return Refusal(503, "gateway_unavailable", "The app cannot be opened just now. Try again in a moment.")
    if code in (3, 5, 6, 7, 9):
        return Refusal(403, "gateway_refused", "The app cannot be opened for you. Ask the people who gave you this link.")
    return Refusal(502, "gateway_failed", "The app cannot be opened just now.")
