"""What is asked for: the terms, and what the form of the question says about its answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_proxy.retrieval.dates import Period, periods_in
from memory_proxy.retrieval.entries import Numbers, term_numbers
from memory_proxy.retrieval.postings import phrase
from memory_proxy.retrieval.terms import index_terms, written_terms

_CHARACTERS: Final = 2_000
_TERMS: Final = 64

_ASKS_WHEN: Final = re.compile(
    r"\b(?:when|(?:what|which) (?:date|day|week|month|year|time)|how long|deadline|between"
    r"|how many (?:minutes|hours|days|weeks|months|years))\b"
)
_ASKS_HOW_MANY: Final = re.compile(
    r"\bhow (?:many|much|often)\b|\b(?:percentage|total|average|number of|score|count)\b"
)
_ASKS_WHETHER: Final = re.compile(r"\s*(?:have|did|do|am|was) i\b")


@dataclass(frozen=True, slots=True)
class Question:
    """`terms` are different ones, and `words` how it writes them. `phrases` are each two that stand
    side by side; they and `numbers` are what the index calls them. `period` is the time that it
    names; `vector`, of length 1, says what is meant."""

    terms: tuple[str, ...]
    words: tuple[str, ...]
    numbers: tuple[int, ...]
    phrases: tuple[int, ...]
    asks_when: bool
    asks_how_many: bool
    asks_whether: bool
    period: Period | None = None
    vector: NDArray[np.float32] | None = None


def question_of(said: str, now: datetime, vector: NDArray[np.float32] | None = None) -> Question:
    ends = _ends(said)
    lower = ends.lower()
    words = dict(islice(written_terms(ends).items(), _TERMS))
    terms = tuple(words)
    return Question(
        terms=terms,
        words=tuple(words.values()),
        numbers=tuple(term_numbers(terms)),
        phrases=_phrases(index_terms(ends)[:_TERMS]),
        asks_when=_ASKS_WHEN.search(lower) is not None,
        asks_how_many=_ASKS_HOW_MANY.search(lower) is not None,
        asks_whether=_ASKS_WHETHER.match(lower) is not None,
        period=_exactest(periods_in(ends, now)),
        vector=vector,
    )


def _exactest(periods: Sequence[Period]) -> Period | None:
    """`on 3 May 2023` names a month as well."""
    return min(periods, key=lambda each: each.end - each.start, default=None)


def _phrases(terms: tuple[str, ...]) -> tuple[int, ...]:
    numbers: Numbers = np.array(term_numbers(terms), np.uint32)
    return tuple(dict.fromkeys(phrase(numbers[:-1], numbers[1:]).tolist()))


def _ends(said: str) -> str:
    """What a long message asks stands at its beginning or its end."""
    if len(said) <= _CHARACTERS:
        return said
    half = _CHARACTERS // 2
    return f"{said[:half]}\n{said[-half:]}"
