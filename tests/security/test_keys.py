import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.core.errors import AuthenticationFailed, ConfigurationError
from memory_proxy.core.types import Caller, Headers, TenantId
from memory_proxy.security.keys import KeyRing, without_key

KEY = "sk-memory-0123456789abcdef"
RING = KeyRing(KEY)
OTHER = KEY[:-1] + "0"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ((("authorization", f"Bearer {KEY}"),), ""),
        ((("authorization", f"bearer {KEY}"),), ""),
        ((("x-api-key", KEY),), ""),
        ((("api-key", KEY),), ""),
        ((("x-goog-api-key", KEY),), ""),
        ((), f"key={KEY}"),
        ((), f"alt=sse&key={KEY.replace('-', '%2d')}"),
        ((), f"alt=sse&%6bey={KEY}"),
        ((("authorization", f"Bearer {KEY}"), ("x-api-key", KEY)), f"key={KEY}"),
        ((("authorization", f"Bearer {KEY}"), ("x-api-key", "")), ""),
    ],
)
def test_the_master_key_is_accepted_wherever_clients_put_it(headers: Headers, query: str) -> None:
    assert RING.authenticate(headers, query) == Caller(TenantId("default"))


REFUSED: list[tuple[Headers, str]] = [
    ((), ""),
    ((), "alt=sse"),
    ((), "key="),
    ((), f"monkey={KEY}"),
    ((), f"Key={KEY}"),
    ((("authorization", ""),), ""),
    ((("authorization", "Bearer"),), ""),
    ((("authorization", "Bearer "),), ""),
    ((("authorization", KEY),), ""),
    ((("authorization", f"Basic {KEY}"),), ""),
    ((("authorization", f"Bearer {OTHER}"),), ""),
    ((("authorization", f"Bearer {KEY}x"),), ""),
    ((("authorization", f"Bearer {KEY[:20]}"),), ""),
    ((("authorization", f"Bearer {KEY.upper()}"),), ""),
    ((("x-api-key", "ключ"),), ""),
    ((("x-litellm-api-key", KEY),), ""),
    ((("cookie", f"token={KEY}"),), ""),
    ((("authorization", f"Bearer {KEY}"), ("x-api-key", OTHER)), ""),
    ((("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {OTHER}")), ""),
    ((("authorization", f"Bearer {KEY}"),), f"key={OTHER}"),
    ((("authorization", "Basic abc"), ("x-api-key", KEY)), ""),
    ((), f"key={KEY}&key={OTHER}"),
]


@pytest.mark.parametrize(("headers", "query"), REFUSED)
def test_any_other_request_is_refused(headers: Headers, query: str) -> None:
    with pytest.raises(AuthenticationFailed):
        RING.authenticate(headers, query)


def test_every_refusal_has_the_same_words() -> None:
    words = set()
    for headers, query in REFUSED:
        with pytest.raises(AuthenticationFailed) as refusal:
            RING.authenticate(headers, query)
        words.add(str(refusal.value))

    assert len(words) == 1


@given(key=st.text(max_size=60))
def test_no_text_but_the_key_opens(key: str) -> None:
    if key.strip() == KEY:
        return
    with pytest.raises(AuthenticationFailed):
        RING.authenticate((("x-api-key", key),), "")


def test_there_is_no_ring_without_a_key() -> None:
    with pytest.raises(ConfigurationError):
        KeyRing("")


def test_a_ring_shows_nothing_of_its_key() -> None:
    assert KEY.encode() not in b"".join(
        value if isinstance(value, bytes) else str(value).encode() for value in vars(RING).values()
    )


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("key=a", ""),
        ("alt=sse&key=a&beta=%20x", "alt=sse&beta=%20x"),
        ("%6Bey=a&a=b", "a=b"),
        ("key=a&key=b&key", ""),
        ("monkey=a&key%20=b", "monkey=a&key%20=b"),
    ],
)
def test_a_query_goes_on_without_its_key(query: str, kept: str) -> None:
    assert without_key(query) == kept


def test_a_query_without_a_key_stays_the_same_object() -> None:
    query = "beta=true&alt=sse"

    assert without_key(query) is query
