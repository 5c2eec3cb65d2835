"""Labelled conversations: one file for each owner of a memory, one JSON object a line.

    {"kind":"conversation","id":..., "licence":..., "speakers":"named"|"roles"}
    {"kind":"turn","id":..., "session":..., "speaker":..., "at": ISO time or null, "text":...}
    {"kind":"question","id":..., "type":..., "question":..., "asked_at": ISO time or null,
     "answer":..., "evidence":[turn id, ...], "answerable": true|false}

named: two people talk with each other; roles: a user with an assistant. Turns stand in the order in
which they were said; `evidence` names the turns that hold the answer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.core.types import Role

_UNDATED: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SHOWN_PROBLEMS: Final = 20


class _Turn(msgspec.Struct, frozen=True, tag_field="kind", tag="turn"):
    id: str
    session: str
    speaker: str
    text: str
    at: datetime | None = None


class _Question(msgspec.Struct, frozen=True, tag_field="kind", tag="question"):
    id: str
    type: str
    question: str
    evidence: tuple[str, ...] = ()
    answerable: bool = True
    asked_at: datetime | None = None


class Conversation(msgspec.Struct, frozen=True, tag_field="kind", tag="conversation"):
    id: str
    speakers: Literal["named", "roles"]


_Line = Conversation | _Turn | _Question
_Numbered = list[tuple[int, _Line]]


@dataclass(frozen=True, slots=True)
class Said:
    """A turn; an undated one has the time of the one before it. `at` is aware UTC."""

    id: str
    session: str
    speaker: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """`asked_at`, aware UTC, is after the last turn where the file does not say when."""

    id: str
    type: str
    question: str
    evidence: tuple[str, ...]
    answerable: bool
    asked_at: datetime

    @property
    def is_labelled(self) -> bool:
        return self.answerable and bool(self.evidence)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What one owner said, and questions about it."""

    path: Path
    conversation: Conversation
    turns: tuple[Said, ...]
    questions: tuple[Question, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def collection(self) -> str:
        """The file's name up to its last "-" or "_": files that differ in the rest belong
        together."""
        return re.split(r"[-_](?=[^-_]*$)", self.name)[0]

    @property
    def session_count(self) -> int:
        return len({turn.session for turn in self.turns})


def read_corpora(paths: Sequence[Path]) -> list[Corpus]:
    """The files, read and checked. Raises ConfigurationError that names every bad line."""
    corpora: list[Corpus] = []
    problems: list[str] = []
    for path in paths:
        corpus, found = _read(path)
        problems += found
        if corpus:
            corpora.append(corpus)
    if problems:
        raise ConfigurationError(_listed(problems))
    return corpora


def _listed(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    shown = "".join(f"\n  - {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    return f"{len(problems)} problems:{shown}" + (f"\n  and {rest} more" if rest > 0 else "")


def _read(path: Path) -> tuple[Corpus | None, list[str]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        return None, [f"{path}: {error.strerror or error}"]
    numbered, problems = _decoded(path, lines)
    if problems:
        return None, problems
    problems = [f"{path}:{number}: {what}" for number, what in _contradictions(numbered)]
    if problems:
        return None, problems
    corpus = _corpus(path, [line for _, line in numbered])
    return corpus, [f"{path}: {what}" for what in _insufficiencies(corpus)]


def _decoded(path: Path, lines: Sequence[bytes]) -> tuple[_Numbered, list[str]]:
    decoder = msgspec.json.Decoder(_Line)
    numbered: _Numbered = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            numbered.append((number, decoder.decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problems.append(f"{path}:{number}: {error}")
    return numbered, problems


def _contradictions(numbered: _Numbered) -> Iterator[tuple[int, str]]:
    """Where a line does not fit the others."""
    if not numbered or not isinstance(numbered[0][1], Conversation):
        yield 1, "the first line must be the conversation"
        return
    conversation = numbered[0][1]
    turn_ids = {line.id for _, line in numbered if isinstance(line, _Turn)}
    seen: set[tuple[type[_Line], str]] = set()
    for number, line in numbered[1:]:
        if (type(line), line.id) in seen:
            yield number, f"the id '{line.id}' came before"
        seen.add((type(line), line.id))
        yield from ((number, what) for what in _faults(line, conversation, turn_ids))


def _faults(line: _Line, conversation: Conversation, turn_ids: set[str]) -> Iterator[str]:
    match line:
        case _Turn(speaker=speaker, text=text):
            if conversation.speakers == "roles" and speaker not in set(Role):
                yield f"'{speaker}' is no role; have: {', '.join(Role)}"
            if not text.strip():
                yield "a turn without words"
        case _Question(evidence=evidence):
            yield from (f"no turn '{each}'" for each in evidence if each not in turn_ids)
        case Conversation():
            yield "a file holds one conversation"


def _corpus(path: Path, lines: Sequence[_Line]) -> Corpus:
    [conversation] = [line for line in lines if isinstance(line, Conversation)]
    turns = tuple(_dated([line for line in lines if isinstance(line, _Turn)]))
    end = turns[-1].at if turns else _UNDATED
    return Corpus(
        path,
        conversation,
        turns,
        tuple(_asked(line, end) for line in lines if isinstance(line, _Question)),
    )


def _dated(turns: Sequence[_Turn]) -> Iterator[Said]:
    at = next((turn.at for turn in turns if turn.at), _UNDATED)
    for turn in turns:
        at = turn.at or at
        yield Said(turn.id, turn.session, turn.speaker, turn.text, _in_utc(at))


def _asked(line: _Question, end: datetime) -> Question:
    at = _in_utc(line.asked_at) if line.asked_at else end
    return Question(line.id, line.type, line.question, line.evidence, line.answerable, at)


def _in_utc(at: datetime) -> datetime:
    """A time without a zone is taken for UTC."""
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _insufficiencies(corpus: Corpus) -> Iterator[str]:
    """Why nothing can be measured on `corpus`, where nothing can."""
    labelled = [question for question in corpus.questions if question.is_labelled]
    if not labelled:
        yield "no answerable question names its evidence"
        return
    session_of = {turn.id: turn.session for turn in corpus.turns}
    evidence = {each for question in labelled for each in question.evidence}
    everywhere = (
        len({session_of[each] for each in question.evidence}) == corpus.session_count
        for question in labelled
    )
    if evidence == session_of.keys() or all(everywhere):
        yield "it holds evidence only: whatever is recalled would be right"
