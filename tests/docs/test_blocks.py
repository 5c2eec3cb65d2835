"""Every fenced block of every page is run, loaded or parsed; none is documented unchecked."""

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from memory_proxy.config import examine_settings
from memory_proxy.config.models import references
from memory_proxy.config.yaml_file import read_config_file
from memory_proxy.memory.notes import render_notes
from memory_proxy.retrieval.recalled import Recalled, Scored
from tests.docs.not_run import NOT_RUN, entry_for
from tests.docs.pages import ROOT, WITH_BLOCKS, Block, all_blocks, blocks_of, name_of
from tests.docs.reader import RUN, Ports, Reader, node
from tests.examples import an_exchange, user
from tests.live.launched import Launched

CHECKED = {*RUN, "json", "text", "yaml", "dotenv", "picture"}
MODEL = "\nmodel_list: [{model_name: m, litellm_params: {model: openai/m}}]\n"

each_page = pytest.mark.parametrize("page", WITH_BLOCKS, ids=name_of)


@each_page
def test_every_block_is_in_a_language_that_is_checked(page: Path) -> None:
    for block in blocks_of(page):
        assert block.language in CHECKED, f"{block}: {block.language or 'no language'}"


@each_page
def test_no_block_escapes_by_its_indentation(page: Path) -> None:
    text = page.read_text("utf-8")

    assert text.count("```") == 2 * len(blocks_of(page))
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"\n\n {4}", outside), "indent by fences, not by spaces"


@pytest.mark.live
@each_page
async def test_a_reader_who_pastes_the_page_sees_what_it_shows(
    page: Path, reader: Reader, stack: Launched, tmp_path: Path
) -> None:
    await forget_all(stack, page)
    reader.work_through(page, tmp_path)


async def forget_all(stack: Launched, page: Path) -> None:
    """Of the users that `page` names: what other pages told it is not known to its reader."""
    key = (stack.home / "master.key").read_text().strip()
    named = re.findall(r"x-memory-user-id\W{1,4}(\w+)", page.read_text("utf-8"))
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as client:
        for user in {"default", *named}:
            url, who = f"{stack.url}/memory/sessions", {"x-memory-user-id": user}
            async with client.get(url, params={"limit": 1000}, headers=who) as listed:
                sessions = (await listed.json())["sessions"]
            for session in sessions:
                async with client.delete(f"{url}/{session['id']}", headers=who) as deleted:
                    assert deleted.status == 200


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_a_piece_of_configuration_is_right(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(block.text + ("" if "model_list:" in block.text else MODEL), "utf-8")
    config = read_config_file(path)
    environ = dict.fromkeys(references(config.content), "sk-for-this-test-only")
    examination = examine_settings({}, environ=environ, cwd=tmp_path, launch_litellm=True)

    assert examination.problems == ()
    assert examination.settings.warnings == ()


@pytest.mark.parametrize("block", all_blocks("dotenv"), ids=str)
def test_a_piece_of_the_environment_is_right(block: Block, tmp_path: Path) -> None:
    shutil.copy(ROOT / "config.yaml", tmp_path)
    (tmp_path / ".env").write_text(block.text, "utf-8")
    examination = examine_settings({}, environ={}, cwd=tmp_path, launch_litellm=True)

    assert examination.problems == ()
    assert not [warning for warning in examination.settings.warnings if "no such" in warning]
    assert any(model.has_its_keys for model in examination.settings.models)


@pytest.mark.parametrize("block", all_blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("picture"), ids=str)
def test_a_picture_names_the_default_ports(block: Block) -> None:
    assert set(re.findall(r":(\d{4})", block.text)) <= {"8764", "8765"}


def test_the_tutorial_shows_notes_as_they_are() -> None:
    (shown,) = [block for block in all_blocks("picture") if "<recalled-notes" in block.text]
    said = an_exchange(user("The tomatoes stand on the balcony"), name="f3a9d07c51e2").turns[0]
    turn = replace(said, at=datetime(2026, 11, 23, tzinfo=UTC))
    notes = render_notes(Recalled((Scored(turn, 1.0),)), (), budget_tokens=2_000, mark="5c0a9b1e")

    assert shown.text == f"Where are my tomatoes?\n\n{notes.text}\n"


@pytest.mark.parametrize("block", all_blocks("bash"), ids=str)
def test_a_command_that_is_not_run_is_right_as_far_as_can_be_told(block: Block) -> None:
    for line in block.text.splitlines():
        entry = entry_for(line)
        if entry and entry.check:
            entry.check(line)


@pytest.mark.parametrize("entry", NOT_RUN, ids=lambda entry: entry.pattern)
def test_the_table_of_what_is_not_run_holds_nothing_else(entry: object) -> None:
    lines = (line for block in all_blocks("bash") for line in block.text.splitlines())

    assert any(entry_for(line) is entry for line in lines)


@pytest.mark.live
def test_javascript_was_run_and_not_only_parsed(checkout: Path) -> None:
    """Its pages are worked through above; there, without the package, its syntax is checked."""
    assert Path(node()).exists()
    if not (checkout / "node_modules" / "openai").exists():
        pytest.skip("JavaScript was only parsed: `npm install openai` in the checkout runs it")


def test_the_documented_ports_stand_for_ours_and_back() -> None:
    ports = Ports(proxy=40001, litellm=40002, spare=40003)

    assert ports.here("http://127.0.0.1:8764, 18765") == "http://127.0.0.1:40001, 18765"
    assert ports.documented("127.0.0.1:40003 and 1400030") == "127.0.0.1:8766 and 1400030"
