"""What can go wrong, each with a type to catch it by."""

from __future__ import annotations

import json
from typing import Any, Optional

#: The longest message that is taken from an answer, in characters.
_LONGEST = 1_000


class VestibuleError(Exception):
    """Everything that this package raises by itself."""


class CredentialsError(VestibuleError):
    """The key file is not there or not usable. The message holds nothing of the key."""


class ContextRefused(VestibuleError, ValueError):
    """A text is no service context that anybody may enter with. Answer 403, or 400 for `context_malformed`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        #: `context_malformed`, `context_type_unknown` or `context_forbidden`.
        self.code = code


class ApiError(VestibuleError):
    """The gateway refused a call, or could not be asked."""

    #: The gRPC number that this type stands for; 2 where it stands for none.
    number = 2
    #: The number's name, as in `not_found`.
    name = "unknown"
    #: Whether the same call may succeed a moment later.
    is_passing = False

    def __init__(
        self,
        message: str,
        *,
        code: Optional[int] = None,
        http_status: Optional[int] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        #: The gateway's words: which field, and what to do.
        self.message = message
        #: The gRPC number.
        self.code = self.number if code is None else code
        #: None where there was no answer.
        self.http_status = http_status
        #: How long the gateway asks to wait, in seconds, where it does.
        self.retry_after = retry_after


class Cancelled(ApiError):
    number, name = 1, "cancelled"


class InvalidArgument(ApiError):
    """A field is missing or malformed; the message names it."""

    number, name = 3, "invalid_argument"


class DeadlineExceeded(ApiError):
    """No answer within the time-out."""

    number, name, is_passing = 4, "deadline_exceeded", True


class NotFound(ApiError):
    number, name = 5, "not_found"


class AlreadyExists(ApiError):
    number, name = 6, "already_exists"


class PermissionDenied(ApiError):
    """The account, user or app is not one of this service account's partner."""

    number, name = 7, "permission_denied"


class ResourceExhausted(ApiError):
    """Too many calls."""

    number, name, is_passing = 8, "resource_exhausted", True


class FailedPrecondition(ApiError):
    number, name = 9, "failed_precondition"


class Aborted(ApiError):
    number, name = 10, "aborted"


class OutOfRange(ApiError):
    number, name = 11, "out_of_range"


class Unimplemented(ApiError):
    number, name = 12, "unimplemented"


class Internal(ApiError):
    """The gateway failed, or what it answered is not understood."""

    number, name = 13, "internal"


class Unavailable(ApiError):
    """The gateway cannot be reached, or not just now."""

    number, name, is_passing = 14, "unavailable", True


class DataLoss(ApiError):
    number, name = 15, "data_loss"


class Unauthenticated(ApiError):
    """The gateway does not take the access token, also not a fresh one."""

    number, name = 16, "unauthenticated"


class TokenRefused(Unauthenticated):
    """The service account gets no access token: the key is switched off or expired, or the clock is wrong."""


_TYPES: dict[int, type[ApiError]] = {
    kind.number: kind
    for kind in (
        Cancelled,
        InvalidArgument,
        DeadlineExceeded,
        NotFound,
        AlreadyExists,
        PermissionDenied,
        ResourceExhausted,
        FailedPrecondition,
        Aborted,
        OutOfRange,
        Unimplemented,
        Internal,
        Unavailable,
        DataLoss,
        Unauthenticated,
    )
}

#: For answers that are not the gateway's own: those of a proxy in front of it.
_BY_STATUS = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    408: 4,
    409: 6,
    412: 9,
    429: 8,
    500: 13,
    501: 12,
    502: 14,
    503: 14,
    504: 14,
}


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def api_error(status: int, body: bytes, retry_after: Optional[float] = None) -> ApiError:
    """What an answer other than 200 means. The number in the body counts, else the status."""
    told = _object(body)
    number = told.get("code")
    if not isinstance(number, int) or isinstance(number, bool):
        number = _BY_STATUS.get(status, 2)
    message = told.get("message")
    if not isinstance(message, str) or not message:
        message = f"HTTP {status}"
    kind = _TYPES.get(number, ApiError)
    return kind(message[:_LONGEST], http_status=status, retry_after=retry_after)


def token_error(status: int, body: bytes, retry_after: Optional[float] = None) -> ApiError:
    """The same for an exchange of an assertion, whose refusals are RFC 6749's or the gateway's own."""
    told = _object(body)
    error, described = told.get("error"), told.get("error_description")
    if isinstance(error, str) and error:
        told_in_words = f"{error}: {described}" if isinstance(described, str) and described else error
        return TokenRefused(told_in_words[:_LONGEST], http_status=status)
    known = api_error(status, body, retry_after)
    return known if known.is_passing or known.code == Internal.number else TokenRefused(known.message, http_status=status)
