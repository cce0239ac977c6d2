"""Addresses that may be trusted with a token, or with a browser."""

from __future__ import annotations

import ipaddress
import re
from typing import Optional
from urllib.parse import quote, urlsplit

#: An absolute address that no parser has to forgive anything, up to its host.
_PLAIN = re.compile(r"(?i:https?)://(?=[A-Za-z0-9\[])[^\s\\\x00-\x1f\x7f]+")


def encoded(text: str) -> str:
    """Percent-encoded: everything except letters, digits and `-._~`."""
    return quote(text, safe="")


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secure_origin(text: str) -> Optional[str]:
    """Scheme, host and port of an absolute https address (http only for this machine); None for any other.

    Decision: an address with a user (`https://known@evil`), a backslash or a control character is none, since
    readers differ on where it leads. The trade: nobody may use such an address even where it would be harmless.
    """
    if not _PLAIN.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc or "%" in parts.netloc:
        return None
    if parts.scheme != "https" and not _is_this_machine(host):
        return None
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" if port is None else f"{parts.scheme}://{name}:{port}"


def local_return(text: Optional[str], default: str = "/") -> str:
    """Where a login page may send its user afterwards: a path of this site, else `default`.

    For a login page that is called as `/login?next=..`: without this check anybody could make a link that leads
    through your login to a page of theirs.
    """
    if not text or not text.startswith("/") or text.startswith("//"):
        return default
    if any(character in "\\ \x7f" or character < " " for character in text):
        return default
    return text
