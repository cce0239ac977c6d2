"""The signed token of the first door, with which you embed a page of the gateway."""

from __future__ import annotations

import time
import uuid
from typing import Any, Mapping, Optional, Sequence

import jwt

#: The gateway takes no larger token, in bytes.
_LARGEST = 8 * 1024
#: Nor one that claims a longer life, in seconds.
_LONGEST_S = 3_600


def sign_tenant_token(
    secret: str,
    subject: str,
    *,
    connector_name: Optional[str] = None,
    integration_name: Optional[str] = None,
    token: Optional[str] = None,
    key_id: Optional[str] = None,
    audience: Optional[str] = None,
    lifetime_s: Optional[int] = None,
    external_id: Optional[str] = None,
    meta: Any = None,
    display_name: Optional[str] = None,
    full_name: Optional[str] = None,
    email: Optional[str] = None,
    external_integrations: Optional[Sequence[str]] = None,
    acting_user_id: Optional[str] = None,
    acting_user_name: Optional[str] = None,
    extra: Optional[Mapping[str, Any]] = None,
    now: Optional[int] = None,
    jti: Optional[str] = None,
) -> str:
    """Signs who your user is (HS256). The gateway takes the token once and within five minutes: make one for each page.

    `secret` is that of `vestibule signing-key create`. `subject` is your own id of the user. An auth-only page needs
    `connector_name` (your own connector), `integration_name` and `token` (your user's credential for your own system).
    `extra` holds further members of `xti`, as `hidden_integrations`. Raises ValueError.
    """
    for name, value in (("secret", secret), ("subject", subject)):
        if not value:
            raise ValueError(f"{name} is missing")
    if lifetime_s is not None and not 0 < lifetime_s <= _LONGEST_S:
        raise ValueError(f"lifetime_s must be from 1 to {_LONGEST_S}")
    own = _without_empty({"connector_name": connector_name, "integration_name": integration_name, "token": token})
    if extra and set(extra) & {"connector_name", "integration_name", "token"}:
        raise ValueError("extra holds a name that is an argument of its own")
    issued = int(time.time()) if now is None else now
    person = {
        "udn": display_name,
        "ufn": full_name,
        "uem": email,
        "ili": list(external_integrations or ()),
        "aid": acting_user_id,
        "adn": acting_user_name,
    }
    claims = {
        "iat": issued,
        "exp": None if lifetime_s is None else issued + lifetime_s,
        "jti": str(uuid.uuid4()) if jti is None else jti,
        "sub": subject,
        "aud": audience,
        "external_id": external_id,
        "meta": meta,
        "ti": _without_empty(person),
        "xti": {**own, **(extra or {})},
    }
    headers = {"kid": key_id} if key_id else None
    signed = jwt.encode(_without_empty(claims), secret, algorithm="HS256", headers=headers)
    if len(signed) > _LARGEST:
        raise ValueError(f"the token has {len(signed)} bytes; the gateway takes at most {_LARGEST}")
    return signed


def _without_empty(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None and value != "" and value != [] and value != {}}
