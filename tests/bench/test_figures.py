import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.bench.figures import (
    all_at,
    any_at,
    area_under_curve,
    mean_of,
    ndcg_at,
    recall_at,
    reciprocal_rank,
    rejected_keeping,
)

RANKED = ["a", "b", "c", "d"]
some_scores = st.lists(st.floats(0, 1), min_size=1)


def test_recall_is_the_share_of_what_is_wanted() -> None:
    assert recall_at(1, RANKED, ["b", "x"]) == 0.0
    assert recall_at(2, RANKED, ["b", "x"]) == 0.5
    assert recall_at(2, RANKED, ["a", "b", "a"]) == 1.0


def test_one_of_them_is_less_than_all_of_them() -> None:
    assert any_at(2, RANKED, ["b", "d"]) == 1.0
    assert all_at(2, RANKED, ["b", "d"]) == 0.0
    assert all_at(4, RANKED, ["b", "d"]) == 1.0


def test_what_is_never_found_keeps_the_gain_from_being_whole() -> None:
    assert ndcg_at(10, RANKED, ["a", "b"]) == 1.0
    assert ndcg_at(10, RANKED, ["a", "x"]) == pytest.approx(1 / (1 + 1 / 1.58496), abs=1e-4)
    assert ndcg_at(2, RANKED, ["c"]) == 0.0


def test_the_reciprocal_rank_is_that_of_the_first() -> None:
    assert reciprocal_rank(RANKED, ["c", "d"]) == pytest.approx(1 / 3)
    assert reciprocal_rank(RANKED, ["x"]) == 0.0


def test_a_mean_lies_in_its_interval() -> None:
    figure = mean_of([0.0, 1.0, 1.0, 1.0] * 20)

    assert figure is not None
    assert figure.low < figure.value == 0.75 < figure.high
    assert mean_of([0.0, 1.0, 1.0, 1.0] * 20) == figure
    assert mean_of([]) is None


@given(some_scores, some_scores)
def test_the_area_is_one_less_what_it_is_the_other_way_round(
    kept: list[float], rejected: list[float]
) -> None:
    assert area_under_curve(kept, rejected) == pytest.approx(1 - area_under_curve(rejected, kept))


def test_a_threshold_keeps_its_share_and_rejects_what_is_below() -> None:
    kept = [0.1, *[0.5] * 10, *[0.9] * 9]

    assert rejected_keeping(0.95, kept, [0.4, 0.5, 0.6, 0.2]) == 0.5
    assert rejected_keeping(1.0, kept, [0.05, 0.1]) == 0.5
