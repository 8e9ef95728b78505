"""The Markdown files: relative links lead to a file and to a heading in it, experiments have their four
parts in order, and results stay small."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
EXPERIMENTS = [page for page in PAGES if page.parent.name == "experiments" and page.name != "README.md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(page):
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def headings(page):
    return re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)


def anchor(heading):
    """As GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def fault_of(page, link):
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: no such file"
    if fragment and fragment not in {anchor(heading) for heading in headings(target)}:
        return f"{link}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    links = [link for link in LINK.findall(prose(page)) if "://" not in link]
    assert [fault for link in links if (fault := fault_of(page, link))] == []


@pytest.mark.parametrize("page", EXPERIMENTS, ids=lambda page: page.stem)
def test_an_experiment_has_question_setup_result_and_verdict(page):
    assert headings(page)[1:] == ["Question", "Set-up", "Result", "Verdict"]


def test_the_indexes_name_every_page():
    for folder in (ROOT / "docs", ROOT / "docs" / "experiments"):
        index = (folder / "README.md").read_text()
        pages = [page.name for page in folder.glob("*.md") if page.name != "README.md"]
        assert [page for page in pages if f"({page})" not in index] == []


def test_results_are_summaries():
    assert sum(path.stat().st_size for path in (ROOT / "bench" / "results").iterdir()) < 500_000
