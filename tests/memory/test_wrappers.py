import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.memory.wrappers import spoken, without_wrappers


@pytest.mark.parametrize(
    "text",
    [
        "<system-reminder>\nToday is Monday.\n</system-reminder>\nfix the bug",
        "<environment_context>\n  <cwd>/home/x</cwd>\n</environment_context>\n\nfix the bug",
        "<session_context>This is the setup.</session_context>\nfix the bug\n",
        "<current_datetime>2026-11-23</current_datetime>\n\nfix the bug",
        '<context kind="editor">a.py</context>fix the bug<reminder>be quick</reminder>',
        "<system-reminder>a</system-reminder><system-reminder>b</system-reminder> fix the bug",
    ],
)
def test_what_a_client_adds_is_not_what_the_person_said(text: str) -> None:
    assert without_wrappers(text) == "fix the bug"


def test_markup_that_a_person_wrote_stays() -> None:
    html = "why is <b>this</b> <div>not bold</div> and <system-reminder> open?"

    assert without_wrappers(html) is html


def test_the_lines_of_attachments_ask_for_nothing() -> None:
    text = "what is this?\n[image 3f2a91c07b5d]\n[file 3f2a91c07b5d report [2].pdf]"

    assert spoken(text).startswith("what is this?")
    assert "3f2a91c07b5d" not in spoken(text)
    assert spoken("[see note] fine") == "[see note] fine"


@given(st.text(max_size=200))
def test_any_text_comes_through(text: str) -> None:
    assert len(spoken(text)) <= len(text)
