"""The words a text is found by: the same for every store, for writing and for asking."""

import re
from collections.abc import Iterator, Sequence
from unicodedata import normalize

import Stemmer

INDEXED_CHARACTERS = 20_000
"""A longer text is found by its head: nobody asks for the middle of a log file by its words."""

_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
# Letters and digits, and the marks that Python does not count among them (Indic, Thai, accents).
_LETTER = r"(?:[^\W_]|[\u0300-\u036f\u0900-\u109f\u1780-\u17ff])"
_WORD = re.compile(rf"{_LETTER}+(?:'{_LETTER}+)*")
# Han, kana, Hangul, Thai, Lao, Khmer and Myanmar write words without spaces between them.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)
_LONGEST_TERM = 64

STOP_WORDS = frozenset(
    """
    a about above after again all also am an and any are aren't as at be because been before being
    below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't
    down during each few for from further get got had hadn't has hasn't have haven't having he he'd
    he'll he's her here hers herself him himself his how how's i i'd i'll i'm i've if in into is
    isn't it it's its itself just know let let's like many may me might more most much must my
    myself no nor not now of off on once one only or other ought our ours ourselves out over own
    please same shall she she'd she's should shouldn't so some such tell than that that's the their
    theirs them themselves then there there's these they they'd they'll they're they've this those
    through to too under until up us very was wasn't we we'd we'll we're we've were weren't what
    what's when when's where where's which while who who's whom why will with won't would wouldn't
    yes you you'd you'll you're you've your yours yourself yourselves
    """.split()
)


def index_terms(text: str) -> tuple[str, ...]:
    """Every term of `text` in order, repeated as often as it stands there; no stop words."""
    return tuple(_stemmed(_own_words(text)))


def query_terms(text: str, *, limit: int = 64) -> tuple[str, ...]:
    """The first `limit` different terms."""
    return tuple(written_terms(text))[:limit]


def written_terms(text: str) -> dict[str, str]:
    """Each different term, and a word of `text` that it stands for."""
    words = _own_words(text)
    written: dict[str, str] = {}
    for term, word in zip(_stemmed(words), words, strict=True):
        written.setdefault(term, word)
    return written


def _own_words(text: str) -> list[str]:
    return [word for word in _words(text[:INDEXED_CHARACTERS]) if word not in STOP_WORDS]


def _words(text: str) -> list[str]:
    if text.isascii():
        return [word[:_LONGEST_TERM] for word in _ASCII_WORD.findall(text.lower())]
    folded = normalize("NFKC", text).casefold().replace("\u2019", "'")
    return [piece for word in _WORD.findall(folded) for piece in _pieces(word)]


def _pieces(word: str) -> Iterator[str]:
    """Runs of unspaced script as overlapping pairs of characters; what else is in it, whole."""
    end = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > end:
            yield word[end : run.start()][:_LONGEST_TERM]
        text, end = run.group(), run.end()
        yield from (text[i : i + 2] for i in range(max(1, len(text) - 1)))
    if end < len(word):
        yield word[end:][:_LONGEST_TERM]


def _stemmed(words: Sequence[str]) -> list[str]:
    # A stemmer is not safe to share between threads, and a cache that lives for one text costs more
    # than it saves.
    return Stemmer.Stemmer("english", 0).stemWords(words)
