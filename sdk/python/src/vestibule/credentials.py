"""Service accounts: the key file, and the assertions made with it."""

from __future__ import annotations

import json
import os
import pathlib
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Union

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .addresses import secure_origin
from .errors import CredentialsError

#: Where the path of the key file stands; the second name is that of SDKs which were in the field before.
VARIABLES = ("VESTIBULE_CREDENTIALS", "VENDASTA_APPLICATION_CREDENTIALS")
#: How long an assertion is good, in seconds. It is used at once and once; the rest is for clocks that differ.
ASSERTION_LIFETIME_S = 600
#: The path of the exchange that older SDKs use.
_SESSION_TOKEN = "/iam.v1.UserIAM/GetSessionToken"

_PrivateKey = Union[ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey]


@dataclass(frozen=True)
class Credentials:
    """A service account's key. Its text form shows nothing of the key."""

    client_email: str
    key_id: str
    #: ES256 or RS256.
    algorithm: str
    #: The gateway, as in `https://gateway.example`.
    base_url: str
    #: Where an assertion is exchanged for an access token.
    token_url: str
    _claims: Mapping[str, str] = field(repr=False)
    _key: _PrivateKey = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Credentials:
        """Reads the key file whose path stands in `VESTIBULE_CREDENTIALS` or `VENDASTA_APPLICATION_CREDENTIALS`."""
        for name in VARIABLES:
            path = environment.get(name)
            if path:
                return cls.from_file(path)
        raise CredentialsError(f"set {VARIABLES[0]} to the path of a service account's key file")

    @classmethod
    def from_file(cls, path: Union[str, os.PathLike[str]]) -> Credentials:
        try:
            text = pathlib.Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise CredentialsError(f"the key file {os.fspath(path)} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CredentialsError("the key file is not UTF-8") from None
        return cls.from_json(text)

    @classmethod
    def from_json(cls, text: str) -> Credentials:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise CredentialsError("the key file is not JSON") from None
        if not isinstance(value, dict):
            raise CredentialsError("the key file is not a JSON object")
        return cls.from_dict(value)

    @classmethod
    def from_dict(cls, file: Mapping[str, Any]) -> Credentials:
        """Takes the content of a key file, as from a secret store. Raises CredentialsError."""
        if file.get("type") != "service_account":
            raise CredentialsError("the key file's `type` must be `service_account`")
        email, key_id, token_uri = (_text(file, name) for name in ("client_email", "private_key_id", "token_uri"))
        base_url = secure_origin(token_uri)
        if base_url is None:
            raise CredentialsError("the key file's `token_uri` must be an absolute https address")
        key, algorithm = _private_key(_text(file, "private_key"))
        header = file.get("assertionHeaderData")
        if isinstance(header, Mapping) and header.get("alg", algorithm) != algorithm:
            raise CredentialsError(f"the key file's `alg` must be {algorithm}, that of its key")
        if algorithm == "RS256" and token_uri == base_url + _SESSION_TOKEN:
            # That exchange takes ES256 only; the other one is at the same gateway.
            token_uri = f"{base_url}/oauth2/token"
        return cls(email, key_id, algorithm, base_url, token_uri, _claims(file), key)

    @property
    def uses_session_token(self) -> bool:
        """Whether the exchange is that of older SDKs: JSON with `{"token": ..}`, the key's id among the claims."""
        return self.token_url == self.base_url + _SESSION_TOKEN

    def assertion(self, now: int, jti: str) -> str:
        """A signed assertion, made at `now` (seconds) with `jti` as its single-use id."""
        claims: dict[str, Any] = {**self._claims, "iat": now, "exp": now + ASSERTION_LIFETIME_S, "jti": jti}
        if self.uses_session_token:
            claims["kid"] = self.key_id
        return jwt.encode(claims, self._key, algorithm=self.algorithm, headers={"kid": self.key_id})


def _text(file: Mapping[str, Any], name: str) -> str:
    value = file.get(name)
    if not isinstance(value, str) or not value:
        raise CredentialsError(f"the key file has no `{name}`")
    return value


def _claims(file: Mapping[str, Any]) -> dict[str, str]:
    payload = file.get("assertionPayloadData")
    if not isinstance(payload, Mapping):
        raise CredentialsError("the key file has no `assertionPayloadData`")
    return {name: _text(payload, name) for name in ("aud", "iss", "sub")}


def _private_key(pem: str) -> tuple[_PrivateKey, str]:
    key: Optional[object] = None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except Exception:  # The library's errors are many, and may quote what they read.
        pass
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key, "ES256"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return key, "RS256"
    raise CredentialsError("the key file's `private_key` is neither a P-256 key nor an RSA key of at least 2048 bits")
