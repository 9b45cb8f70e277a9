"""The site that was built: its search answers without a network, and every link leads to a file of it."""

import re
from urllib.parse import unquote

import pytest
from browser import CHROMIUM, chromium, offline
from repository import ROOT

SITE = ROOT / "site/html"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "searchindex.js").exists(), reason="the site is not built: see CONTRIBUTING.md"),
]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_search_answers_from_a_file_without_a_network() -> None:
    with chromium() as browser:
        page = offline(browser).new_page()
        page.goto(f"{(SITE / 'search.html').as_uri()}?q=suppression")
        page.wait_for_selector("#search-results li a[href*='tutorial.html']")  # they come one after the other
        links = page.locator("#search-results li a").evaluate_all("all => all.map(one => one.href)")
    assert any("/tutorial.html" in link for link in links)
    files = [link.partition(f"{SITE.name}/")[2].partition("?")[0].partition("#")[0] for link in links]
    assert all((SITE / file).exists() for file in files)


@pytest.mark.parametrize("page", sorted(path.name for path in SITE.glob("*.html")))
def test_links_lead_to_files_of_the_site(page: str) -> None:
    text = (SITE / page).read_text(encoding="utf-8")
    for link in re.findall(r'(?:href|src)="([^"#?]+)', text):
        if not re.match(r"(https?|data|mailto):", link):
            assert (SITE / unquote(link)).exists(), link


def test_the_page_of_readme_has_its_tables() -> None:
    figures = re.findall(r"^\| (?:`\w+`|default): .*\| (0\.\d+ \([^)]+\)) \|", text_of_readme(), re.MULTILINE)
    page = (SITE / "readme.html").read_text(encoding="utf-8")
    assert len(figures) >= 3
    assert not [figure for figure in figures if figure not in page]


def text_of_readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")
