"""The pages lead to each other, and nowhere else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ALL, ROOT, name_of, prose_of

_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def links_of(page: Path) -> Iterator[tuple[Path, str]]:
    """Each relative link of `page`: the file, and the heading in it or ""."""
    for found in _LINK.finditer(prose_of(page)):
        target, _, heading = found[1].partition("#")
        if "://" not in target:
            yield (page.parent / target).resolve() if target else page, heading


def headings_of(page: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in titles)
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_link_leads_somewhere_inside(page: Path) -> None:
    for target, heading in links_of(page):
        assert target.exists(), f"{name_of(page)}: {target}"
        assert target.is_relative_to(ROOT), f"{name_of(page)}: {target}"
        if heading:
            assert heading in headings_of(target), f"{name_of(page)}: {target}#{heading}"


def test_every_page_is_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "docs" / "INDEX.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [target for target, _ in links_of(page)]

    assert set(ALL) <= reached


def test_the_index_lists_every_page_of_docs_itself() -> None:
    index = ROOT / "docs" / "INDEX.md"
    listed = {target for target, _ in links_of(index)}

    assert {page for page in (ROOT / "docs").rglob("*.md") if page != index} <= listed


def test_the_readme_leads_to_the_index() -> None:
    assert ROOT / "docs" / "INDEX.md" in {target for target, _ in links_of(ROOT / "README.md")}
