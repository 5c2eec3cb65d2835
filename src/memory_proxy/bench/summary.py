"""From single answers to the figures of a file, or of all files of a collection."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from memory_proxy.bench.asking import Answer, Asked
from memory_proxy.bench.figures import (
    Figure,
    all_at,
    any_at,
    area_under_curve,
    mean_of,
    ndcg_at,
    recall_at,
    reciprocal_rank,
    rejected_keeping,
)

_KEPT = 0.95
INSTRUCTION_TOKENS = 300

Measure = Callable[[Answer, Mapping[str, str]], float]
"""Of an answer, and the session of every turn."""


@dataclass(frozen=True, slots=True)
class Group:
    """A file or a collection: its questions, and what was asked of its owners about others."""

    name: str
    asked: Sequence[Asked]

    @property
    def answers(self) -> Iterator[tuple[Answer, Asked]]:
        for asked in self.asked:
            yield from ((answer, asked) for answer in asked.answers if answer.question.is_labelled)


@dataclass(frozen=True, slots=True)
class Summary:
    """`figures` and `by_type` hold no entry for what cannot be measured; `gate` neither."""

    name: str
    turns: int
    questions: int
    figures: Mapping[str, Figure]
    by_type: Mapping[str, Mapping[str, Figure]]
    gate: Mapping[str, float]
    foreign_turns: int


def summarise(group: Group, budgets: Sequence[int]) -> Summary:
    types = sorted({answer.question.type for answer, _ in group.answers})
    return Summary(
        group.name,
        sum(len(asked.owner.corpus.turns) for asked in group.asked),
        sum(1 for _ in group.answers),
        _figures(list(group.answers), budgets),
        {each: _figures(_of_type(each, group), budgets) for each in types},
        _gate(group),
        sum(asked.foreign_turns for asked in group.asked),
    )


def collections(asked: Sequence[Asked]) -> list[Group]:
    names = dict.fromkeys(each.owner.corpus.collection for each in asked)
    return [
        Group(name, [each for each in asked if each.owner.corpus.collection == name])
        for name in names
    ]


_Answers = Sequence[tuple[Answer, Asked]]


def _of_type(name: str, group: Group) -> _Answers:
    return [(answer, asked) for answer, asked in group.answers if answer.question.type == name]


def _figures(answers: _Answers, budgets: Sequence[int]) -> dict[str, Figure]:
    values = {
        **{f"t_R@{k}": _turn_recall(answers, k) for k in (1, 5, 10, 20)},
        "NDCG@10": [ndcg_at(10, each.ranked, each.question.evidence) for each, _ in answers],
        "MRR": [reciprocal_rank(each.ranked, each.question.evidence) for each, _ in answers],
        **{f"s_any@{k}": _by_session(answers, k, any_at) for k in (1, 5, 10)},
        "s_all@5": _by_session(answers, 5, all_at),
        **{f"evidence@{budget}": _injected(answers, budget) for budget in budgets},
        f"instructions@{INSTRUCTION_TOKENS}": _injected(
            [each for each in answers if "instruction" in each[0].question.type],
            INSTRUCTION_TOKENS,
        ),
    }
    return {name: figure for name, each in values.items() if (figure := mean_of(each))}


def _turn_recall(answers: _Answers, k: int) -> list[float]:
    return [recall_at(k, each.ranked, each.question.evidence) for each, _ in answers]


def _by_session(
    answers: _Answers, k: int, measure: Callable[[int, Sequence[str], set[str]], float]
) -> list[float]:
    """Without the questions of an owner with so few sessions that any k of them are all."""
    return [
        measure(k, answer.sessions, _evidence_sessions(answer, asked))
        for answer, asked in answers
        if k < asked.owner.corpus.session_count
    ]


def _evidence_sessions(answer: Answer, asked: Asked) -> set[str]:
    evidence = set(answer.question.evidence)
    return {turn.session for turn in asked.owner.corpus.turns if turn.id in evidence}


def _injected(answers: _Answers, budget: int) -> list[float]:
    """The share of the evidence that stands in the block."""
    return [
        len(answer.within[budget].intersection(answer.question.evidence))
        / len(set(answer.question.evidence))
        for answer, _ in answers
    ]


def _gate(group: Group) -> dict[str, float]:
    """Can the engine tell its owner's topics from another's, and does the shipped gate?"""
    own = [answer for answer, _ in group.answers]
    foreign = [confidence for asked in group.asked for confidence in asked.foreign]
    if not foreign:
        return {}
    kept = [answer.confidence for answer in own]
    return {
        "kept": sum(bool(answer.ranked) for answer in own) / len(own),
        "rejected": 1 - sum(asked.foreign_kept for asked in group.asked) / len(foreign),
        "area_under_curve": area_under_curve(kept, foreign),
        f"rejected_keeping_{_KEPT:.0%}": rejected_keeping(_KEPT, kept, foreign),
    }
