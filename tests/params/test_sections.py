import io
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from dvc.utils.serialize import modify_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT
from ruamel.yaml import YAML

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.labels.formats.registry import FORMATS
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params, Render

DEFAULT = (ROOT / "params.yaml").read_text(encoding="utf-8")
SECTIONS = tuple(Params.model_fields)


def at(document, key):
    """Return the mapping or list that holds `key`, and its last part."""
    *way, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    for part in way:
        document = document[part]
    return document, last


def line_of(key, text):
    holder, last = at(YAML().load(text), key)
    return (holder.lc.key(last) if isinstance(last, str) else holder.lc.item(last))[0] + 1


def problems_of(text, tmp_path, check=None):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProblemsError) as caught:
        load_params(path, "seed", check=check)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}: ")
    return list(caught.value.problems)


def changed(*changes):
    """Return the default file with values replaced: (key, YAML text)."""
    yaml = YAML()
    document = yaml.load(DEFAULT)
    for key, value in changes:
        holder, last = at(document, key)
        holder[last] = YAML().load(value)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def test_the_committed_file_is_right():
    loaded = load_params(ROOT / "params.yaml", *SECTIONS)
    document = YAML(typ="safe").load(DEFAULT)
    assert [
        value if name == "seed" else value.model_dump() for name, value in zip(SECTIONS, loaded, strict=True)
    ] == [document[name] for name in SECTIONS]


def test_sections_come_in_the_order_asked_for():
    train, seed = load_params(ROOT / "params.yaml", "train", "seed")
    assert seed == YAML(typ="safe").load(DEFAULT)["seed"]
    assert train.epochs > 0


def test_a_section_is_frozen():
    (train,) = load_params(ROOT / "params.yaml", "train")
    with pytest.raises(ValueError, match="frozen"):
        train.epochs = 3


S = "dataset.synthetic"
L = "dataset.labelled"

