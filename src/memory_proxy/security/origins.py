"""Which web pages may use the proxy: by default none, also not one that rebinds its name to us."""

import re
from collections.abc import Set as AbstractSet

from memory_proxy.core.errors import PermissionDenied
from memory_proxy.core.types import Headers, first_header

_LOCAL_HOSTS = frozenset(("localhost", "127.0.0.1", "[::1]"))
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:@/\\\[\]]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_FOREIGN_SITES = frozenset(("cross-site", "same-site"))


def check_host(headers: Headers, allowed_hosts: AbstractSet[str]) -> None:
    """Raises PermissionDenied unless Host names this computer or one of `allowed_hosts`, any port.

    A page on evil.example may have its name resolved to 127.0.0.1; its requests still say
    `Host: evil.example`. `allowed_hosts` are in lower case and without port; "*" allows every name.
    """
    match = _HOST.fullmatch(first_header(headers, "host") or "")
    name = match[1].lower().removesuffix(".") if match else ""
    if name in _LOCAL_HOSTS or name in allowed_hosts or (name and "*" in allowed_hosts):
        return
    raise PermissionDenied("this Host is not served; add its name to the allowed hosts")


def check_origin(headers: Headers, allowed_origins: AbstractSet[str]) -> None:
    """Raises PermissionDenied for a web page that is neither ours nor of `allowed_origins`.

    What no browser sent has no Origin and passes.
    """
    origin = first_header(headers, "origin")
    if origin is None:
        if first_header(headers, "sec-fetch-site") in _FOREIGN_SITES:
            raise PermissionDenied("a web page of another site may not call this proxy")
        return
    if origin not in allowed_origins and not _is_same_origin(origin, headers):
        raise PermissionDenied("this Origin may not call the proxy; add it to the allowed origins")


def _is_same_origin(origin: str, headers: Headers) -> bool:
    host = first_header(headers, "host")
    return host is not None and origin.lower() in (
        f"http://{host}".lower(),
        f"https://{host}".lower(),
    )
