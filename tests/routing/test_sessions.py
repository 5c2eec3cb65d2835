import pytest

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.core.types import Headers, Message, Role
from memory_proxy.routing.sessions import session_of

HELLO = (Message(Role.SYSTEM, "be kind"), Message(Role.USER, "hello"))


def test_an_explicit_header_names_a_session_that_continues() -> None:
    session = session_of((("x-session-id", "s1"),), HELLO)

    assert (session.id, session.continues) == ("s1", True)


def test_our_own_header_is_trusted_most() -> None:
    headers: Headers = (("x-session-id", "second"), ("x-memory-session-id", "first"))

    assert session_of(headers, HELLO).id == "first"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("x-claude-code-session-id", "cc"),), "cc"),
        ((("user-agent", "codex_exec/0.169.0 (x)"), ("session-id", "cx")), "cx"),
        ((("x-opencode-session-id", "oc"),), "oc"),
        ((("x-openwebui-chat-id", "ow"),), "ow"),
    ],
)
def test_a_known_client_names_its_own_session_and_resends_its_history(
    headers: Headers, expected: str
) -> None:
    session = session_of(headers, HELLO)

    assert (session.id, session.continues) == (expected, False)


def test_a_header_of_one_client_means_nothing_from_another() -> None:
    headers: Headers = (("user-agent", "curl/8"), ("session-id", "not codex"))

    assert session_of(headers, HELLO).id.startswith("conversation-")


def test_what_the_body_states_comes_after_headers() -> None:
    assert session_of((), HELLO, evidence="from-body").id == "from-body"
    assert session_of((), HELLO, evidence="no session id").id.startswith("conversation-")


def test_without_any_evidence_a_resent_conversation_keeps_its_session() -> None:
    first = session_of((), HELLO)
    later = session_of((), (*HELLO, Message(Role.ASSISTANT, "hi"), Message(Role.USER, "more")))

    assert first == later
    assert not first.continues
    assert first.id != session_of((), (Message(Role.USER, "hello!"),)).id


@pytest.mark.parametrize("bad", ["", "a b", "a\tb", "ü", "x" * 257])
def test_what_cannot_be_a_session_id_is_refused(bad: str) -> None:
    with pytest.raises(InvalidRequest, match="header x-session-id"):
        session_of((("x-session-id", bad),), HELLO)