# What is wrong, the value as YAML text, as it is shown, and what is allowed.
WRONG_VALUES = [
    # wrong type
    ("train.epochs", "'10'", "'10'", "a whole number"),
    ("train.epochs", "true", "true", "a whole number"),
    ("train.epochs", "3.5", "3.5", "a whole number"),
    ("train.epochs", "3.0", "3.0", "a whole number"),
    ("train.epochs", "", "an empty value", "a whole number"),
    ("train.epochs", "[1]", "[1]", "a whole number"),
    ("train.epochs", "{a: 1}", "{'a': 1}", "a whole number"),
    ("train.epochs", "2020-01-01", "datetime.date(2020, 1, 1)", "a whole number"),
    ("train.learning_rate", "'0.1'", "'0.1'", "a number"),
    ("train.learning_rate", "true", "true", "a number"),
    ("seed", "'1'", "'1'", "a whole number"),
    ("seed", "no", "'no'", "a whole number"),
    ("model.name", "1", "1", None),
    (f"{S}.may_leave_image", "1", "1", "true or false"),
    (f"{S}.may_leave_image", "'true'", "'true'", "true or false"),
    (f"{S}.words", "chat", "'chat'", "a list"),
    (f"{S}.words.1", "7", "7", "a text"),
    (f"{S}.images", "5000", "5000", "a section with keys"),
    ("train", "[1, 2]", "[1, 2]", "a section with keys"),
    ("dataset.source", "drawn", "'drawn'", None),
    (
        "dataset.inputs",
        "''",
        "''",
        "a path of letters, digits and _ . / : - alone, since a command line holds it",
    ),
    (
        "dataset.inputs",
        "data/my fonts",
        "'data/my fonts'",
        "a path of letters, digits and _ . / : - alone, since a command line holds it",
    ),
    (
        "dataset.inputs",
        "a;b",
        "'a;b'",
        "a path of letters, digits and _ . / : - alone, since a command line holds it",
    ),
    # not a number, not finite
    ("train.learning_rate", ".nan", "nan", "a finite number"),
    ("train.learning_rate", ".inf", "inf", "a finite number"),
    ("train.learning_rate", "1e999", "inf", "a finite number"),
    ("train.epochs", ".nan", "nan", "a whole number"),
    ("loss.lambda_obj", "-.inf", "-inf", "a finite number"),
    (f"{S}.frequencies.0", ".nan", "nan", "a finite number"),
    # negative, zero, out of range
    ("seed", "-1", "-1", "0 or more"),
    ("seed", "9223372036854775808", "9223372036854775808", "less than 9223372036854775808"),
    ("train.epochs", "-1", "-1", "1 or more"),
    ("train.epochs", "0", "0", "1 or more"),
    ("train.batch", "0", "0", "1 or more"),
    ("train.learning_rate", "0", "0", "more than 0"),
    ("train.learning_rate", "11", "11", "10 or less"),
    ("train.ema_decay", "1", "1", "less than 1"),
    ("train.validation.min_score", "-0.5", "-0.5", "0 or more"),
    ("train.validation.nms_iou", "1.5", "1.5", "1 or less"),
    ("train.validation.max_detections", "0", "0", "1 or more"),
    ("runtime.intra_op_threads", "0", "0", "1 or more"),
    ("encode.rows", "0", "0", "1 or more"),
    ("encode.boxes", "-3", "-3", "1 or more"),
    ("encode.height", "8193", "8193", "8192 or less"),
    ("encode.fill", "256", "256", "255 or less"),
    ("encode.finer.1", "1", "1", "2 or more"),
    ("encode.min_ceiling", "1.01", "1.01", "1 or less"),
    ("loss.lambda_coord", "-0.1", "-0.1", "0 or more"),
    ("model.width", "0", "0", "more than 0"),
    ("evaluate.nms_iou", "1.5", "1.5", "1 or less"),
    ("evaluate.min_score", "-0.5", "-0.5", "0 or more"),
    ("evaluate.max_detections", "0", "0", "1 or more"),
    ("evaluate.match_iou", "0", "0", "more than 0"),
    ("evaluate.match_iou", "1.01", "1.01", "1 or less"),
    ("evaluate.background_iou", "0", "0", "more than 0"),
    ("evaluate.voc_iou", "2", "2", "1 or less"),
    ("evaluate.bins", "0", "0", "1 or more"),
    ("evaluate.resamples", "-1", "-1", "0 or more"),
    ("evaluate.resamples", "1.5", "1.5", "a whole number"),
    ("evaluate.bootstrap_seed", "-1", "-1", "0 or more"),
    ("render.scale", "17", "17", "16 or less"),
    ("render.images", "0", "0", "1 or more"),
    ("render.cells", "0", "0", "1 or more"),
    ("render.mistakes", "1001", "1001", "1000 or less"),
    ("render.report_images", "-1", "-1", "0 or more"),
    ("render.report_px", "15", "15", "16 or more"),
    ("render.report_mb", "0.5", "0.5", "1 or more"),
    (f"{S}.height", "-64", "-64", "1 or more"),
    (f"{S}.min_visible", "0", "0", "more than 0"),
    (f"{S}.rotation_deg", "181", "181", "180 or less"),
    (f"{S}.images.train", "0", "0", "1 or more"),
    (f"{S}.images.val", "0", "0", "1 or more"),
    (f"{S}.images.test", "0", "0", "1 or more"),
    (f"{S}.images.test", "-1", "-1", "1 or more"),
    ("model.stride", "12", "12", "4, 8, 16 or 32"),
    ("model.humble.head", "denes", "'denes'", "'dense' or 'convolutional'"),
    ("runtime.precision", "float16", "'float16'", "'float32' or 'bfloat16'"),
    ("train.schedule", "cosin", "'cosin'", "'cosine' or 'inverse_time'"),
    ("train.include_val", "1", "1", "true or false"),
    ("loss.class_weights", "[1]", "[1]", "keys with values"),
    # words, colours, lists
    (f"{S}.words", "[]", "0 values", "1 or more"),
    (f"{S}.words.0", "''", "''", "a text of printable characters, not only spaces"),
    (f"{S}.words.1", "'  '", "'  '", "a text of printable characters, not only spaces"),
    (f"{S}.words.1", '"a\\nb"', r"'a\nb'", "a text of printable characters, not only spaces"),
    (f"{S}.font_px", "[8]", "1 values", "2 or more"),
    (f"{S}.font_px", "[8, 9, 10]", "3 values", "2 at most"),
    (f"{S}.ink.0", "white", "'white'", "a colour such as '#ffffff'"),
    (f"{S}.background", "plian", "'plian'", "'plain', 'gradient' or 'noise'"),
    # labelled images
    ("dataset.source", "labeled", "'labeled'", "'synthetic' or 'labelled'"),
    (f"{L}.format", "pascal", "'pascal'", None),
    (f"{L}.classes", "cat", "'cat'", "a list"),
    (f"{L}.one_based", "1", "1", "true or false"),
    (f"{L}.exif", "ignore", "'ignore'", "'error', 'displayed' or 'stored'"),
    (f"{L}.on_problem", "warn", "'warn'", "'error', 'skip' or 'clip'"),
    (f"{L}.split.by", "random", "'random'", "'lists', 'hash' or 'group'"),
    (f"{L}.split.fractions", "[0.7, 0.15, 0.15]", "[0.7, 0.15, 0.15]", "a section with keys"),
    (f"{L}.split.fractions.val", "0", "0", "more than 0"),
    (f"{L}.split.fractions.train", "1", "1", "less than 1"),
    (f"{L}.split.stratify", "yes", "'yes'", "true or false"),
    (
        f"{L}.split.group",
        "'scene('",
        "'scene('",
        "a regular expression, or '' (missing ), unterminated subpattern at position 5)",
    ),
]


