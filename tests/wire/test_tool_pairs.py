"""A stored history never holds a call without its answer, or an answer without its call."""

from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.core.types import Message, Role, ToolCall
from memory_proxy.wire.tool_pairs import whole_tool_calls

ASKED = Message(Role.USER, "Compare them.")
SAID = Message(Role.ASSISTANT, "Bergen is warmer.")
NEXT = Message(Role.USER, "And Oslo?")


def calling(*ids: str, text: str = "") -> Message:
    return Message(Role.ASSISTANT, text, tuple(ToolCall(id, "weather", "{}") for id in ids))


def answer(id: str) -> Message:
    return Message(Role.TOOL, "9 degrees", tool_call_id=id)


def test_an_answered_call_is_kept_whole() -> None:
    history = (ASKED, calling("a", "b"), answer("a"), answer("b"), SAID)

    assert whole_tool_calls(history, [NEXT]) == history


def test_a_call_that_the_request_itself_answers_is_kept() -> None:
    history = (ASKED, calling("a", "b"), answer("a"))

    assert whole_tool_calls(history, [answer("b")]) == history


def test_a_call_that_nobody_answers_is_left_out() -> None:
    assert whole_tool_calls((ASKED, calling("a")), [NEXT]) == (ASKED,)


def test_the_words_beside_an_unanswered_call_are_kept() -> None:
    kept = whole_tool_calls((ASKED, calling("a", text="One moment.")), [NEXT])

    assert kept == (ASKED, Message(Role.ASSISTANT, "One moment."))


def test_of_several_calls_the_answered_ones_are_kept() -> None:
    kept = whole_tool_calls((ASKED, calling("a", "b"), answer("b"), SAID), [NEXT])

    assert kept == (ASKED, calling("b"), answer("b"), SAID)


def test_an_answer_that_nobody_asked_for_is_left_out() -> None:
    assert whole_tool_calls((ASKED, answer("x"), SAID), [NEXT]) == (ASKED, SAID)


def test_an_answer_that_comes_too_late_does_not_count() -> None:
    kept = whole_tool_calls((ASKED, calling("a"), SAID, answer("a")), [NEXT])

    assert kept == (ASKED, SAID)


def test_a_second_answer_to_the_same_call_is_left_out() -> None:
    kept = whole_tool_calls((ASKED, calling("a"), answer("a"), answer("a")), [NEXT])

    assert kept == (ASKED, calling("a"), answer("a"))


def test_a_history_begins_with_a_person() -> None:
    kept = whole_tool_calls((calling("z"), answer("z"), SAID, ASKED, SAID), [NEXT])

    assert kept == (ASKED, SAID)
    assert whole_tool_calls((SAID,), [NEXT]) == ()


def test_a_call_that_the_request_answers_may_stand_alone() -> None:
    assert whole_tool_calls((calling("a"),), [answer("a")]) == (calling("a"),)


def test_system_messages_stay_out_and_come_between_nothing() -> None:
    system = Message(Role.SYSTEM, "Be brief.")
    kept = whole_tool_calls((system, ASKED, calling("a"), system), [system, answer("a")])

    assert kept == (ASKED, calling("a"))


IDS = st.sampled_from(["", "a", "b", "c"])
MESSAGES = st.lists(
    st.builds(lambda ids, text: calling(*ids, text=text), st.lists(IDS), st.sampled_from(["", "x"]))
    | st.builds(answer, IDS)
    | st.sampled_from([ASKED, SAID, Message(Role.SYSTEM, "s")]),
    max_size=8,
)


@given(history=MESSAGES, newest=MESSAGES)
def test_every_kept_call_has_its_answer_and_every_answer_its_call(
    history: list[Message], newest: list[Message]
) -> None:
    kept = whole_tool_calls(history, newest)
    whole = [*kept, *(message for message in newest if message.role is not Role.SYSTEM)]

    open_calls: set[str | None] = set()
    for position, message in enumerate(whole):
        if message.role is Role.TOOL:
            assert position >= len(kept) or message.tool_call_id in open_calls
            open_calls.discard(message.tool_call_id)
            continue
        if position <= len(kept):
            assert not open_calls
        open_calls = {call.id for call in message.tool_calls} if position < len(kept) else set()
    assert not open_calls
