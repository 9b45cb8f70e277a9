from pathlib import Path

import pytest

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.storage.table_reader import (
    index,
    number,
    number_or_none,
    read_object,
    read_table,
    text,
    whole,
    whole_or_none,
)

FIX = "run it again"


def table(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def test_columns_are_read_by_name_and_others_are_left_alone(tmp_path):
    path = table(tmp_path, 'count,other,name,low\n3,x,"a,\n""b""",0.5\n0,,NA,\n')
    rows = read_table(path, {"name": text, "count": whole, "low": number_or_none}, FIX)
    assert rows == [{"name": 'a,\n"b"', "count": 3, "low": 0.5}, {"name": "NA", "count": 0, "low": None}]


def test_any_name_comes_through(tmp_path):
    names = ["נמר", "🐀" * 200, "\ud800", "nan", ""]
    content = "name\n" + "".join(f'"{name}"\n' for name in names)
    assert [row["name"] for row in read_table(table(tmp_path, content), {"name": text}, FIX)] == names


@pytest.mark.parametrize(
    ("read", "wrong", "right", "value"),
    [
        (whole, ["-1", "1.5", "", "x"], "7", 7),
        (whole_or_none, ["-1", "x"], "", None),
        (index, ["-2", "1.0", ""], "-1", -1),
        (number, ["nan", "inf", "", "1,5"], "1e-3", 0.001),
        (number_or_none, ["nan", "-inf", "x"], "", None),
    ],
)
def test_values_that_are_not_allowed_are_told_with_their_lines(tmp_path, read, wrong, right, value):
    good = read_table(table(tmp_path, f"a,b\n,{right}\n"), {"b": read}, FIX)
    assert good == [{"b": value}]
    path = table(tmp_path, "a,b\n" + "".join(f'"","{field}"\n' for field in wrong))
    with pytest.raises(ProblemsError) as caught:
        read_table(path, {"b": read}, FIX)
    assert str(caught.value).endswith(f"\n{FIX}")
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        f"line {line}: b {field!r} is not allowed" for line, field in enumerate(wrong, 2)
    ]


def test_of_many_problems_a_screen_is_told(tmp_path):
    with pytest.raises(ProblemsError, match="reading stopped after the first: 12 problems") as caught:
        read_table(table(tmp_path, "a\n" + "x\n" * 1000), {"a": whole}, FIX)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [f"line {n}" for n in range(2, 14)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "column a is missing(?s:.*)another version"),
        ("b\n1\n", "column a is missing"),
        ("a,b\n1\n", "line 2: 1 fields; allowed: 2"),
        (b"\xff\xfea\n", "cannot be read as a table"),
        ('a\n"1', "cannot be read as a table"),
    ],
)
def test_what_is_no_such_table_is_an_error(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        read_table(table(tmp_path, content), {"a": whole}, FIX)


def test_a_missing_file_says_what_to_run(tmp_path):
    for read in (lambda path: read_table(path, {"a": whole}, FIX), lambda path: read_object(path, FIX)):
        with pytest.raises(UserError, match="none: no such file; run it again"):
            read(tmp_path / "none")
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize(("content", "message"), [("[]", "is a list"), ("{", "damaged"), ("[" * 10**5, "damaged")])
def test_what_is_no_json_object_is_an_error(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        read_object(table(tmp_path, content), FIX)
