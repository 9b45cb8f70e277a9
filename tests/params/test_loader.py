import os
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from params_text import DEFAULT, SECTIONS, at, changed, every_key, line_of, problems_of
from repository import ROOT
from ruamel.yaml import YAML

from humbleyolo.errors import UserError
from humbleyolo.params.loader import load_params, read_sections

S = "dataset.synthetic"


def test_sections_come_in_the_order_asked_for():
    train, seed = load_params(ROOT / "params.yaml", "train", "seed")
    assert seed == YAML(typ="safe").load(DEFAULT)["seed"]
    assert train.epochs > 0


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = changed(
        ("train.epochs", "'10'"),
        ("train.learning_rate", "true"),
        ("seed", "-1"),
        ("encode.rows", "3"),
        ("loss.lambda_obj", ".nan"),
        (f"{S}.words", "[rat, rat]"),
        (f"{S}.blur_px", "-1"),
        ("render.scale", "0"),
    )
    text = text.replace("min_ceiling:", "min_cieling:").replace("\n  max_detections:", "\n  min_score:")
    problems = problems_of(text, tmp_path)
    keys = [problem.split(": ")[1] for problem in problems]
    lines = [int(problem.split(":")[0].removeprefix("line ")) for problem in problems]
    assert lines == sorted(lines)
    assert set(keys) == {
        "seed",
        f"{S}.words",
        f"{S}.blur_px",
        "encode.rows",
        "encode.min_ceiling",
        "encode.min_cieling",
        "loss.lambda_obj",
        "train.epochs",
        "train.learning_rate",
        "evaluate.max_detections",
        "evaluate.min_score",
        "render.scale",
    }
    assert len(keys) == 12


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n", "{}\n"])
def test_an_empty_file(text, tmp_path):
    problems = problems_of(text, tmp_path)
    if text == "{}\n":
        assert problems == sorted(
            f"{name}: is missing; `humbleyolo params --update {tmp_path / 'params.yaml'}` adds it"
            for name in SECTIONS
        )
    else:
        assert problems == [f"is empty; it needs the sections {', '.join(SECTIONS)}"]


@pytest.mark.parametrize(("text", "kind"), [("[1, 2]\n", "list"), ("text\n", "str"), ("3\n", "int")])
def test_a_file_that_is_no_mapping(text, kind, tmp_path):
    assert problems_of(text, tmp_path) == [f"is a {kind}, not a mapping of sections to values"]


def test_a_key_given_twice_is_told_with_both_lines(tmp_path):
    lines = DEFAULT.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("  epochs:"))
    text = "".join([*lines[: first + 1], "  epochs: 7\n", *lines[first + 1 :]])
    assert problems_of(text, tmp_path) == [
        f"line {first + 2}: train.epochs: is given twice, first in line {first + 1}; keep one"
    ]
    text = DEFAULT + "seed: 3\n"
    (problem,) = problems_of(text, tmp_path)
    assert problem.endswith(f"seed: is given twice, first in line {line_of('seed', DEFAULT)}; keep one")


@pytest.mark.parametrize(
    "text",
    [
        "seed: [1\n",
        "seed: 'open\n",
        "\tseed: 1\n",
        "a: b: c\n",
        "seed: !!python/object:os.system x\n",
        "seed: *none\n",
        "seed: 1\n---\nseed: 2\n",
    ],
)
def test_what_is_not_yaml_is_told_with_its_place(text, tmp_path):
    problems = problems_of(text, tmp_path)
    assert problems[0].startswith("line ")


@pytest.mark.parametrize("key", ["1", "true", "null", "1.5", "2020-01-01", "? [a]\n"])
def test_a_key_that_is_no_text(key, tmp_path):
    (problem,) = problems_of(f"{DEFAULT}{key}: 3\n", tmp_path)
    assert "unknown key" in problem or "a text as a key" in problem


@pytest.mark.parametrize("text", ["seed: &a [*a]\n", "seed: &a {b: *a}\n", "<<: &a {b: *a}\n"])
def test_a_value_that_holds_itself_is_refused(text, tmp_path):
    assert problems_of(text, tmp_path)


def test_aliases_that_multiply_are_refused_at_once(tmp_path):
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    problems = problems_of(f"a0: &a0 [x]\n{laughs}", tmp_path)
    assert max(map(len, problems)) < 1000


