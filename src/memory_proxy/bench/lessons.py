"""What the ranker and its gate can learn from labelled conversations, in numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memory_proxy.bench.corpus import Question
from memory_proxy.bench.ingest import Owner
from memory_proxy.bench.memory import MeasuredMemory
from memory_proxy.retrieval.candidates import Candidates, candidates
from memory_proxy.retrieval.features import DENSE, LEXICAL, features
from memory_proxy.retrieval.fitting import Example, GateExample
from memory_proxy.retrieval.index import ScopeIndex
from memory_proxy.retrieval.indexes import Indexes
from memory_proxy.retrieval.matching import gate_evidence
from memory_proxy.retrieval.questions import question_of
from memory_proxy.stores.base import MemoryStore

_Vectors = Mapping[str, NDArray[np.float32]]
"""By the text of a question."""


@dataclass(slots=True)
class Lessons:
    """`columns` are the names of the features, in the order of the examples'."""

    columns: tuple[str, ...]
    examples: list[Example] = field(default_factory=list[Example])
    gate: list[GateExample] = field(default_factory=list[GateExample])


@dataclass(frozen=True, slots=True)
class _Asked:
    """One owner's index; `said` are the ids of the turns of its rows."""

    owner: Owner
    index: ScopeIndex
    said: Sequence[str | None]
    vectors: _Vectors

    def candidates(self, question: Question) -> Candidates:
        text = question.question
        return candidates(self.index, question_of(text, question.asked_at, self.vectors.get(text)))

    def example(self, chosen: Candidates, question: Question, columns: Sequence[str]) -> Example:
        rows: list[int] = chosen.rows.tolist()
        found = features(chosen) if rows else {}
        corpus = self.owner.corpus
        return Example(
            owner=str(corpus.path),
            collection=corpus.collection,
            is_with_assistant=corpus.conversation.speakers == "roles",
            features=np.array([found[name] for name in columns] if found else [], np.float64)
            .reshape(len(columns), len(rows))
            .T,
            relevant=np.array([self.said[row] in question.evidence for row in rows], np.bool_),
            wanted=len(set(question.evidence)),
        )

    def gate_example(self, chosen: Candidates, *, is_own: bool) -> GateExample:
        evidence = gate_evidence(chosen) if self.vectors else gate_evidence(chosen)[:2]
        corpus = self.owner.corpus
        return GateExample(str(corpus.path), corpus.collection, evidence, is_own)


async def lessons_of(
    owners: Sequence[Owner], memory: MeasuredMemory, *, by_meaning: bool
) -> Lessons:
    """Every question put to its owner's index, and to every other's.

    Raises StoreError and EmbeddingError.
    """
    lessons = Lessons((*LEXICAL, *DENSE) if by_meaning else LEXICAL)
    vectors: _Vectors = await _vectors(owners, memory) if by_meaning else {}
    indexes = Indexes(memory.store)
    for owner in owners:
        embedder = memory.embedder if by_meaning else None
        async with indexes.current(owner.scope, embedder) as index:
            said = await _said(memory.store, owner, index)
            _learn(_Asked(owner, index, said, vectors), owners, lessons)
    return lessons


def _learn(asked: _Asked, owners: Sequence[Owner], lessons: Lessons) -> None:
    for is_own, question in _questions(asked.owner, owners):
        chosen = asked.candidates(question)
        lessons.gate.append(asked.gate_example(chosen, is_own=is_own))
        if is_own:
            lessons.examples.append(asked.example(chosen, question, lessons.columns))


def _questions(owner: Owner, owners: Sequence[Owner]) -> Iterator[tuple[bool, Question]]:
    """Those about the owner that have an answer, and all about others."""
    for other in owners:
        is_own = other is owner
        for question in other.corpus.questions:
            if question.is_labelled or not is_own:
                yield is_own, question


async def _said(store: MemoryStore, owner: Owner, index: ScopeIndex) -> list[str | None]:
    numbers: list[int] = index.numbers.values.tolist()
    turns = await store.turns_numbered(owner.scope, numbers)
    said = {number: owner.said(turn) for number, turn in turns.items()}
    return [turn.id if (turn := said.get(number)) else None for number in numbers]


async def _vectors(owners: Sequence[Owner], memory: MeasuredMemory) -> _Vectors:
    assert memory.worker is not None
    texts = list({each.question for owner in owners for each in owner.corpus.questions})
    return {text: (await memory.worker.embedder.embed([text]))[0] for text in texts}
