"""All documents: every path and module that they name exists, and their sentences are short."""

import ast
import importlib.util
import re
import runpy
from pathlib import Path

import pytest
from repository import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / ".github").rglob("*.md"))
)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "src/humbleyolo"
ROOMS = runpy.run_path(str(ROOT / "tests/structure/test_rooms.py"))["ROOMS"]
TOP = {"benchmarks", "docs", "examples", "src", "stages", "tests", ".ci", ".github"}
MOST_WORDS = 25  # of a sentence


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def named_paths(text):
    """Yield what code spans and commands name in the folders that git keeps, or below a room."""
    for word in re.findall(r"(?<![\w/.<-])(\.?\w[\w./-]*/[\w./-]*\w|\w+/)(?![\w<*/-])", text):
        first = word.split("/")[0]
        if first in TOP:
            yield ROOT / word
        elif first in ROOMS and word.endswith(("/", ".py", ".html", ".js", ".css")):
            yield PACKAGE / word


def test_paths_are_found_in_a_text():
    text = "`stages/train.py` and `training/losses.py`, `tests/<room>/`, `src/humbleyolo/a/b`; data/x, and/or"
    assert [path.relative_to(ROOT).as_posix() for path in named_paths(text)] == [
        "stages/train.py",
        "src/humbleyolo/training/losses.py",
        "src/humbleyolo/a/b",
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_that_a_document_names_exists(name):
    paths = set(named_paths(text_of(name)))
    links = set(re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)|<img src=\"([^\"]+)\"", text_of(name)))
    paths |= {(ROOT / name).parent / (link or picture) for link, picture in links}
    assert not sorted(path for path in paths if not path.exists())


def test_contributors_are_told_of_enough_paths():
    assert len(set(named_paths(CONTRIBUTING))) > 80


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_module_that_a_document_names_exists(name):
    text = re.sub(r"[\w/.-]+\.(?:md|py|json|yaml|git|checkpoint)\b", "", text_of(name))
    for dotted in set(re.findall(r"(?<![\w/.-])(?:humbleyolo|stages|benchmarks)(?:\.[a-z_]\w*)+\b", text)):
        assert importlib.util.find_spec(dotted), dotted


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_import_in_a_document_s_code_exists(name):
    """Sources are read, not run: TensorFlow takes seconds to start."""
    for block in re.findall(r"^```python\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("humbleyolo"):
                source = Path(importlib.util.find_spec(node.module).origin).read_text(encoding="utf-8")
                for alias in node.names:
                    defined = rf"^(?:def|class) {alias.name}\b|^{alias.name}(?:: \w+)? =|^    \"{alias.name}\": "
                    assert re.search(defined, source, re.MULTILINE), f"{node.module}.{alias.name}"


def test_the_rooms_are_told_in_their_order():
    told = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", CONTRIBUTING, re.MULTILINE)
    assert told == list(ROOMS)


def test_every_document_is_reached_from_the_readme():
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            links = re.findall(r"\]\((?!https?:)([^)#]+\.md)", text_of(name))
            waiting += [((ROOT / name).parent / link).resolve().relative_to(ROOT).as_posix() for link in links]
    assert reached >= set(DOCUMENTS) - {"docs/readme.md"}  # README itself, for the site


def sentences(text):
    """Yield the sentences of prose and of tables' cells; code blocks and formulas are no prose."""
    text = re.sub(r"^```.*?^```$|^\$\$.*?\$\$$", "\n", text, flags=re.MULTILINE | re.DOTALL)
    paragraph = []
    for line in [*text.splitlines(), ""]:
        apart = not line.strip() or line.startswith(("|", "#", "    ", "<", "!"))
        if apart or re.match(r"\s*([-*]|\d+\.) ", line):
            yield from re.split(r"(?<=[.?!])(?:\*\*)?\s+", " ".join(paragraph))
            paragraph = []
        if line.startswith("|"):
            for cell in line.split("|"):
                yield from re.split(r"(?<=[.?!])\s+", cell)
        if not apart:
            paragraph.append(line.strip())


def words(sentence):
    """Count the words outside code spans, addresses and the targets of links."""
    prose = re.sub(r"``?[^`]+``?|\$[^$]+\$|https?://\S+|\]\([^)]*\)|<[^>]*>", "", sentence)
    return len(re.findall(r"[^\W\d_][\w'-]*", prose))


def test_a_long_sentence_is_seen():
    many = " ".join(["word"] * 26)
    text = f"Short.\n{many}. Short.\n\n| cell | {many} |\n\n- {many}\n- short\n\n```python\n{many}\n```\n"
    assert [words(one) for one in sentences(text) if words(one) > MOST_WORDS] == [26, 26, 26]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_sentences_are_short(name):
    long = [f"{words(one)} words: {one}" for one in sentences(text_of(name)) if words(one) > MOST_WORDS]
    assert not long


def test_benchmarks_are_called_as_modules() -> None:
    """Some import each other, and start only so."""
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "benchmarks").glob("*.py")]
    assert [page.name for page in pages if "python benchmarks/" in page.read_text(encoding="utf-8")] == []
    assert any("python -m benchmarks." in page.read_text(encoding="utf-8") for page in pages)
