"""User and session ids: what may stand in them."""

import re

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.core.types import SessionId, UserId

_USER_ID = re.compile(r"[A-Za-z0-9._@:+-]{1,128}", re.ASCII)
_SESSION_ID = re.compile(r"[!-~]{1,256}", re.ASCII)


def is_user_id(text: str) -> bool:
    return _USER_ID.fullmatch(text) is not None


def check_user_id(text: str, *, source: str) -> UserId:
    """Raises InvalidRequest, without repeating what may be hostile text."""
    if not is_user_id(text):
        raise InvalidRequest(
            f"{source} is no user id: 1 to 128 letters, digits or any of . _ @ : + - are allowed"
        )
    return UserId(text)


def is_session_id(text: str) -> bool:
    return _SESSION_ID.fullmatch(text) is not None


def check_session_id(text: str, *, source: str) -> SessionId:
    if not is_session_id(text):
        raise InvalidRequest(
            f"{source} is no session id: 1 to 256 visible ASCII characters are allowed"
        )
    return SessionId(text)