@pytest.mark.parametrize(("key", "value", "shown", "allowed"), WRONG_VALUES)
def test_a_wrong_value_is_told_with_its_line_key_value_and_what_is_allowed(
    key, value, shown, allowed, tmp_path
):
    text = changed((key, value))
    (problem,) = problems_of(text, tmp_path)
    name = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in key.split("."))[1:]
    start = f"line {line_of(key, text)}: {name}: {shown} is not allowed; allowed: "
    assert problem.startswith(start)
    assert problem[len(start) :] == allowed or allowed is None


# Values that are right by themselves and wrong together.
WRONG_TOGETHER = [
    (
        [("train.batch", "9"), (f"{S}.images.train", "8")],
        "train.batch: 9 is not allowed; allowed: at most 8 (dataset.synthetic.images.train, dataset.source)",
    ),
    (
        [("train.warmup_epochs", "3"), ("train.epochs", "3")],
        "train.warmup_epochs: 3 leaves nothing of 3 epochs",
    ),
    (
        [("evaluate.mirrored", "both"), ("encode.boxes", "2")],
        "evaluate.mirrored: 'both' is not allowed with 2 boxes a cell; allowed: none, or encode.boxes: 1",
    ),
    (
        [("evaluate.background_iou", "0.6"), ("evaluate.match_iou", "0.5")],
        "evaluate.background_iou: 0.6 is not allowed; allowed: at most 0.5 (evaluate.match_iou)",
    ),
    (
        [("train.final_learning_rate", "0.5"), ("train.learning_rate", "0.1")],
        "train.final_learning_rate: 0.5 is not allowed; allowed: at most 0.1 (",
    ),
    (
        [(f"{S}.words", "[rat, rat]"), (f"{S}.frequencies", "[1, 1]")],
        f"{S}.words: 'rat' more than once; allowed: values that differ",
    ),
    (
        [(f"{S}.words", "[a, b, c]"), (f"{S}.frequencies", "[1, 1]")],
        f"{S}.frequencies: 2 values for 3 words; allowed: one for each word",
    ),
    (
        [(f"{S}.words", "[a, b]"), (f"{S}.frequencies", "[0, 0.0]")],
        f"{S}.frequencies: [0, 0.0] draws no word; allowed: one or more above 0",
    ),
    ([(f"{S}.font_px", "[12, 8]")], f"{S}.font_px: [12, 8] is not [smallest, largest]"),
    (
        [(f"{S}.cells.rows", "9"), (f"{S}.height", "8"), (f"{S}.placement", "cells")],
        f"{S}.cells.rows: 9 is not allowed; allowed: at most 8",
    ),
    (
        [(f"{S}.free.min_objects", "9"), (f"{S}.free.max_objects", "4")],
        f"{S}.free.min_objects: 9 is not allowed; allowed: at most 4",
    ),
    (
        [(f"{S}.background", "gradient"), (f"{S}.ground", "['#000000']")],
        f"{S}.ground: ['#000000'] for background gradient",
    ),
    (
        [(f"{S}.background", "noise"), (f"{S}.ground", "['#00000a', '#00000A']")],
        "allowed: two or more different colours",
    ),
    (
        [(f"{L}.classes", "[cat, dog, cat]")],
        f"{L}.classes: 'cat' more than once; allowed: values that differ",
    ),
    (
        [(f"{L}.split.fractions", "{train: 0.7, val: 0.2, test: 0.2}")],
        f"{L}.split.fractions.train: 0.7 + 0.2 + 0.2 is 1.1; allowed: fractions that add up to 1 (",
    ),
    ([("encode.finer", "[2, 3, 2]")], "encode.finer: 2 more than once"),
    (
        [("encode.rows", "15"), ("model.name", "humble"), ("loss.name", "article"), ("encode.height", "14")],
        "encode.rows: 15 is not allowed; allowed: at most 14",
    ),
    (
        [("model.name", "humble"), ("loss.name", "article"), ("encode.height", "13")],
        "encode.height: 13 leaves nothing behind the layers of model humble; allowed: 14 or more",
    ),
    (
        [("model.name", "yolov1"), ("loss.name", "yolov1"), ("encode.width", "100")],
        "encode.width: 100 does not suit model yolov1; allowed: multiples of 64",
    ),
    (
        [("model.name", "humble"), ("loss.name", "iou")],
        "loss.name: iou needs class probabilities that add up to 1, which humble's do not",
    ),
    (
        [("model.name", "yolov1"), ("loss.name", "iou")],
        "loss.name: iou takes logarithms of probabilities",
    ),
    (
        [("dataset.synthetic.words", '["caf\u00e9", "cafe\u0301"]')],
        "dataset.synthetic.words: 'caf\u00e9' more than once",
    ),
    (
        [("encode.rows", "3"), ("encode.height", "64"), ("model.name", "compact")],
        "encode.rows: 3 does not divide 64 pixels into cells of a multiple of 8 pixels, which model compact needs; "
        "allowed: 1, 2, 4, 8 (encode.height, model.name, model.stride)",
    ),
    (
        [("encode.cols", "32"), ("encode.width", "64"), ("model.name", "compact")],
        "encode.cols: 32 does not divide 64 pixels",
    ),
    (
        [("encode.width", "66"), ("model.name", "compact"), ("model.stride", "4")],
        "allowed: any, for a multiple of 4 pixels",
    ),
    (
        [("loss.name", "yolov1"), ("loss.mistakes", "[mixed_units]")],
        "loss.mistakes: ['mixed_units'] are the article's; allowed: [] with loss yolov1 (loss.name)",
    ),
    (
        [("loss.name", "article"), ("loss.mistakes", "[mixed_units, mixed_units]")],
        "has one twice; allowed: each once",
    ),
    (
        [("train.include_val", "true"), ("train.patience", "3")],
        "train.patience: 3 asks val, which is trained on; allowed: 0 (train.include_val)",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), WRONG_TOGETHER)
