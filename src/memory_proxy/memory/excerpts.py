"""A long text, cut to the part that answers."""

import re
from collections import Counter, deque
from collections.abc import Collection
from typing import Final

from memory_proxy.retrieval.terms import INDEXED_CHARACTERS

EXCERPT_CHARACTERS: Final = 450
_LEAD: Final = 60  # what stands before the first of the words says what they are about
_LONGEST_WORD: Final = 30


def excerpt(text: str, terms: Collection[str]) -> str:
    """`text`, or the part of it that holds the most different ones of `terms`, with a mark where
    it was cut. Only the head of it, by which it is found, is looked at."""
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    start = max(0, _densest(text[:INDEXED_CHARACTERS], terms) - _LEAD)
    start = min(start, max(0, len(text) - EXCERPT_CHARACTERS))
    end = start + EXCERPT_CHARACTERS
    start, end = _between_words(text, start), _between_words(text, end)
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"


def _densest(text: str, terms: Collection[str]) -> int:
    """Where the first of the terms stands that are nearest together."""
    window: deque[tuple[int, str]] = deque()
    inside: Counter[str] = Counter()
    best, best_start = 0, 0
    for match in _pattern(terms).finditer(text) if terms else ():
        word = match.group().lower()
        window.append((match.start(), word))
        inside[word] += 1
        while match.end() - window[0][0] > EXCERPT_CHARACTERS - _LEAD:
            _, gone = window.popleft()
            inside[gone] -= 1
        found = sum(count > 0 for count in inside.values())
        if found > best:
            best, best_start = found, window[0][0]
    return best_start


def _pattern(terms: Collection[str]) -> re.Pattern[str]:
    """Words that begin like a term: a stem is the beginning of its words, but for a last `i`."""
    stems = sorted((term.removesuffix("i") or term for term in terms), key=len, reverse=True)
    ascii_stems = "|".join(re.escape(stem) for stem in stems if stem.isascii())
    others = "|".join(re.escape(stem) for stem in stems if not stem.isascii())
    return re.compile(
        "|".join(filter(None, [ascii_stems and rf"\b(?:{ascii_stems})", others])), re.I
    )


def _between_words(text: str, at: int) -> int:
    """The nearest place before `at` where no word is cut, if there is one near."""
    if at <= 0 or at >= len(text) or text[at].isspace() or text[at - 1].isspace():
        return at
    space = text.rfind(" ", max(0, at - _LONGEST_WORD), at)
    return at if space < 0 else space
