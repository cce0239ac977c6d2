"""One request to the gateway, and when it is sent again."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass
from typing import Callable, Mapping, Optional, TypeVar

import urllib3

from .errors import ApiError, DeadlineExceeded, Internal, Unavailable

T = TypeVar("T")

#: The largest answer that is read, in bytes.
_LARGEST = 1 << 20
#: Pauses before a repetition, in seconds: drawn from 0 to the first, then twice as much, at most the last.
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
#: The longest wait for a connection, in seconds.
_CONNECT_S = 3.0


@dataclass(frozen=True)
class Surroundings:
    """Clock, chance and sleep, as the tests need them in hand."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    fraction: Callable[[], float] = random.random
    jti: Callable[[], str] = lambda: str(uuid.uuid4())


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    #: Seconds, where the answer says so.
    retry_after: Optional[float]


def pool() -> urllib3.PoolManager:
    """A pool of connections for all threads. Certificates are checked against the system's roots."""
    return urllib3.PoolManager(maxsize=32, block=False)


def post(
    connections: urllib3.PoolManager, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
) -> Answer:
    """Sends once. No redirect is followed: a token is for the gateway and for nobody that it may point to."""
    timeout = urllib3.Timeout(connect=min(_CONNECT_S, timeout_s), read=timeout_s)
    try:
        response = connections.request(
            "POST",
            url,
            body=body,
            headers={"user-agent": "vestibule-python", "accept": "application/json", **headers},
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        content = response.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            response.close()
            raise Internal("the answer is too large", http_status=response.status)
        response.release_conn()
    except urllib3.exceptions.TimeoutError as error:
        # A connection that is not made in time is no answer that is late.
        kind = Unavailable if isinstance(error, urllib3.exceptions.ConnectTimeoutError) else DeadlineExceeded
        raise kind(f"no answer from the gateway within {timeout_s:.1f} s") from error
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"the gateway cannot be reached: {type(error).__name__}") from error
    return Answer(response.status, content, _seconds(response.headers.get("retry-after")))


def _seconds(text: Optional[str]) -> Optional[float]:
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 6 else None


def repeated(once: Callable[[float], T], surroundings: Surroundings, timeout_s: float, attempts: int) -> T:
    """Calls `once` with the seconds that are left, again where the failure may pass.

    Everything that this SDK asks may be asked twice: reading changes nothing, a second entry code does no harm, a
    session ends once, and each assertion is made anew.
    """
    end = surroundings.monotonic() + timeout_s
    for attempt in range(1, attempts + 1):
        try:
            return once(max(end - surroundings.monotonic(), 0.05))
        except ApiError as error:
            if not error.is_passing or attempt == attempts:
                raise
            # Jitter over the whole pause, so that many callers who failed together do not come back together.
            pause = min(_PAUSE_S * 2 ** (attempt - 1), _LONGEST_PAUSE_S) * surroundings.fraction()
            pause = max(pause, error.retry_after or 0.0)
            if surroundings.monotonic() + pause >= end:
                raise
            surroundings.sleep(pause)
    raise AssertionError("attempts is at least 1")