def test_values_that_do_not_fit_each_other_are_told(changes, expected, tmp_path):
    text = changed(*changes)
    (problem,) = problems_of(text, tmp_path)
    assert expected in problem
    key = problem.split(": ")[1]
    assert problem.startswith(f"line {line_of(key, text)}: ")


def test_a_batch_larger_than_the_drawn_split_is_right_for_labelled_images(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(changed(("train.batch", "9"), (f"{S}.images.train", "8"), ("dataset.source", "labelled")))
    assert load_params(path, "train")[0].batch == 9


@pytest.mark.parametrize("name", ["''", "' cat'", '"a\\nb"', "7"])
def test_what_cannot_be_a_class_name(name, tmp_path):
    (problem,) = problems_of(changed((f"{L}.classes", f"[cat, {name}]")), tmp_path)
    assert f"{L}.classes[1]: " in problem
    assert " is not allowed; allowed: " in problem


def test_the_formats_are_those_that_are_read(tmp_path):
    (problem,) = problems_of(changed((f"{L}.format", "xml")), tmp_path)
    for name in ("auto", *FORMATS):
        assert f"'{name}'" in problem


def test_any_grid_is_right_for_the_model_of_the_article(tmp_path):
    path = tmp_path / "params.yaml"
    network = (("model.name", "humble"), ("loss.name", "article"))
    path.write_text(changed(("encode.rows", "3"), ("encode.cols", "5"), *network))
    assert load_params(path, "encode")[0].rows == 3


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
        assert problems == sorted(f"{name}: is missing; add it" for name in SECTIONS)
    else:
        assert problems == [f"is empty; it needs the sections {', '.join(SECTIONS)}"]


@pytest.mark.parametrize(("text", "kind"), [("[1, 2]\n", "list"), ("text\n", "str"), ("3\n", "int")])
def test_a_file_that_is_no_mapping(text, kind, tmp_path):
    assert problems_of(text, tmp_path) == [f"is a {kind}, not a mapping of sections to values"]


def every_key(section=Params, way=""):
    for name, field in section.model_fields.items():
        yield f"{way}{name}"
        if hasattr(field.annotation, "model_fields"):
            yield from every_key(field.annotation, f"{way}{name}.")


@pytest.mark.parametrize("key", list(every_key()))
def test_no_key_has_a_default(key, tmp_path):
    document = YAML().load(DEFAULT)
    holder, last = at(document, key)
    del holder[last]
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(document, file)
    problems = problems_of((tmp_path / "params.yaml").read_text(), tmp_path)
    assert len(problems) == 1
    assert f"{key}: is missing; add it" in problems[0]


@pytest.mark.parametrize(
    ("key", "wrong", "hint"),
    [
        ("train.epochs", "epoch", "did you mean epochs?"),
        ("train.learning_rate", "learning-rate", "did you mean learning_rate?"),
        (f"{S}.words", "word", "did you mean words?"),
        (f"{S}.images.val", "vla", "did you mean val?"),
        ("render.scale", "Scale", "did you mean scale?"),
        ("runtime", "run_time", "did you mean runtime?"),
        ("render.scale", "zzz", f"allowed: {', '.join(Render.model_fields)}"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_right_one(key, wrong, hint, tmp_path):
    *way, _ = key.split(".")
    unknown = ".".join([*way, wrong])
    document = YAML().load(DEFAULT)
    holder, _ = at(document, key)
    holder.insert(0, wrong, 1)
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(document, file)
    text = (tmp_path / "params.yaml").read_text()
    assert problems_of(text, tmp_path) == [f"line {line_of(unknown, text)}: {unknown}: unknown key; {hint}"]


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


def test_a_long_value_is_not_shown_at_length(tmp_path):
    (problem,) = problems_of(changed(("model.name", "a" * 100_000)), tmp_path)
    assert len(problem) < 200


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
    path.write_text(
        changed(("train.learning_rate", "0.5")).replace("learning_rate: 0.5", "learning_rate: 5e-1", 1)
    )
    assert load_params(path, "train")[0].learning_rate == 0.5


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


@settings(max_examples=50)
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
            ("generate", [ROOT / "data/fonts", "data/dataset"], "data/dataset"),
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

    def test_a_word_that_the_font_cannot_draw(self, tmp_path):
        text = changed((f"{S}.words", "[chat, ねずみ]"), ("train.epochs", "0"))
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        done = self.run(tmp_path, "generate", ROOT / "data/fonts", "data/dataset")
        assert done.returncode == 2
        assert "error: params.yaml: 2 problems" in done.stderr
        assert f"line {line_of(f'{S}.words.1', text)}: {S}.words[1]: 'ねずみ' cannot be drawn" in done.stderr
        assert "U+306D" in done.stderr
        assert not (tmp_path / "data").exists()

    def test_a_file_that_is_not_there(self, tmp_path):
        done = self.run(tmp_path, "generate", ROOT / "data/fonts", "data/dataset")
        assert done.returncode == 2
        assert done.stderr == "error: params.yaml: no such file; run from the project's folder\n"


EMPTY = ["loss.class_weights", "loss.mistakes", "dataset.labelled.classes"]


@pytest.mark.parametrize("key", EMPTY)
def test_dvc_can_empty_and_fill_what_is_empty(key, tmp_path):
    """A comment behind an empty list or mapping makes `dvc exp run -S` join the lines that follow it."""
    path = tmp_path / "params.yaml"
    path.write_text(DEFAULT, encoding="utf-8")
    holder, last = at(YAML(typ="safe").load(DEFAULT), key)
    empty = holder[last]
    for value in (empty, {"a": 1.0} if empty == {} else ["a"], empty):
        with modify_yaml(path) as document:
            holder, last = at(document, key)
            holder[last] = value
        expected = YAML(typ="safe").load(DEFAULT)
        holder, last = at(expected, key)
        holder[last] = value
        assert YAML(typ="safe").load(path.read_text(encoding="utf-8")) == expected


def test_no_other_value_is_empty():
    def empty(section, way=()):
        for name, value in section.items():
            if value in ([], {}):
                yield ".".join((*way, name))
            elif isinstance(value, dict):
                yield from empty(value, (*way, name))

    assert set(empty(YAML(typ="safe").load(DEFAULT))) == set(EMPTY)
