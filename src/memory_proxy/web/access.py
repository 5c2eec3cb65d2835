"""Whether a request may come in at all: its Host, its Origin, its key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memory_proxy.core.types import Caller, Headers, TenantId
from memory_proxy.security.keys import KeyRing
from memory_proxy.security.origins import check_host, check_origin


@dataclass(frozen=True, slots=True)
class Access:
    """`keys` None: everybody who reaches us is the tenant `default`; for embedding and tests.

    `allowed_hosts` are names beside localhost that clients may use for us; `allowed_origins` are
    the exact origins of web pages that may call us.
    """

    keys: KeyRing | None = None
    allowed_hosts: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset()

    def check(self, headers: Headers, query: str) -> Caller:
        """Raises AuthenticationFailed, PermissionDenied or InvalidRequest."""
        check_host(headers, self.allowed_hosts)
        check_origin(headers, self.allowed_origins)
        if self.keys is None:
            return Caller(TenantId("default"))
        return self.keys.authenticate(headers, query)


def headers_of(scope: Mapping[str, Any]) -> Headers:
    """An ASGI scope's headers as text; their names come in lower case already."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    )
