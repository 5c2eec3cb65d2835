"""Requests that two readers could understand differently; each is refused before anyone does."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParsingCase:
    name: str
    raw: bytes
    status: int = 400


def _request(*lines: bytes, body: bytes = b"", line: bytes = b"POST /v1/x HTTP/1.1") -> bytes:
    return b"\r\n".join((line, *lines, b"", body))


_HOST = b"Host: localhost"
_CHUNKED = b"Transfer-Encoding: chunked"
_FIVE = b"5\r\nhello\r\n0\r\n\r\n"

HEAD_CASES = (
    ParsingCase(
        "two lengths",
        _request(_HOST, b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
    ),
    ParsingCase(
        "one length twice",
        _request(_HOST, b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    ),
    ParsingCase("list of lengths", _request(_HOST, b"Content-Length: 5, 5", body=b"hello")),
    ParsingCase("length with a sign", _request(_HOST, b"Content-Length: +5", body=b"hello")),
    ParsingCase("negative length", _request(_HOST, b"Content-Length: -1", body=b"hello")),
    ParsingCase("hexadecimal length", _request(_HOST, b"Content-Length: 0x5", body=b"hello")),
    ParsingCase("empty length", _request(_HOST, b"Content-Length: ", body=b"hello")),
    ParsingCase("overlong length", _request(_HOST, b"Content-Length: " + b"9" * 20)),
    ParsingCase("length and coding", _request(_HOST, b"Content-Length: 5", _CHUNKED, body=_FIVE)),
    ParsingCase("coding and length", _request(_HOST, _CHUNKED, b"Content-Length: 5", body=_FIVE)),
    ParsingCase("two codings", _request(_HOST, _CHUNKED, _CHUNKED, body=_FIVE)),
    ParsingCase(
        "coding before chunked", _request(_HOST, b"Transfer-Encoding: gzip, chunked", body=_FIVE)
    ),
    ParsingCase(
        "coding after chunked",
        _request(_HOST, b"Transfer-Encoding: chunked, identity", body=_FIVE),
    ),
    ParsingCase("unknown coding", _request(_HOST, b"Transfer-Encoding: xchunked", body=_FIVE)),
    ParsingCase("quoted coding", _request(_HOST, b'Transfer-Encoding: "chunked"', body=_FIVE)),
    ParsingCase(
        "vertical tab before a coding",
        _request(_HOST, b"Transfer-Encoding: \x0bchunked", body=_FIVE),
    ),
    ParsingCase(
        "chunked in HTTP/1.0",
        _request(_HOST, _CHUNKED, body=_FIVE, line=b"POST /v1/x HTTP/1.0"),
    ),
    ParsingCase(
        "space before a colon", _request(_HOST, b"Transfer-Encoding : chunked", body=_FIVE)
    ),
    ParsingCase("folded header", _request(_HOST, b"X-A: one", b" two")),
    ParsingCase("header folded by a tab", _request(_HOST, b"X-A: one", b"\ttwo")),
    ParsingCase("space before the first header", _request(b" Host: localhost", b"X-A: 1")),
    ParsingCase("bare line feeds", b"GET /v1/x HTTP/1.1\nHost: localhost\n\n"),
    ParsingCase("one bare line feed", _request(_HOST, b"X-A: 1\nX-B: 2")),
    ParsingCase("bare line feed in the request line", b"GET /v1/x HTTP/1.1\nHost: a\r\n\r\n"),
    ParsingCase("bare carriage return", _request(_HOST, b"X-A: 1\rX-B: 2")),
    ParsingCase("NUL in a value", _request(_HOST, b"X-A: 1\x002")),
    ParsingCase("control character in a value", _request(_HOST, b"X-A: 1\x012")),
    ParsingCase("DEL in a value", _request(_HOST, b"X-A: 1\x7f2")),
    ParsingCase("empty header name", _request(_HOST, b": 1")),
    ParsingCase("header without a colon", _request(_HOST, b"X-A")),
    ParsingCase("header name of no token", _request(_HOST, b"X(A): 1")),
    ParsingCase("no host", _request(b"X-A: 1")),
    ParsingCase("no host in HTTP/1.0", _request(b"X-A: 1", line=b"GET /v1/x HTTP/1.0")),
    ParsingCase("empty host", _request(b"Host: ")),
    ParsingCase("two hosts", _request(_HOST, b"Host: evil.example")),
    ParsingCase("absolute target", _request(_HOST, line=b"GET http://localhost/v1/x HTTP/1.1")),
    ParsingCase(
        "authority target", _request(_HOST, line=b"CONNECT evil.example:443 HTTP/1.1"), 501
    ),
    ParsingCase("asterisk target", _request(_HOST, line=b"OPTIONS * HTTP/1.1")),
    ParsingCase("target without a slash", _request(_HOST, line=b"GET v1/x HTTP/1.1")),
    ParsingCase("fragment in the target", _request(_HOST, line=b"GET /v1/x#y HTTP/1.1")),
    ParsingCase("raw bytes in the target", _request(_HOST, line=b"GET /v1/\xff HTTP/1.1")),
    ParsingCase("control character in the target", _request(_HOST, line=b"GET /v1\x00 HTTP/1.1")),
    ParsingCase("space in the target", _request(_HOST, line=b"GET /v1/x y HTTP/1.1")),
    ParsingCase("two spaces", _request(_HOST, line=b"GET  /v1/x HTTP/1.1")),
    ParsingCase("tab for a space", _request(_HOST, line=b"GET\t/v1/x HTTP/1.1")),
    ParsingCase("no version", _request(_HOST, line=b"GET /v1/x")),
    ParsingCase("lower-case method", _request(_HOST, line=b"get /v1/x HTTP/1.1"), 501),
    ParsingCase("TRACE", _request(_HOST, line=b"TRACE /v1/x HTTP/1.1"), 501),
    ParsingCase("made-up method", _request(_HOST, line=b"FETCH /v1/x HTTP/1.1"), 501),
    ParsingCase("HTTP/2.0", _request(_HOST, line=b"GET /v1/x HTTP/2.0"), 505),
    ParsingCase("HTTP/1.2", _request(_HOST, line=b"GET /v1/x HTTP/1.2"), 505),
    ParsingCase("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501),
    ParsingCase("empty line first", b"\r\n" + _request(_HOST)),
    ParsingCase("JSON for a head", b'{"model": "gpt"}\r\n\r\n'),
    ParsingCase("two Authorizations", _request(_HOST, b"Authorization: a", b"Authorization: b")),
    ParsingCase("two x-api-keys", _request(_HOST, b"x-api-key: a", b"X-Api-Key: b")),
    ParsingCase("two x-goog-api-keys", _request(_HOST, b"x-goog-api-key: a", b"x-goog-api-key: a")),
    ParsingCase("two users", _request(_HOST, b"x-memory-user-id: ann", b"x-memory-user-id: bob")),
    ParsingCase("two Supermemory users", _request(_HOST, b"x-sm-user-id: a", b"x-sm-user-id: b")),
    ParsingCase("two sessions", _request(_HOST, b"x-session-id: a", b"x-session-id: b")),
    ParsingCase("two configured users", _request(_HOST, b"x-our-user: a", b"X-Our-User: b")),
    ParsingCase("underscored user", _request(_HOST, b"x_memory_user_id: bob")),
    ParsingCase("underscored length", _request(_HOST, b"content_length: 5")),
    ParsingCase("large head", _request(_HOST, b"X-A: " + b"a" * 66_000), 431),
    ParsingCase("large head without an end", b"GET /v1/x HTTP/1.1\r\nX-A: " + b"a" * 66_000, 431),
    ParsingCase(
        "many headers without an end", b"GET /v1/x HTTP/1.1\r\n" + b"X-A: 1\r\n" * 102, 431
    ),
    ParsingCase("many headers", _request(_HOST, *[b"X-%d: 1" % n for n in range(100)]), 431),
    ParsingCase("long target", _request(_HOST, line=b"GET /" + b"a" * 8192 + b" HTTP/1.1"), 414),
)

BODY_CASES = (
    ParsingCase("trailer", _request(_HOST, _CHUNKED, body=b"5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n")),
    ParsingCase(
        "credential in a trailer",
        _request(_HOST, _CHUNKED, body=b"0\r\nAuthorization: Bearer stolen\r\n\r\n"),
    ),
    ParsingCase("chunk extension", _request(_HOST, _CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n")),
    ParsingCase("chunk size with a sign", _request(_HOST, _CHUNKED, body=b"+5\r\nhello\r\n")),
    ParsingCase("chunk size with 0x", _request(_HOST, _CHUNKED, body=b"0x5\r\nhello\r\n")),
    ParsingCase("chunk size too long", _request(_HOST, _CHUNKED, body=b"000000005\r\nhello\r\n")),
    ParsingCase("empty chunk size", _request(_HOST, _CHUNKED, body=b"\r\nhello\r\n")),
    ParsingCase(
        "chunk longer than said", _request(_HOST, _CHUNKED, body=b"4\r\nhello\r\n0\r\n\r\n")
    ),
    ParsingCase("bare line feed after a size", _request(_HOST, _CHUNKED, body=b"5\nhello\r\n")),
    ParsingCase(
        "bare line feed after a chunk", _request(_HOST, _CHUNKED, body=b"5\r\nhello\n0\r\n")
    ),
)
