"""Names below `localhost` are this machine (RFC 6761). Browsers know; the resolver of this system may not."""

import socket

_asked = socket.getaddrinfo


def _answered(host, *rest, **more):
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return _asked("127.0.0.1" if isinstance(name, str) and name.endswith(".localhost") else host, *rest, **more)


def known():
    socket.getaddrinfo = _answered
