"""The service context: for which account or partner an app is entered."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn, Optional

from .addresses import encoded
from .errors import ContextRefused

#: The longest encoded context, in characters: a context names one id of at most 64.
_LONGEST = 1_024
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_id(text: object) -> bool:
    """Whether a text can be a published id: 1 to 64 letters, digits, `-`, `_`, `.`, a letter or digit in front."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


@dataclass(frozen=True)
class ServiceContext:
    """An account or a partner: exactly one of the two is set."""

    account_id: Optional[str] = None
    partner_id: Optional[str] = None

    def __post_init__(self) -> None:
        if (self.account_id is None) == (self.partner_id is None):
            _refuse("a context is that of an account or that of a partner")
        if not is_id(self.account_id if self.partner_id is None else self.partner_id):
            _refuse("its id is 1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or a digit")

    @classmethod
    def account(cls, account_id: str) -> ServiceContext:
        return cls(account_id=account_id)

    @classmethod
    def partner(cls, partner_id: str) -> ServiceContext:
        return cls(partner_id=partner_id)

    @classmethod
    def parse(cls, text: str) -> ServiceContext:
        """Reads the query parameter `serviceContext`: base64 in either alphabet, with padding or without.

        Raises ContextRefused for everything that is neither an account's nor a partner's context, which includes
        types that the gateway may get later: deny access then.

        Decision: a context with members beyond its type's is refused. One that names an account and a partner could
        be read as one by an access check and as the other by the gateway.
        """
        value = _read(text)
        if not isinstance(value, dict) or not isinstance(value.get("_type"), str):
            _refuse("the JSON inside must be an object with `_type`")
        kind = value.pop("_type")
        if kind == "superadmin" and not value:
            raise ContextRefused("context_forbidden", "nobody enters with the context `superadmin`")
        member = {"account": "account_id", "partner": "partner_id", "superadmin": None}.get(kind, kind)
        if member == kind:
            raise ContextRefused("context_type_unknown", "its `_type` is neither `account` nor `partner`")
        if member is None or set(value) != {member}:
            _refuse("it must hold the id of its type and nothing else")
        return cls(**value)

    def json(self) -> str:
        """Compact JSON with `_type` first. Ids need no escaping."""
        if self.account_id is not None:
            return f'{{"_type":"account","account_id":"{self.account_id}"}}'
        return f'{{"_type":"partner","partner_id":"{self.partner_id}"}}'

    def encode(self) -> str:
        """Standard base64 with padding of `json()`."""
        return base64.b64encode(self.json().encode()).decode()

    def query_value(self) -> str:
        """`encode()` as it stands in a query."""
        return encoded(self.encode())

    def wire(self) -> dict[str, Any]:
        """As it stands in a call of sso.v1."""
        if self.account_id is not None:
            return {"account": {"accountId": self.account_id}}
        return {"partner": {"partnerId": self.partner_id}}


def _refuse(why: str) -> NoReturn:
    raise ContextRefused("context_malformed", why)


def _read(text: str) -> Any:
    if len(text) > _LONGEST:
        _refuse(f"it is longer than {_LONGEST} characters")
    try:
        return json.loads(_decoded(text).decode(), object_pairs_hook=_members, parse_constant=_constant)
    except ContextRefused:
        raise
    except (ValueError, RecursionError):
        _refuse("there is no JSON inside")


def _decoded(text: str) -> bytes:
    """One alphabet at a time, and padding whole or not at all: a text has four spellings and no fifth.

    Python's decoder forgives more, so what it read is written again and compared.
    """
    bare = text.rstrip("=")
    padding = len(text) - len(bare)
    if bare and padding in (0, -len(bare) % 4):
        for decode, encode in _ALPHABETS:
            try:
                read = decode(bare + "=" * (-len(bare) % 4))
            except (binascii.Error, ValueError):
                continue
            if encode(read).decode().rstrip("=") == bare:
                return read
    _refuse("it is not base64")


_ALPHABETS = (
    (base64.b64decode, base64.b64encode),
    (base64.urlsafe_b64decode, base64.urlsafe_b64encode),
)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse("a member stands twice")
    return members


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is no JSON")
