from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable

import pytest
from standin import Gateway
from vestibule import Client
from vestibule.transport import Surroundings


@dataclass
class Watch:
    """A clock that goes on only when somebody sleeps by it, or a test moves it."""

    at: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def client_of(gateway: Gateway, watch: Watch) -> Iterator[Callable[..., Client]]:
    """Clients by the test's own clock, closed in the end."""
    made: list[Client] = []

    def client_of(key: str = "es256", **options: Any) -> Client:
        surroundings = Surroundings(monotonic=watch.monotonic, sleep=watch.sleep, fraction=lambda: 1.0)
        made.append(Client.from_dict(gateway.key_file(key), **{"surroundings": surroundings, **options}))
        return made[-1]

    yield client_of
    for client in made:
        client.close()


@pytest.fixture
def client(client_of: Callable[..., Client]) -> Client:
    return client_of()
