"""The client for code that awaits: the same calls, each in a worker thread.

Decision: not a second client on a second HTTP library. What is hard here (one token for all, repetitions, time-outs)
stands once and is tested once; the trade is a thread for each call under way, of which a partner has few.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Awaitable, Callable, TypeVar

from .client import Client

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    P = ParamSpec("P")
R = TypeVar("R")


def _in_a_thread(
    method: Callable[Concatenate[Client, P], R],
) -> Callable[Concatenate[AsyncClient, P], Awaitable[R]]:
    def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        return asyncio.to_thread(method, self.client, *args, **kwargs)

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


class AsyncClient:
    """A Client whose calls are awaited. Build one and keep it, as a Client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @classmethod
    def from_environment(cls, **options: Any) -> AsyncClient:
        return cls(Client.from_environment(**options))

    get_entry_url = _in_a_thread(Client.get_entry_url)
    get_entry_url_with_code = _in_a_thread(Client.get_entry_url_with_code)
    get_multi_entry_url = _in_a_thread(Client.get_multi_entry_url)
    logout = _in_a_thread(Client.logout)
    get_session_transfer_url = _in_a_thread(Client.get_session_transfer_url)
    get_logout_url = _in_a_thread(Client.get_logout_url)
