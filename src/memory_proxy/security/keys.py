"""Who is calling: the API key of a request, against the one that is configured."""

import hmac
import secrets
from collections.abc import Iterator
from hashlib import blake2b
from urllib.parse import unquote_plus, unquote_to_bytes

from memory_proxy.core.errors import AuthenticationFailed, ConfigurationError
from memory_proxy.core.types import Caller, Headers, TenantId

CREDENTIAL_HEADERS = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "api-key",  # Azure's clients
        "x-api-key",  # Anthropic's
        "x-goog-api-key",  # Google's
        "x-litellm-api-key",
        "ocp-apim-subscription-key",
        "cookie",
    )
)
"""Headers that prove who somebody is, to us or to LiteLLM. None of them is ever forwarded."""

_KEY_HEADERS = frozenset(("api-key", "x-api-key", "x-goog-api-key"))
_BEARER = "bearer "
_FAILED = "a valid API key is required: Authorization: Bearer <key>, x-api-key or x-goog-api-key"


class KeyRing:
    """Knows the master key by its digest only.

    Keys are compared as digests keyed with a secret of this process (BLAKE2b, RFC 7693): equally
    long whatever was sent, so that the time taken says nothing about how much of a guess was right.
    """

    def __init__(self, master_key: str) -> None:
        if not master_key:
            raise ConfigurationError("the master key is empty; set LITELLM_MASTER_KEY")
        self._secret = secrets.token_bytes(32)
        self._expected = self._digest(master_key.encode())

    def authenticate(self, headers: Headers, query: str) -> Caller:
        """Whom the key of a request proves; raises AuthenticationFailed, always in the same words.

        A request with two different keys is refused: which of them counts would be a guess.
        """
        keys = set(_presented(headers, query))
        if len(keys) != 1:
            raise AuthenticationFailed(_FAILED)
        if not hmac.compare_digest(self._digest(keys.pop()), self._expected):
            raise AuthenticationFailed(_FAILED)
        return Caller(TenantId("default"))

    def _digest(self, key: bytes) -> bytes:
        return blake2b(key, key=self._secret, digest_size=32).digest()


def without_key(query: str) -> str:
    """A raw query without its API key; the same object where there is none."""
    if not _may_hold_key(query):
        return query
    return "&".join(part for part in query.split("&") if _name_of(part) != "key")


def _presented(headers: Headers, query: str) -> Iterator[bytes]:
    """Every key in the request. An Authorization that is no bearer key is one too: a wrong one."""
    for name, value in headers:
        if name == "authorization" and value:
            yield _bearer_key(value).encode("latin-1", "replace")
        elif name in _KEY_HEADERS and value:
            yield value.strip().encode("latin-1", "replace")
    if _may_hold_key(query):
        for part in query.split("&"):
            if _name_of(part) == "key":
                yield unquote_to_bytes(part.partition("=")[2].replace("+", " "))


def _bearer_key(authorization: str) -> str:
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return ""


def _may_hold_key(query: str) -> bool:
    return "key" in query or "%" in query


def _name_of(part: str) -> str:
    return unquote_plus(part.partition("=")[0])
