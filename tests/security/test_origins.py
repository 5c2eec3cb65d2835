import pytest

from memory_proxy.core.errors import PermissionDenied
from memory_proxy.core.types import Headers
from memory_proxy.security.origins import (
    check_host,
    check_origin,
)

PAGE = "https://chat.example"
HOST = ("host", "localhost:8764")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8764",
        "localhost.:8764",
        "127.0.0.1:8764",
        "[::1]:8764",
        "[::1]",
        "proxy.example:443",
        "Proxy.Example",
    ],
)
def test_this_computer_and_configured_names_are_served(host: str) -> None:
    check_host((("host", host),), frozenset(["proxy.example"]))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8764",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "localhost@evil.example",
        "evil.example/localhost",
        "localhost:8764:1",
        "localhost:port",
        "[::2]",
        "::1",
        "127.1",
        "0x7f.0.0.1",
    ],
)
def test_a_page_that_has_its_name_resolved_to_us_is_not_served(host: str) -> None:
    with pytest.raises(PermissionDenied):
        check_host((("host", host),), frozenset(["proxy.example"]))


def test_a_request_without_a_host_is_not_served_even_where_every_name_is() -> None:
    check_host((("host", "any.example"),), frozenset("*"))
    with pytest.raises(PermissionDenied):
        check_host((), frozenset("*"))


@pytest.mark.parametrize(
    "headers",
    [
        (HOST,),
        (HOST, ("sec-fetch-mode", "cors")),
        (HOST, ("sec-fetch-site", "none")),
        (HOST, ("sec-fetch-site", "same-origin")),
        (HOST, ("origin", "http://localhost:8764"), ("sec-fetch-site", "same-origin")),
        (HOST, ("origin", "https://localhost:8764")),
        (HOST, ("origin", PAGE), ("sec-fetch-site", "cross-site")),
    ],
)
def test_sdks_our_own_pages_and_configured_pages_may_call(headers: Headers) -> None:
    check_origin(headers, frozenset([PAGE]))


@pytest.mark.parametrize(
    "headers",
    [
        (HOST, ("origin", "https://evil.example")),
        (HOST, ("origin", "null")),
        (HOST, ("origin", "")),
        (HOST, ("origin", "http://localhost:9999")),
        (HOST, ("origin", "http://localhost")),
        (HOST, ("origin", f"{PAGE}.evil.example")),
        (HOST, ("origin", f"{PAGE}:8443")),
        (HOST, ("origin", "http://chat.example")),
        (HOST, ("sec-fetch-site", "cross-site")),
        (HOST, ("sec-fetch-site", "same-site")),
        (("origin", "http://"),),
    ],
)
def test_any_other_web_page_may_not(headers: Headers) -> None:
    with pytest.raises(PermissionDenied):
        check_origin(headers, frozenset([PAGE]))
