"""Recall on the project's own conversations is not worse than it was when it was recorded."""

import json

import pytest

from tests.bench.record import BASELINE, STORES, found, measure

TOLERATED = 1.0  # of 100


@pytest.mark.parametrize("store", STORES)
async def test_recall_finds_what_it_found_and_nothing_of_anybody_else(store: str) -> None:
    report = await measure(store)

    record = json.loads(BASELINE.read_text("utf-8"))[store]
    lost = {name: record[name] - value for name, value in found(report).items()}
    assert lost.keys() == record.keys()
    assert max(lost.values()) <= TOLERATED, (
        f"t_R@10 fell by {lost}: mend it, or record it by `python -m tests.bench.record`"
    )
    assert report.foreign_turns == 0