@pytest.mark.parametrize("first", ["\ufeff", "%YAML 1.2\n---\n"])
def test_a_byte_order_mark_and_a_version_are_no_mistakes(first, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(first + DEFAULT, encoding="utf-8")
    assert load_params(path, "seed")


def test_windows_line_ends_are_no_mistake(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(DEFAULT.replace("\n", "\r\n").encode())
    assert load_params(path, *SECTIONS) == load_params(ROOT / "params.yaml", *SECTIONS)


def test_numbers_are_read_as_yaml_1_2_reads_them(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(changed(("train.learning_rate", "0.5")).replace("learning_rate: 0.5", "learning_rate: 5e-1", 1))
    assert load_params(path, "train")[0].learning_rate == 0.5


def test_values_that_a_caller_changes_are_the_file_s_again_when_it_is_read_again():
    values, lines, _ = read_sections(DEFAULT, "params.yaml")
    values["train"]["augment"].clear()
    lines.clear()
    again = read_sections(DEFAULT, "params.yaml")
    assert again[0] == YAML(typ="safe").load(DEFAULT)
    assert again[1]["seed",] == line_of("seed")


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(UserError, match=r"no\.yaml: no such file; run from the project's folder"):
        load_params(tmp_path / "no.yaml", "seed")
    with pytest.raises(UserError, match="cannot be read"):
        load_params(tmp_path, "seed")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00seed")
    with pytest.raises(UserError, match="cannot be read"):
        load_params(tmp_path / "binary", "seed")


def test_what_only_a_stage_can_check_is_told_with_the_rest(tmp_path):
    def check(dataset):
        assert dataset.synthetic.words
        return [(("dataset", "synthetic", "words", 1), "cannot be drawn")]

    text = changed(("train.epochs", "-1"))
    problems = problems_of(text, tmp_path, check)
    assert len(problems) == 2
    assert problems[0] == f"line {line_of(f'{S}.words.1', text)}: {S}.words[1]: cannot be drawn"


def test_what_a_stage_checks_waits_for_a_dataset_without_mistakes(tmp_path):
    def never(dataset):
        raise AssertionError

    assert problems_of(changed((f"{S}.words", "[rat, rat]")), tmp_path, never)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(list(every_key())), value=values)
def test_any_value_anywhere_is_either_right_or_told(key, value, tmp_path_factory):
    document = YAML(typ="safe").load(DEFAULT)
    holder, last = at(document, key)
    holder[last] = value
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        YAML(typ="safe").dump(document, file)
    with suppress(UserError):  # nothing else may come
        load_params(path, *SECTIONS)


class TestStages:
    """What a user sees."""

    ALL_WRONG = (
        ("train.epochs", "-1"),
        ("seed", "true"),
        (f"{S}.words", "[chat, chat]"),
        ("render.scale", "0.5"),
        ("encode.rows", "7"),
    )

    def run(self, folder, stage, *arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC")}
        return subprocess.run(
            [sys.executable, "-m", f"stages.{stage}", *map(str, arguments)],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    @pytest.mark.parametrize(
        ("stage", "arguments", "out"),
        [
            pytest.param(
                "generate", [ROOT / "data/fonts", "data/dataset"], "data/dataset", marks=pytest.mark.slow
            ),
            ("render", ["a", "b", "c", "d", "data/render"], "data/render"),
            pytest.param("encode", ["data/dataset", "data/grid"], "data/grid", marks=pytest.mark.slow),
            pytest.param("train", ["train", "val", "data/model"], "data/model", marks=pytest.mark.slow),
            pytest.param("evaluate", ["a", "b", "c", "data/evaluation"], "data/evaluation", marks=pytest.mark.slow),
        ],
    )  # fmt: skip
    def test_every_mistake_is_told_and_nothing_touched(self, stage, arguments, out, tmp_path):
        text = changed(*self.ALL_WRONG)
        (tmp_path / "params.yaml").write_text(text)
        kept = tmp_path / out / "kept.txt"
        kept.parent.mkdir(parents=True)
        kept.write_text("as it was")
        before = kept.stat().st_mtime_ns
        done = self.run(tmp_path, stage, *arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        told = done.stderr[done.stderr.index("error: ") :].splitlines()
        assert told[0] == "error: params.yaml: 5 problems"
        assert [line.split(": ")[1] for line in told[1:]] == [
            "seed", f"{S}.words", "encode.rows", "train.epochs", "render.scale"
        ]  # fmt: skip
        assert sorted(tmp_path.rglob("*")) == sorted(
            [tmp_path / "params.yaml", kept, *[path for path in kept.parents if path > tmp_path]]
        )
        assert (kept.read_text(), kept.stat().st_mtime_ns) == ("as it was", before)

    @pytest.mark.slow
    def test_a_word_that_the_font_cannot_draw(self, tmp_path):
        text = changed((f"{S}.words", "[chat, ねずみ]"), ("train.epochs", "0"))
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        done = self.run(tmp_path, "generate", ROOT / "data/fonts", "data/dataset")
        assert done.returncode == 2
        assert "error: params.yaml: 2 problems" in done.stderr
        assert f"line {line_of(f'{S}.words.1', text)}: {S}.words[1]: 'ねずみ' cannot be drawn" in done.stderr
        assert "U+306D" in done.stderr
        assert not (tmp_path / "data").exists()

    @pytest.mark.slow
    def test_a_file_that_is_not_there(self, tmp_path):
        done = self.run(tmp_path, "generate", ROOT / "data/fonts", "data/dataset")
        assert done.returncode == 2
        assert done.stderr == "error: params.yaml: no such file; run from the project's folder\n"
