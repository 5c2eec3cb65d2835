"""Questions put to a memory by the calls that a chat would make, and what came back."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from memory_proxy.bench.corpus import Question
from memory_proxy.bench.ingest import Owner, Place, place_of
from memory_proxy.memory.notes import render_notes
from memory_proxy.retrieval.engine import RecallEngine
from memory_proxy.retrieval.ranking import Scored
from memory_proxy.retrieval.terms import query_terms

_MARK = "0" * 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question got. `ranked` are turns of the corpus, best first, and `sessions` theirs;
    `within` says which of them stand in a block of so many tokens."""

    question: Question
    ranked: tuple[str, ...]
    sessions: tuple[str, ...]
    within: Mapping[int, frozenset[str]]
    confidence: float


@dataclass(slots=True)
class Asked:
    """All that asking in one owner's memory showed.

    `foreign` are the confidences of questions about other owners; `foreign_kept` counts those that
    got anything. `foreign_turns` is what was returned and never was this owner's: it must be 0.
    """

    owner: Owner
    answers: list[Answer] = field(default_factory=list[Answer])
    foreign: list[float] = field(default_factory=list[float])
    foreign_kept: int = 0
    foreign_turns: int = 0
    cpu_ms: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True)
class Interviewer:
    engine: RecallEngine
    budgets: Sequence[int]

    async def ask(self, asked: Asked, question: Question) -> None:
        """A question about the owner's own conversation."""
        scored = await self._recall(asked, question)
        turns = list(_known(asked.owner, scored))
        asked.answers.append(
            Answer(
                question,
                tuple(turns),
                tuple(dict.fromkeys(_session_of(asked.owner)[turn] for turn in turns)),
                {budget: _in_block(asked.owner, question, scored, budget) for budget in self.budgets},
                confidence(scored),
            )
        )

    async def ask_about_another(self, asked: Asked, question: Question) -> None:
        scored = await self._recall(asked, question)
        asked.foreign.append(confidence(scored))
        asked.foreign_kept += bool(scored)

    async def _recall(self, asked: Asked, question: Question) -> list[Scored]:
        started = time.process_time()
        scored = await self.engine.recall(asked.owner.scope, question.question, held=frozenset())
        asked.cpu_ms.append((time.process_time() - started) * 1000)
        asked.foreign_turns += len(scored) - sum(1 for _ in _known(asked.owner, scored))
        return scored
