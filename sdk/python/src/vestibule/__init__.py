"""Vestibule: your signed-in users enter apps without another sign-in, and connect outside systems in your pages."""

from .addresses import local_return
from .aio import AsyncClient
from .client import Client
from .context import ServiceContext
from .credentials import Credentials
from .errors import (
    Aborted,
    AlreadyExists,
    ApiError,
    Cancelled,
    ContextRefused,
    CredentialsError,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    TokenRefused,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    VestibuleError,
)
from .tenant_token import sign_tenant_token
from .transfer import Refusal, Transfer, User

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "AlreadyExists",
    "ApiError",
    "AsyncClient",
    "Cancelled",
    "Client",
    "ContextRefused",
    "Credentials",
    "CredentialsError",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "Refusal",
    "ResourceExhausted",
    "ServiceContext",
    "TokenRefused",
    "Transfer",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "User",
    "VestibuleError",
    "local_return",
    "sign_tenant_token",
]
