"""The access token: fetched when it is needed, kept, renewed before it ends."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from .errors import ApiError, DeadlineExceeded, Internal

#: How long a token of unknown end is kept, in seconds.
_UNKNOWN_LIFE_S = 60.0
#: A token is renewed this long before its end, in seconds, or in its last tenth if that is shorter.
_EARLY_S = 120.0


@dataclass(frozen=True)
class AccessToken:
    text: str = field(repr=False)
    #: By the monotonic clock, in seconds.
    renew_at: float
    ends_at: float

    @classmethod
    def lasting(cls, text: str, seconds: float, now: float) -> AccessToken:
        return cls(text, now + seconds - min(_EARLY_S, seconds / 10), now + seconds)


def life_of(token: str, now_s: float) -> float:
    """How long a JWT is still good, in seconds, by what it says itself. Nothing is proven: the gateway does that.

    With `iat` the two clocks need not agree.
    """
    try:
        payload = token.split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        begin = claims.get("iat", now_s)
        return min(max(float(claims["exp"]) - float(begin), 0.0), 86_400.0)
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return _UNKNOWN_LIFE_S


class AccessTokens:
    """One token for all threads. While one thread fetches, those that need the new one wait for it (single flight);
    those that may go on with the old one do."""

    def __init__(self, fetch: Callable[[float], AccessToken], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: Optional[AccessToken] = None
        self._flight: Optional[Future[AccessToken]] = None

    def get(self, wait_s: float, rejected: Optional[str] = None) -> str:
        """A token that the gateway has not rejected, within `wait_s` seconds. `rejected` is one that it has, as far as the caller knows."""
        with self._lock:
            now = self._monotonic()
            held = self._token
            if held is not None and (held.text == rejected or now >= held.ends_at):
                held = None
            if held is not None and (now < held.renew_at or self._flight is not None):
                return held.text
            flight = self._flight
            if flight is None:
                mine: Future[AccessToken] = Future()
                self._flight = mine
        if flight is not None:
            return self._of_others(flight, wait_s)
        try:
            token = self._fetch(wait_s)
        except BaseException as error:
            self._land(None)
            mine.set_exception(error)
            if held is not None and isinstance(error, ApiError):
                # It was early, and the old one is still good.
                return held.text
            raise
        self._land(token)
        mine.set_result(token)
        return token.text

    def _land(self, token: Optional[AccessToken]) -> None:
        with self._lock:
            self._flight = None
            if token is not None:
                self._token = token

    @staticmethod
    def _of_others(flight: Future[AccessToken], wait_s: float) -> str:
        try:
            return flight.result(timeout=max(wait_s, 0.0)).text
        except FutureTimeout:
            raise DeadlineExceeded("the access token did not come in time") from None


def token_of(answer: Any, is_session_token: bool, now_s: float, now: float) -> AccessToken:
    """What an exchange answered."""
    text = answer.get("token" if is_session_token else "access_token") if isinstance(answer, dict) else None
    if not isinstance(text, str) or not text or not text.isascii() or not text.isprintable():
        raise Internal("the answer to the assertion holds no token")
    seconds = None if is_session_token else answer.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        seconds = life_of(text, now_s)
    return AccessToken.lasting(text, float(seconds), now)
