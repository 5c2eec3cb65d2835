"""The project's own labelled conversations are what the baseline takes them for."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from memory_proxy.bench.corpus import Corpus, read_corpora
from tests.bench.record import FILES

AT_LEAST = {
    "single-hop": 60,
    "multi-hop": 25,
    "temporal": 25,
    "knowledge-update": 12,
    "standing-instruction": 10,
    "abstention": 10,
    "preference": 6,
    "open-domain": 6,
}


@pytest.fixture(scope="module")
def corpora() -> list[Corpus]:
    return read_corpora(FILES)


def test_there_are_six_owners_sixty_sessions_and_two_hundred_questions(
    corpora: list[Corpus],
) -> None:
    assert Counter(each.conversation.speakers for each in corpora) == {"roles": 3, "named": 3}
    assert sum(each.session_count for each in corpora) == 60
    assert sum(len(each.turns) for each in corpora) >= 900
    assert sum(len(each.questions) for each in corpora) >= 200


def test_there_are_questions_of_every_kind(corpora: list[Corpus]) -> None:
    kinds = Counter(question.type for each in corpora for question in each.questions)

    assert kinds.keys() == AT_LEAST.keys()
    assert {kind: count for kind, count in kinds.items() if count < AT_LEAST[kind]} == {}


def test_only_what_was_never_said_has_no_answer(corpora: list[Corpus]) -> None:
    for question in (question for each in corpora for question in each.questions):
        assert question.answerable == bool(question.evidence) == (question.type != "abstention")
        assert question.type != "multi-hop" or len(question.evidence) > 1, question.id


def test_no_question_is_asked_twice_and_none_comes_from_the_conversation(
    corpora: list[Corpus],
) -> None:
    for each in corpora:
        questions = [question.question for question in each.questions]
        assert len(set(questions)) == len(questions)
        assert not {turn.text for turn in each.turns} & set(questions)


def test_time_goes_on(corpora: list[Corpus]) -> None:
    for each in corpora:
        for earlier, later in pairwise(each.turns):
            assert earlier.at is not None
            assert later.at is not None
            assert earlier.at < later.at
        sessions = [turn.session for turn in each.turns]
        assert len([1 for a, b in pairwise(sessions) if a != b]) == each.session_count - 1


def test_every_file_may_be_shipped() -> None:
    for path in FILES:
        first = json.loads(path.read_text("utf-8").splitlines()[0])
        assert first["licence"] == "MIT, written for this project"
