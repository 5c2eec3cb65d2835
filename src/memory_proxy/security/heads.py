"""What the head of a request must look like before anything else looks at it (RFC 9112).

Stricter than the grammar where two readers of one request could differ: whatever a server, a proxy
and an application might each understand in another way is refused. Pure functions over bytes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

HttpHeaders = list[tuple[bytes, bytes]]
"""As the parser gives them: names in lower case, in the order of arrival."""

SINGLE_HEADERS = frozenset(
    (
        # where a message ends, and for whom it is
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"content-encoding",
        b"expect",
        b"origin",
        b"upgrade",
        # who is asking
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"api-key",
        b"x-api-key",
        b"x-goog-api-key",
        b"x-litellm-api-key",
        b"x-supermemory-api-key",
        b"user-agent",
        # whose memory, which conversation
        b"x-memory",
        b"x-memory-user-id",
        b"x-memory-session-id",
        b"x-memory-project",
        b"x-sm-user-id",
        b"x-sm-conversation-id",
        b"x-session-id",
        b"x-litellm-session-id",
        b"x-litellm-end-user-id",
        b"x-litellm-customer-id",
        b"x-claude-code-session-id",
        b"x-opencode-session-id",
        b"x-parent-session-id",
        b"x-session-affinity",
        b"x-openwebui-user-id",
        b"x-openwebui-user-email",
        b"x-openwebui-chat-id",
        b"x-gemini-api-privileged-user-id",
        b"agent-session-id",
        b"session-id",
        b"session_id",
        b"thread-id",
        b"conversation_id",
    )
)
"""Headers whose second value another reader might prefer to the first."""

_END_OF_HEAD = b"\r\n\r\n"
_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
_REQUEST_LINE = rb"(?:%s) (/[!-\"$-~]*+) HTTP/1\.[01]\r\n" % b"|".join(_METHODS)
_UNDERSCORED = rb"(?i:session_id|conversation_id)"  # older Codex versions send them
_FIELD_NAME = rb"(?:[!#$%%&'*+.^`|~0-9A-Za-z-]++|%s)" % _UNDERSCORED
_FIELD_LINE = rb"%s:[\t -~\x80-\xff]*+\r\n" % _FIELD_NAME
_HEAD = re.compile(rb"%s(?:%s)*+\r\n" % (_REQUEST_LINE, _FIELD_LINE))
_UPGRADE = re.compile(rb"(?<=\n)upgrade:", re.IGNORECASE)
_MASKED_UPGRADE = b"x-masked-upgrade"
_LINE = re.compile(_FIELD_LINE)
_LENGTH = re.compile(rb"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The HTTP status of a request that nobody shall see, and why, in words for its sender."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeadRules:
    max_head_bytes: int = 64 * 1024
    max_headers: int = 100
    max_target_bytes: int = 8 * 1024
    single_headers: frozenset[bytes] = SINGLE_HEADERS

    def with_identity_headers(self, names: Iterable[str]) -> "HeadRules":
        """These rules, and each of `names` may come only once too."""
        more = frozenset(name.lower().encode("ascii") for name in names)
        return replace(self, single_headers=self.single_headers | more)


def head_at_front(data: bytes, rules: HeadRules) -> bytes | Refusal | None:
    """The head that `data` begins with, its empty line included, if it may be parsed; None while
    its end has not come and nothing is wrong with it so far."""
    match = _HEAD.match(data)
    if match is None:
        return _fault_in_front(data, rules)
    if match.end() > rules.max_head_bytes:
        return _too_large(rules)
    if match.end(1) - match.start(1) > rules.max_target_bytes:
        return Refusal(414, f"the request target is longer than {rules.max_target_bytes} bytes")
    return match[0]


def fault_in_headers(
    headers: HttpHeaders, found: dict[bytes, bytes], rules: HeadRules, *, version: str
) -> Refusal | None:
    """What is wrong with the parsed headers of a request of HTTP `version`, such as "1.1".

    `found` are the same headers by name.
    """
    if len(headers) > rules.max_headers:
        return _too_large(rules)
    if len(found) != len(headers) and (name := _repeated(headers, rules)):
        return Refusal(400, f"the header {name} came more than once")
    if not found.get(b"host"):
        return Refusal(400, "the Host header is missing")
    return _fault_in_framing(found, version)


def with_masked_upgrade(head: bytes) -> bytes:
    """`head` with its Upgrade under another name; the same object where there is none.

    The parser takes whatever follows a request to upgrade for another protocol. We never change
    ours, and the clients that offer HTTP/2 in this way go on in HTTP/1.1 with a body.
    """
    if b"\nupgrade:" not in head.lower():
        return head
    return _UPGRADE.sub(_MASKED_UPGRADE + b":", head)


def unmask_upgrade(headers: HttpHeaders) -> None:
    """Give it its name back, in place: the application's own list is this one."""
    headers[:] = [
        (b"upgrade" if name == _MASKED_UPGRADE else name, value) for name, value in headers
    ]


