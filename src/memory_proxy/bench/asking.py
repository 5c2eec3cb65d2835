"""Questions put to a memory by the calls that a chat would make, and what came back."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from memory_proxy.bench.corpus import Question
from memory_proxy.bench.ingest import Owner
from memory_proxy.memory.notes import note_id, render_notes
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
    """Asks by way of `engine`, and renders blocks of each of `budgets`."""

    engine: RecallEngine
    budgets: Sequence[int]

    async def ask(self, asked: Asked, question: Question) -> None:
        """A question about the owner's own conversation."""
        scored = await self._recall(asked, question)
        turns = [turn for one in scored if (turn := asked.owner.said(one.turn))]
        asked.answers.append(
            Answer(
                question,
                tuple(turn.id for turn in turns),
                tuple(dict.fromkeys(turn.session for turn in turns)),
                {each: _within(each, question, scored, asked.owner) for each in self.budgets},
                _confidence(scored),
            )
        )

    async def ask_about_another(self, asked: Asked, question: Question) -> None:
        scored = await self._recall(asked, question)
        asked.foreign.append(_confidence(scored))
        asked.foreign_kept += bool(scored)

    async def _recall(self, asked: Asked, question: Question) -> list[Scored]:
        started = time.process_time()
        scored = await self.engine.recall(asked.owner.scope, question.question, held=frozenset())
        asked.cpu_ms.append((time.process_time() - started) * 1000)
        asked.foreign_turns += sum(asked.owner.said(one.turn) is None for one in scored)
        return scored


def _within(
    budget_tokens: int, question: Question, scored: Sequence[Scored], owner: Owner
) -> frozenset[str]:
    """The turns that stand in the block which a chat would be given."""
    terms = query_terms(question.question)
    block = render_notes(scored, terms, budget_tokens=budget_tokens, mark=_MARK).text
    written = {orjson.loads(line)["id"] for line in block.splitlines() if line.startswith("{")}
    quoted = [one for one in scored if note_id(one.turn) in written]
    return frozenset(said.id for one in quoted if (said := owner.said(one.turn)))


def _confidence(scored: Sequence[Scored]) -> float:
    """What the engine's gate looks at; 0 when nothing came."""
    return max((one.coverage for one in scored), default=0.0)
