"""Which statement a later one has made out of date, where its words make that plain.

    My meeting is on Thursday.   <-   My meeting is now on Friday.
    I live in Paris.             <-   I moved from Paris to Berlin.
    I eat meat.                  <-   I no longer eat meat.

Only what people say of their own accord counts; a guess would do more harm than two dates do.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from memory_proxy.core.types import Role, Turn
from memory_proxy.retrieval.instructions import without_quotations
from memory_proxy.retrieval.terms import index_terms

_READ_CHARACTERS: Final = 2_000
_PLAIN_TERMS: Final = 10  # a longer sentence says more than one thing
_SENTENCE: Final = re.compile(r"[^.!?;\n]+[.!?;]?")
_HOME: Final = frozenset(("<home>",))

_FROM: Final = re.compile(
    r"\bi(?:'ve| have|'m| am)? (?:just |recently |finally |now )*(?:moved?|moving|relocated|switch"
    r"(?:ed|ing)|chang(?:ed|ing)|transferred|migrated) (?:\w+ )?from (?P<old>.+?) to \w"
)
_MOVED: Final = re.compile(
    r"\b(?:i|we)(?:'ve| have)? (?:just |recently |finally |now )*(?:moved|relocated) (?:\w+ )?to \w"
)
_LIVES: Final = re.compile(r"\b(?:i(?:'m| am)? (?:now )?(?:live|living|based) in|i moved to) \w")
_NOW: Final = re.compile(
    r"(?:^|\b(?:and|but|so|that|because|since),? )(?:my|the|our) (?P<what>[\w' -]{2,60}?) "
    r"(?:(?:is|are) now\b|(?:has|have|was|were|got|is|are)(?: been| being)?(?: now| just)? "
    r"(?:moved|rescheduled|changed|postponed|pushed|extended|updated|increased|reduced|raised"
    r"|lowered|switched|renamed)\b|(?:has |have )?now\b)"
)
_NO_LONGER: Final = re.compile(
    r"\bi(?:'m| am|'ve| have)? (?:no longer|stopped|quit|gave up|given up) (?P<rest>.+)"
    r"|\bi (?:don't|do not) (?P<other>.+?) (?:any ?more|any longer)\b"
)
_ATTRIBUTE: Final = re.compile(
    r"(?:^|\b(?:and|but|so) )my (?P<what>(?:\w+ ){0,2}(?:favou?rite \w+|name|address|number|email"
    r"|phone|birthday|job|title|salary|budget|deadline|password|size|age|nickname|hometown)) is \w"
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    turn: int
    text: str
    terms: frozenset[str]


def superseded(turns: Sequence[Turn]) -> dict[int, int]:
    """By the index of a turn that is out of date: that of the latest turn which made it so."""
    sentences = list(_sentences(turns))
    found: dict[int, int] = {}
    for later in sorted(sentences, key=lambda each: turns[each.turn].at):
        for subject in _subjects(later):
            for earlier in sentences:
                if turns[earlier.turn].at < turns[later.turn].at and _is_about(earlier, subject):
                    found[earlier.turn] = later.turn
    return found


def _sentences(turns: Sequence[Turn]) -> Iterator[_Sentence]:
    for number, turn in enumerate(turns):
        if turn.message.role is Role.USER:
            said = without_quotations(turn.message.text[:_READ_CHARACTERS]).lower()
            for match in _SENTENCE.finditer(said):
                text = match.group().strip()
                if not text.endswith("?"):
                    yield _Sentence(number, text, frozenset(index_terms(text)))


def _subjects(sentence: _Sentence) -> Iterator[frozenset[str]]:
    """Of what it says that it is no longer so: the terms that an earlier statement must hold."""
    if match := _FROM.search(sentence.text):
        yield frozenset(index_terms(match["old"]))
    if _MOVED.search(sentence.text):
        yield _HOME
    for pattern in (_NOW, _ATTRIBUTE):
        if match := pattern.search(sentence.text):
            yield frozenset(index_terms(match["what"]))
    if match := _NO_LONGER.search(sentence.text):
        yield frozenset(index_terms(match["rest"] or match["other"]))


def _is_about(sentence: _Sentence, subject: frozenset[str]) -> bool:
    if subject == _HOME:
        return _LIVES.search(sentence.text) is not None
    return bool(subject) and subject <= sentence.terms and len(sentence.terms) <= _PLAIN_TERMS
