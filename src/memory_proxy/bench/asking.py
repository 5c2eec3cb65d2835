"""Questions put to a memory by the calls that a chat would make, and what came back."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from memory_proxy.bench.corpus import Question
from memory_proxy.bench.ingest import Owner
from memory_proxy.memory.notes import render_notes
from memory_proxy.retrieval.engine import RecallEngine
from memory_proxy.retrieval.recalled import Recalled
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
        found = await self._recall(asked, question)
        turns = [turn for one in found.turns if (turn := asked.owner.said(one.turn))]
        asked.answers.append(
            Answer(
                question,
                tuple(turn.id for turn in turns),
                tuple(dict.fromkeys(turn.session for turn in turns)),
                {each: _within(each, question, found, asked.owner) for each in self.budgets},
                found.confidence,
            )
        )

    async def ask_about_another(self, asked: Asked, question: Question) -> None:
        found = await self._recall(asked, question)
        asked.foreign.append(found.confidence)
        asked.foreign_kept += bool(found.turns)

    async def _recall(self, asked: Asked, question: Question) -> Recalled:
        scope, now = asked.owner.scope, question.asked_at
        started = time.process_time()
        found = await self.engine.recall(scope, question.question, held=frozenset(), now=now)
        asked.cpu_ms.append((time.process_time() - started) * 1000)
        returned = (*found.turns, *found.pinned)
        asked.foreign_turns += sum(asked.owner.said(one.turn) is None for one in returned)
        return found


def _within(
    budget_tokens: int, question: Question, found: Recalled, owner: Owner
) -> frozenset[str]:
    """The turns that stand in the block which a chat would be given."""
    terms = query_terms(question.question)
    notes = render_notes(found, terms, budget_tokens=budget_tokens, mark=_MARK)
    return frozenset(said.id for turn in notes.turns if (said := owner.said(turn)))
