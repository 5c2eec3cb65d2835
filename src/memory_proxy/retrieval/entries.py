"""What a turn is found by: made when it is stored, so that recall never has to read its text.

To a store an entry is opaque bytes: a head of 32-bit numbers, then the terms of the turn, each as
the CRC-32 of its UTF-8, in their order.
"""

from binascii import crc32
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.types import Message, Role, SessionId
from memory_proxy.retrieval.terms import index_terms
from memory_proxy.retrieval.traits import traits_of

Numbers = NDArray[np.uint32]

WORD: Final = np.dtype("<u4")
HEAD: Final = 4
"""Session, speaker, minutes since 1970, traits: one number each."""
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of many turns, a row each; `terms` are those of all, one turn after another."""

    sessions: Numbers
    speakers: Numbers
    minutes: Numbers
    traits: Numbers
    lengths: NDArray[np.int64]
    terms: Numbers


def entry_of(message: Message, session: SessionId, at: datetime) -> bytes:
    """b"" for what shall not be found: a tool's output is kept for its session, but is nothing
    that somebody said."""
    terms = index_terms(message.text) if message.role in (Role.USER, Role.ASSISTANT) else ()
    if not terms:
        return b""
    head = (
        crc32(session.encode(errors="surrogatepass")),
        _speaker(message.text),
        minute_of(at),
        traits_of(message),
    )
    return np.array((*head, *term_numbers(terms)), WORD).tobytes()


def minute_of(at: datetime) -> int:
    """Minutes since 1970, which is also all that is before it."""
    return max(0, int(at.timestamp()) // 60)


def term_numbers(terms: Iterable[str]) -> list[int]:
    return [crc32(term.encode(errors="surrogatepass")) for term in terms]


def read_entries(entries: bytes, sizes: NDArray[np.int64]) -> Entries:
    """`entries` are those of many turns, joined; `sizes` how many bytes each has."""
    numbers = np.frombuffer(entries, WORD)
    sizes = sizes // WORD.itemsize
    starts = np.cumsum(sizes) - sizes
    is_term = np.ones(len(numbers), bool)
    heads = starts[:, np.newaxis] + np.arange(HEAD)
    is_term[heads] = False
    sessions, speakers, minutes, traits = numbers[heads].T
    return Entries(sessions, speakers, minutes, traits, sizes - HEAD, numbers[is_term])


def _speaker(text: str) -> int:
    """The number of the first term of a name that stands before the words: `Ann: hello`; or 0."""
    name, colon, _ = text[:_LONGEST_NAME].partition(":")
    if not colon or not name[:1].isupper() or len(name.split()) > 2:
        return 0
    return next(iter(term_numbers(index_terms(name)[:1])), 0)
