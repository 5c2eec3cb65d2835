"""Which session a request belongs to. A session id authorises nothing: it is looked up inside the
scope that the key and the user gave."""

from dataclasses import dataclass
from hashlib import blake2b

from memory_proxy.core.types import Headers, Message, Role, SessionId
from memory_proxy.routing.clients import recognise_client
from memory_proxy.routing.identifiers import check_session_id, is_session_id

EXPLICIT_HEADERS = (
    "x-memory-session-id",
    "x-session-id",
    "x-litellm-session-id",
    "x-sm-conversation-id",
)


@dataclass(frozen=True, slots=True)
class Session:
    """`continues`: a lone newest message may be continued with what the session already holds.

    Only where the caller itself names the session: a program that keeps sessions of its own resends
    its history, and sends lone messages for titles and the like.
    """

    id: SessionId
    continues: bool


def session_of(
    headers: Headers, messages: tuple[Message, ...], *, evidence: str | None = None
) -> Session:
    """The session in order of trust: an explicit header, a known client's own header, `evidence`
    from the body, else a fingerprint of the conversation's first words.

    Raises InvalidRequest when a header names something that cannot be a session id.
    """
    sent = dict(reversed(headers))  # the first of a repeated header wins
    own_headers = recognise_client(sent).session_headers
    for name in EXPLICIT_HEADERS:
        if name in sent:
            session_id = check_session_id(sent[name], source=f"header {name}")
            return Session(session_id, continues=not own_headers)
    for name in own_headers:
        if name in sent:
            session_id = check_session_id(sent[name], source=f"header {name}")
            return Session(session_id, continues=False)
    if evidence and is_session_id(evidence):
        return Session(SessionId(evidence), continues=False)
    return Session(_fingerprint(messages), continues=False)


def _fingerprint(messages: tuple[Message, ...]) -> SessionId:
    """The same for every request of a conversation that its client resends whole."""
    first = next((message.text for message in messages if message.role is Role.USER), "")
    return SessionId("conversation-" + blake2b(first.encode(), digest_size=8).hexdigest())
