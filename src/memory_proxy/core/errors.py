"""Every error this project raises, and whose fault each one is.

MemoryProxyError
├── RequestError                 the client's request cannot be served as sent
│   ├── InvalidRequest               400
│   ├── AuthenticationFailed         401
│   ├── PermissionDenied             403
│   ├── NotFound                     404
│   ├── RequestTimeout               408
│   ├── RequestTooLarge              413
│   └── UpgradeUnsupported           426
├── UpstreamError                LiteLLM could not be reached or understood
│   ├── UpstreamProtocolError        502
│   ├── UpstreamUnavailable          503
│   └── UpstreamTimeout              504
├── StoreError                   a memory backend failed; chats go on without it (503)
│   ├── StoreUnavailable             it cannot be opened or reached
│   └── SchemaMismatch               it was written by a newer version of this program
├── EmbeddingError               no vectors can be had; recall goes on by words (503)
│   └── TextsRefused                 not of these texts; others may do
├── ConfigurationError           the settings are wrong; nothing starts (exit 2)
└── ProcessError                 a process could not be started or kept (exit 3)
    ├── BinaryNotFound
    ├── BuildRefused                 a LiteLLM build known to be harmful, or too old
    ├── PortInUse
    ├── StartTimeout
    └── ExitedEarly
"""

from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """What went wrong, in words no wire format owns; each format maps them to its own."""

    INVALID_REQUEST = "invalid_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    UPGRADE_UNSUPPORTED = "upgrade_unsupported"
    UPSTREAM_PROTOCOL = "upstream_protocol"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    STORE = "store"
    EMBEDDING = "embedding"
    INTERNAL = "internal"


class MemoryProxyError(Exception):
    """`retry_after_s` becomes Retry-After; None: the client should not be told when."""

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL
    status: ClassVar[int] = 500
    retry_after_s: int | None = None


class RequestError(MemoryProxyError):
    """The request cannot be served as sent."""

    kind = ErrorKind.INVALID_REQUEST
    status = 400


class InvalidRequest(RequestError):
    pass


class AuthenticationFailed(RequestError):
    kind = ErrorKind.AUTHENTICATION
    status = 401


class PermissionDenied(RequestError):
    kind = ErrorKind.PERMISSION
    status = 403


class NotFound(RequestError):
    kind = ErrorKind.NOT_FOUND
    status = 404


class RequestTimeout(RequestError):
    kind = ErrorKind.TIMEOUT
    status = 408


class RequestTooLarge(RequestError):
    kind = ErrorKind.TOO_LARGE
    status = 413


class UpgradeUnsupported(RequestError):
    kind = ErrorKind.UPGRADE_UNSUPPORTED
    status = 426


class UpstreamError(MemoryProxyError):
    """LiteLLM could not be reached or understood."""

    kind = ErrorKind.UPSTREAM_PROTOCOL
    status = 502


class UpstreamProtocolError(UpstreamError):
    pass


class UpstreamUnavailable(UpstreamError):
    kind = ErrorKind.UPSTREAM_UNAVAILABLE
    status = 503

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UpstreamTimeout(UpstreamError):
    kind = ErrorKind.UPSTREAM_TIMEOUT
    status = 504


class StoreError(MemoryProxyError):
    """A memory backend failed; `__cause__` holds the driver's own error."""

    kind = ErrorKind.STORE
    status = 503


class StoreUnavailable(StoreError):
    """It cannot be opened or reached."""


class SchemaMismatch(StoreError):
    """It was written by a newer version of this program; nothing was changed."""


class EmbeddingError(MemoryProxyError):
    """An embedder failed or answered nonsense; `__cause__` holds the other side's own error."""

    kind = ErrorKind.EMBEDDING
    status = 503


class TextsRefused(EmbeddingError):
    """The embedder works, but one of these texts it does not take."""


class ConfigurationError(MemoryProxyError):
    """The settings are wrong; the message names the setting, its source and the cure."""


class ProcessError(MemoryProxyError):
    """A process could not be started or kept."""


class BinaryNotFound(ProcessError):
    pass


class BuildRefused(ProcessError):
    """This build of LiteLLM is known to be harmful, or too old to stand behind us."""


class PortInUse(ProcessError):
    pass


class StartTimeout(ProcessError):
    pass


class ExitedEarly(ProcessError):
    pass
