"""Which terms of a query are worth searching for, and how much each one says."""

import math
from collections.abc import Mapping
from typing import Final

_COMMON_SHARE: Final = 0.2
_LARGE_SCOPE: Final = 200
_MAX_TERMS: Final = 64
_MAX_POSTINGS: Final = 25_000


def searchable_terms(frequency: Mapping[str, int], *, turn_count: int) -> list[str]:
    """The terms to search a scope of `turn_count` turns for, the rarest first.

    `frequency` says in how many turns each term stands. In a large scope the terms of more than a
    fifth of the turns are left out, and so is what would make one search look at more than
    `_MAX_POSTINGS` entries of the index; the rarest term always stays.
    """
    rarest_first = sorted((count, term) for term, count in frequency.items() if count > 0)
    limit = turn_count if turn_count < _LARGE_SCOPE else turn_count * _COMMON_SHARE
    terms: list[str] = []
    postings = 0
    for count, term in rarest_first[:_MAX_TERMS]:
        postings += count
        if terms and (count > limit or postings > _MAX_POSTINGS):
            break
        terms.append(term)
    return terms


def inverse_document_frequency(frequency: int, *, turn_count: int) -> float:
    """The weight of a term in BM25, in the variant that is never negative.

    Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, with 1 added inside the
    logarithm, as Lucene does.
    """
    return math.log(1 + (turn_count - frequency + 0.5) / (frequency + 0.5))