def _fault_in_framing(found: dict[bytes, bytes], version: str) -> Refusal | None:
    length, coding = found.get(b"content-length"), found.get(b"transfer-encoding")
    if length is not None and not _LENGTH.fullmatch(length):
        return Refusal(400, "Content-Length must be a plain number")
    if coding is None:
        return None
    if length is not None:
        return Refusal(400, "Content-Length and Transfer-Encoding exclude each other")
    if coding.lower() != b"chunked" or version != "1.1":
        return Refusal(400, "the one Transfer-Encoding understood is chunked, in HTTP/1.1")
    return None


def _repeated(headers: HttpHeaders, rules: HeadRules) -> str | None:
    names = [name for name, _ in headers if name in rules.single_headers]
    return next((name.decode("ascii") for name in names if names.count(name) > 1), None)


def _too_large(rules: HeadRules) -> Refusal:
    limits = f"{rules.max_head_bytes} bytes or {rules.max_headers} headers"
    return Refusal(431, f"the request head is larger than {limits}")


def _fault_in_front(data: bytes, rules: HeadRules) -> Refusal | None:
    end = data.find(_END_OF_HEAD)
    head = data if end < 0 else data[: end + len(_END_OF_HEAD)]
    if len(head) > rules.max_head_bytes or head.count(b"\n") > rules.max_headers + 2:
        return _too_large(rules)
    if head.count(b"\n") != head.count(b"\r\n"):
        return Refusal(400, "lines must end with CR LF")
    return _fault_in_lines(head) if end >= 0 else None


def _fault_in_lines(head: bytes) -> Refusal:
    """Which rule a head that does not match the grammar breaks."""
    request_line, _, rest = head.partition(b"\r\n")
    words = request_line.split(b" ")
    if len(words) != 3 or not words[0].isalpha():
        return Refusal(400, "the request line is malformed")
    if words[0] not in _METHODS:
        return Refusal(501, "this method is not served")
    if words[2] not in (b"HTTP/1.0", b"HTTP/1.1"):
        return Refusal(505, "only HTTP/1.1 and HTTP/1.0 are served")
    if not words[1].startswith(b"/"):
        return Refusal(400, "the request target must be a path; absolute URLs are not served")
    if not re.fullmatch(_REQUEST_LINE, request_line + b"\r\n"):
        return Refusal(400, "the request target holds a forbidden character")
    return _fault_in_field_lines(rest)


def _fault_in_field_lines(lines: bytes) -> Refusal:
    broken = next(line for line in lines.splitlines(keepends=True) if not _LINE.fullmatch(line))
    if broken.startswith((b" ", b"\t")):
        return Refusal(400, "a header goes on over a second line")
    if b"_" in broken.partition(b":")[0]:
        return Refusal(400, "a header name holds an underscore; write a hyphen")
    return Refusal(400, "a header line is malformed or holds a control character")
