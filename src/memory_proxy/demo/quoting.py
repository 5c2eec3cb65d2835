"""Answering by quotation: the line of a conversation or of its recalled notes that fits best."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memory_proxy.retrieval.terms import index_terms, query_terms

DISCLAIMER = "(I am the built-in demo model: I only quote; I am no language model.)"

_LONGEST_QUOTE = 300
_NOTES = re.compile(
    r'<recalled-notes id="([^"]*)">(.*?)(?:</recalled-notes id="\1">|\Z)', re.DOTALL
)
_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+")
_QUESTION_START = re.compile(
    r"(what|who|whom|whose|which|where|why|how|when (is|are|was|were|do|does|did|will|can)"
    r"|(can|could|do|did|would) (you|i)|tell me|remind me)\b",
    re.IGNORECASE,
)
_OWN_WORDS = re.compile(r'Noted: "|(You|The assistant) said( on [^:]{1,40})?: "')


@dataclass(frozen=True, slots=True)
class Said:
    """Something said in the conversation, or in an earlier one where a note gives its date."""

    role: str
    text: str
    date: str = ""
    is_note: bool = False


def answer(messages: Sequence[Said]) -> str:
    """What the demo model says to `messages`, the newest last."""
    spoken = list(_spoken(messages))
    newest = next((s for s in reversed(spoken) if s.role == "user" and not s.is_note), None)
    sentences = _sentences(newest.text) if newest else []
    if not sentences:
        return f"You said nothing that I could answer. {DISCLAIMER}"
    questions = [sentence for sentence in sentences if _is_question(sentence)]
    if not questions:
        return f"Noted: {_quoted(' '.join(sentences))}. {DISCLAIMER}"
    best = _best(" ".join(questions), list(_quotable(spoken)))
    if best is None:
        return f"Nothing that you said here, and no recalled note, fits that. {DISCLAIMER}"
    return f"{_source(best)}: {_quoted(best.text)}. {DISCLAIMER}"


def _spoken(messages: Sequence[Said]) -> Iterator[Said]:
    """Every note, then the conversation itself without them, oldest first."""
    for message in messages:
        if message.role == "user":
            for block in _NOTES.finditer(message.text):
                yield from _notes(block.group(2))
    for message in messages:
        if message.role in {"user", "assistant"}:
            yield Said(message.role, _NOTES.sub("", message.text))


def _notes(block: str) -> Iterator[Said]:
    for line in block.splitlines():
        try:
            note = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the sentence that introduces the notes
        match note:
            case {"text": str(text), **rest}:
                role = str(rest.get("from", "user"))
                yield Said(role, text, date=str(rest.get("date", "")), is_note=True)
            case _:
                continue


def _quotable(spoken: Sequence[Said]) -> Iterator[Said]:
    """Single statements; neither questions nor what this model itself once answered."""
    for said in spoken:
        if DISCLAIMER in said.text or _OWN_WORDS.match(said.text):
            continue
        for sentence in _sentences(said.text):
            if not _is_question(sentence):
                yield Said(said.role, sentence, said.date, said.is_note)


def _best(question: str, lines: Sequence[Said]) -> Said | None:
    """The line that shares the rarest words with `question`; None when no line shares any.

    A shared word counts log(1 + lines / lines that hold it). Among equals the user's own words come
    first, the conversation before the notes, the later before the earlier; notes of one day keep
    their order.
    """
    asked = query_terms(question)
    held = [frozenset(index_terms(line.text)) for line in lines]
    frequency = Counter(word for words in held for word in words)

    def score(words: frozenset[str]) -> float:
        return sum(math.log1p(len(lines) / frequency[word]) for word in asked if word in words)

    def rank(index: int) -> tuple[float, bool, bool, str, int]:
        line = lines[index]
        recency = -index if line.is_note else index
        return score(held[index]), line.role == "user", not line.is_note, line.date, recency

    fitting = [index for index in range(len(lines)) if score(held[index]) > 0]
    return lines[max(fitting, key=rank)] if fitting else None


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def _is_question(sentence: str) -> bool:
    return sentence.endswith(("?", "\uff1f")) or bool(_QUESTION_START.match(sentence))


def _source(said: Said) -> str:
    speaker = "You" if said.role == "user" else "The assistant"
    return f"{speaker} said on {said.date}" if said.date else f"{speaker} said"


def _quoted(text: str) -> str:
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "\u2026"
    return f'"{short.removesuffix(".")}"'
