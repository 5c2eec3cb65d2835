"""Which headers cross us: of a request to LiteLLM, of its answer to the client."""

from memory_proxy.core.types import Headers
from memory_proxy.security.keys import CREDENTIAL_HEADERS

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
    )
)

_NOT_FORWARDED = (
    _HOP_BY_HOP
    | CREDENTIAL_HEADERS
    | frozenset(
        (
            # said anew for the next hop
            "host",
            "content-length",
            "accept-encoding",
            "expect",
            "forwarded",
            "via",
            "x-real-ip",
            # meant for us
            "x-session-id",
            "x-sm-user-id",
            "x-sm-conversation-id",
            "x-supermemory-api-key",
        )
    )
)
_PREFIXES_NOT_FORWARDED = ("x-memory", "x-litellm-", "litellm-", "x-pass-", "x-forwarded-")

_NOT_RETURNED = _HOP_BY_HOP | frozenset(
    ("set-cookie", "server", "date", "alt-svc", "x-litellm-model-api-base")
)
_PREFIXES_NOT_RETURNED = ("llm_provider-", "access-control-")


def forwardable_headers(headers: Headers) -> Headers:
    """What LiteLLM gets to see: the client's own words, without its keys, without what was meant
    for us or for this hop (RFC 9110 section 7.6.1), and without LiteLLM's control knobs."""
    dropped = _NOT_FORWARDED | _named_in_connection(headers)
    return tuple(
        pair
        for pair in headers
        if pair[0] not in dropped and not pair[0].startswith(_PREFIXES_NOT_FORWARDED)
    )


def response_headers(headers: Headers) -> Headers:
    """What the client gets to see; headers that came twice go out twice."""
    dropped = _NOT_RETURNED | _named_in_connection(headers)
    return tuple(
        pair
        for pair in headers
        if pair[0] not in dropped and not pair[0].startswith(_PREFIXES_NOT_RETURNED)
    )


def _named_in_connection(headers: Headers) -> frozenset[str]:
    """Names that `Connection` declares to be of this hop only; rarely more than keep-alive."""
    return frozenset(
        token.strip().lower()
        for name, value in headers
        if name == "connection"
        for token in value.split(",")
    )
