"""Docstrings begin with a noun or an imperative, and have short sentences."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from repository import ROOT

SOURCES = sorted(path for folder in ("src", "stages", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
RIDDLES = {
    "are", "does", "how", "if", "is", "of", "that", "was", "what", "when", "where", "whether", "which", "who",
    "whose", "why",
}  # fmt: skip
MOST_WORDS = 25  # of a sentence
NAMED = ("Args:", "Arguments:", "Attributes:")  # sections with a `name: text` a line
SECTIONS = (*NAMED, "Example:", "Examples:", "Note:", "Raises:", "Returns:", "Yields:")


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def beginnings(text: str) -> Iterator[str]:
    """Yield the docstring itself, and the text of each argument and attribute."""
    yield text
    section = ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            section = line
        elif section in NAMED and (found := re.match(r" {4}\*{0,2}\w+: (.*)", line)):
            yield found[1]


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of prose: without tables and other indented blocks, a list's items one by one."""
    section = ""
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        indent = len(line) - len(line.lstrip())
        starts = section and indent == 4 and re.match(r" {4}\*{0,2}[\w.]+: ", line)
        if not line.strip() or line in SECTIONS or starts or line.lstrip().startswith(("- ", "* ")):
            yield from re.split(r"(?<=[.?!])\s+", " ".join(paragraph))
            paragraph = []
        if line and not indent:
            section = line if line in SECTIONS else ""
        table = "   " in line.strip()
        if line.strip() and line not in SECTIONS and (section or not indent) and not table:
            paragraph.append(line.strip())


def words(sentence: str) -> int:
    """Count the words outside code spans and addresses."""
    prose = re.sub(r"``?[^`]+``?|https?://\S+|^\*{0,2}[\w.]+: ", "", sentence)
    return len(re.findall(r"[^\W\d_][\w'-]*", prose))


def offences(path: Path) -> list[str]:
    found = []
    for text in docstrings(path):
        for beginning in beginnings(text):
            first = re.match(r"\W*(\w+)", beginning)
            if first and first[1].lower() in RIDDLES:
                found.append(f"begins with {first[1]}: {beginning.splitlines()[0]}")
        found += [f"{words(one)} words: {one}" for one in sentences(text) if words(one) > MOST_WORDS]
    return found


def test_a_long_sentence_and_a_riddle_are_seen(tmp_path):
    many = " ".join(["word"] * 26)
    path = tmp_path / "example.py"
    path.write_text(inspect.cleandoc(f'''
        """Whether it is so. {many}."""

        def area():
            """Return the area.

                a table {many}

            `{many}` is code. Fine.

            Args:
                box: Of the image.
                score: Confidence,
                    which goes on.

            Raises:
                ValueError: {many}.
            """
    '''))  # fmt: skip
    assert [offence.split(":")[0] for offence in offences(path)] == [
        "begins with Whether",
        "26 words",
        "begins with Of",
        "26 words",
    ]


def test_docstrings_begin_with_a_noun_or_an_imperative_and_have_short_sentences():
    found = {path.relative_to(ROOT).as_posix(): offences(path) for path in SOURCES}
    assert not {name: lines for name, lines in found.items() if lines}
