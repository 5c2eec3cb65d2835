from dataclasses import replace
from datetime import timedelta

from memory_proxy.core.types import ExchangeId, Role, Scope, SessionId, TraceId
from memory_proxy.memory.traces import RecalledTurn, Trace, Traces
from memory_proxy.testing import FrozenClock
from tests.examples import ANN, BOB, NOON

S1 = SessionId("s1")


def a_trace(name: str, scope: Scope = ANN, session: str = "s1", quotes: str = "e1") -> Trace:
    turn = RecalledTurn(
        ExchangeId(quotes), 0, SessionId("told"), Role.USER, NOON, 1.5, ("words",), 12, "I like tea"
    )
    return Trace(
        TraceId(name), scope, NOON, SessionId(session), "human_turn", "on", "tea?", 3, (turn,), (),
        "replayed=0; new=1", None, {"recall": 1.0},
    )  # fmt: skip


def test_a_trace_is_seen_by_its_own_scope_only() -> None:
    traces = Traces(FrozenClock(NOON))
    traces.add(a_trace("t1"))

    assert traces.get(ANN, TraceId("t1")) == a_trace("t1")
    assert traces.get(BOB, TraceId("t1")) is None
    assert traces.recent(BOB, limit=9) == []


def test_traces_are_bounded_and_the_oldest_go_first() -> None:
    traces = Traces(FrozenClock(NOON), capacity=2)
    for name in ("t1", "t2", "t3"):
        traces.add(a_trace(name))

    assert [trace.id for trace in traces.recent(ANN, limit=9)] == ["t3", "t2"]


def test_traces_are_kept_for_a_day() -> None:
    clock = FrozenClock(NOON)
    traces = Traces(clock)
    traces.add(a_trace("t1"))
    clock.advance(timedelta(hours=23))
    assert traces.get(ANN, TraceId("t1"))
    clock.advance(timedelta(hours=2))

    assert traces.get(ANN, TraceId("t1")) is None


def test_a_forgotten_turn_takes_the_traces_that_quote_it() -> None:
    traces = Traces(FrozenClock(NOON))
    for trace in (a_trace("t1"), a_trace("t2", quotes="e2"), a_trace("t3", scope=BOB)):
        traces.add(trace)

    assert traces.forget_turn(ANN, ExchangeId("e1"), 0) == 1
    assert traces.get(ANN, TraceId("t2"))
    assert traces.get(BOB, TraceId("t3"))


def test_a_forgotten_session_takes_its_traces_and_those_that_quote_it() -> None:
    traces = Traces(FrozenClock(NOON))
    traces.add(a_trace("t1", session="told"))
    traces.add(a_trace("t2"))
    traces.add(replace(a_trace("t3"), recalled=()))

    assert traces.forget_session(ANN, SessionId("told")) == 2
    assert [trace.id for trace in traces.recent(ANN, limit=9)] == ["t3"]
