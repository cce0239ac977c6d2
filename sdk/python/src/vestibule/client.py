"""The client: build it once, use it from every thread."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, Optional, Sequence, Union
from urllib.parse import urlencode

import urllib3

from .addresses import secure_origin
from .context import ServiceContext
from .credentials import Credentials
from .errors import Internal, InvalidArgument, Unauthenticated, api_error, token_error
from .tokens import AccessToken, AccessTokens, token_of
from .transport import Answer, Surroundings, pool, post, repeated

_JSON = "application/json"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Client:
    """Calls the gateway's API `sso.v1` with a service account.

    Build one and keep it: it holds the connections and the access token. It may be shared by all threads, and is good
    in a child process after a fork.

    Every call raises a type of ApiError, or returns. `timeout_s` bounds a whole call, its repetitions among it: each
    wait for the network ends with it.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: Optional[str] = None,
        timeout_s: float = 10.0,
        attempts: int = 3,
        connections: Optional[urllib3.PoolManager] = None,
        surroundings: Surroundings = Surroundings(),
    ) -> None:
        """`base_url` is that of the key file where it is not given. `connections` may be an urllib3.ProxyManager, or a
        pool with certificates of your own."""
        origin = secure_origin(credentials.base_url if base_url is None else base_url)
        if origin is None:
            raise InvalidArgument("base_url: must be an absolute https address (http only for this machine)")
        if timeout_s <= 0 or attempts < 1:
            raise InvalidArgument("timeout_s must be above 0, attempts at least 1")
        self._credentials = credentials
        self._origin = origin
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._own_connections = connections
        self._surroundings = surroundings
        self._process = os.getpid()
        self._begin()

    @classmethod
    def from_environment(cls, **options: Any) -> Client:
        """With the key file that `VESTIBULE_CREDENTIALS` (or `VENDASTA_APPLICATION_CREDENTIALS`) names."""
        return cls(Credentials.from_environment(), **options)

    @classmethod
    def from_file(cls, path: Union[str, os.PathLike[str]], **options: Any) -> Client:
        return cls(Credentials.from_file(path), **options)

    @classmethod
    def from_dict(cls, key_file: Mapping[str, Any], **options: Any) -> Client:
        """With the content of a key file, as from a secret store."""
        return cls(Credentials.from_dict(key_file), **options)

    # For the backend of a partner.

    def get_entry_url(
        self,
        service_provider_id: str,
        context: ServiceContext,
        *,
        path: Optional[str] = None,
        skip_gateway_authentication: bool = False,
    ) -> str:
        """The app's own entry URL for an account: a permalink for your dashboard, without a code."""
        body = {
            "serviceProviderId": _needed("service_provider_id", service_provider_id),
            "context": context.wire(),
            "path": path,
            "skipGatewayAuthentication": skip_gateway_authentication or None,
        }
        return _text(self._call("IdentityProvider", "GetEntryURL", body), "entryUrl")

    def get_entry_url_with_code(
        self,
        service_provider_id: str,
        context: ServiceContext,
        *,
        user_id: Optional[str] = None,
        session_id: Optional[str] = None,
        email: Optional[str] = None,
        next_url: Optional[str] = None,
        back_url: Optional[str] = None,
        back_url_text: Optional[str] = None,
        federated_identity_provider: Optional[str] = None,
        impersonator_user_id: Optional[str] = None,
    ) -> str:
        """An address that lets your signed-in user in, once and within 60 seconds: redirect the browser there at once.

        `user_id` is your own id of the user, exactly as you always send it; an `email` alone is taken only where
        users are not made just in time. `session_id` is your own id of the session, which `logout` names (not the
        secret in the cookie). `next_url` is passed on as your endpoint got it.
        """
        if not user_id and not email:
            raise InvalidArgument("user_id: missing; send your own id of the user")
        body = {
            "serviceProviderId": _needed("service_provider_id", service_provider_id),
            "context": context.wire(),
            "userId": user_id,
            "sessionId": session_id,
            "email": email,
            "nextUrl": next_url,
            "backUrl": back_url,
            "backUrlText": back_url_text,
            "federatedIdentityProvider": federated_identity_provider,
            "impersonatorUserId": impersonator_user_id,
        }
        return _text(self._call("IdentityProvider", "GetEntryURLWithCode", body), "entryUrl")

    def get_multi_entry_url(
        self, service_provider_ids: Sequence[str], context: Optional[ServiceContext] = None
    ) -> list[str]:
        """The entry URLs of several apps, in the order asked."""
        asked = [_needed("service_provider_ids", one) for one in service_provider_ids]
        body = {"serviceProviderIds": asked, "context": context.wire() if context else None}
        urls = self._call("IdentityProvider", "GetMultiEntryURL", body).get("entryUrls", [])
        if not isinstance(urls, list) or len(urls) != len(asked) or not all(isinstance(url, str) for url in urls):
            raise Internal("the answer does not hold as many `entryUrls` as apps were asked for")
        return urls

    def logout(self, *, session_id: Optional[str] = None, user_id: Optional[str] = None) -> None:
        """Ends a session that `get_entry_url_with_code` named, or all sessions of a user, in every app. A session that
        has ended already is no error."""
        if bool(session_id) == bool(user_id):
            raise InvalidArgument("session_id, user_id: send one of the two")
        self._call("IdentityProvider", "Logout", {"sessionId": session_id, "userId": user_id})

    # For the backend of an app.

    def get_session_transfer_url(self, service_provider_id: str, context: ServiceContext) -> str:
        """Where to send a browser that has no session at your app: to the partner that vouches for its user."""
        body = {
            "serviceProviderId": _needed("service_provider_id", service_provider_id),
            "context": context.wire(),
        }
        return _text(self._call("ServiceProvider", "GetSessionTransferURL", body), "sessionTransferUrl")

    def get_logout_url(self, service_provider_id: str, *, next_url: Optional[str] = None) -> str:
        """Where to send a browser whose user wants to sign out everywhere."""
        body = {"serviceProviderId": _needed("service_provider_id", service_provider_id), "nextUrl": next_url}
        return _text(self._call("ServiceProvider", "GetLogoutURL", body), "logoutUrl")

    # Below that.

    def close(self) -> None:
        """Closes the idle connections. The client may be used again."""
        self._connections.clear()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._origin!r}, {self._credentials.client_email!r})"

    def _begin(self) -> None:
        self._connections = pool() if self._own_connections is None else self._own_connections
        self._tokens = AccessTokens(self._exchange, self._surroundings.monotonic)

    def _call(self, service: str, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self._process != os.getpid():
            # After a fork: the parent's connections are not ours, and a lock may be held by a thread that is not here.
            self._begin()
            self._process = os.getpid()
        url = f"{self._origin}/sso.v1.{service}/{method}"
        content = json.dumps({name: value for name, value in body.items() if value not in (None, "")}).encode()

        def once(left_s: float) -> dict[str, Any]:
            end = self._surroundings.monotonic() + left_s
            token = self._tokens.get(left_s)
            try:
                return self._asked(url, content, token, left_s)
            except Unauthenticated:
                # It may have been switched off at the gateway before its end: once with a new one.
                left_s = max(end - self._surroundings.monotonic(), 0.05)
                return self._asked(url, content, self._tokens.get(left_s, rejected=token), left_s)

        return repeated(once, self._surroundings, self._timeout_s, self._attempts)

    def _asked(self, url: str, content: bytes, token: str, left_s: float) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}", "content-type": _JSON}
        answer = post(self._connections, url, headers, content, left_s)
        if answer.status != 200:
            raise api_error(answer.status, answer.body, answer.retry_after)
        value = _json(answer)
        if not isinstance(value, dict):
            raise Internal("the answer is no JSON object", http_status=answer.status)
        return value

    def _exchange(self, left_s: float) -> AccessToken:
        """Trades a fresh assertion for an access token. Not repeated here: who needs the token repeats the whole."""
        held, surroundings = self._credentials, self._surroundings
        began = surroundings.monotonic()
        assertion = held.assertion(int(surroundings.now()), surroundings.jti())
        if held.uses_session_token:
            content_type, body = _JSON, json.dumps({"token": assertion})
        else:
            content_type = "application/x-www-form-urlencoded"
            body = urlencode({"grant_type": _GRANT, "assertion": assertion})
        headers = {"content-type": content_type}
        answer = post(self._connections, held.token_url, headers, body.encode(), left_s)
        if answer.status != 200:
            raise token_error(answer.status, answer.body, answer.retry_after)
        return token_of(_json(answer), held.uses_session_token, surroundings.now(), began)


def _needed(name: str, value: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidArgument(f"{name}: missing")
    return value


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Internal("the answer is no JSON", http_status=answer.status) from None


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise Internal(f"the answer has no `{name}`")
    return value
