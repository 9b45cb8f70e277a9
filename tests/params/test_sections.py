import pytest
from dvc.utils.serialize import modify_yaml
from params_text import DEFAULT, SECTIONS, at, changed, every_section, line_of, places, problems_of
from repository import ROOT
from ruamel.yaml import YAML

from humbleyolo.labels.formats.registry import FORMATS
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Render


def test_the_committed_file_is_right():
    loaded = load_params(ROOT / "params.yaml", *SECTIONS)
    document = YAML(typ="safe").load(DEFAULT)
    assert [
        value if name == "seed" else value.model_dump() for name, value in zip(SECTIONS, loaded, strict=True)
    ] == [document[name] for name in SECTIONS]


def test_a_section_is_frozen():
    (train,) = load_params(ROOT / "params.yaml", "train")
    with pytest.raises(ValueError, match="frozen"):
        train.epochs = 3


S = "dataset.synthetic"
L = "dataset.labelled"

IN_PATHS = (
    "a path of letters, digits, single spaces and _ . / : , + @ = - alone, no word with - in front, since a "
    "command line holds it; rename the folder or archive"
)

NEED_QUOTES = [
    "", "a;b", "a  b", " a", "a ", "-x", "a -x", "a --help", "a -- b", "a (1).zip", "a[1]", "a'b", "$(a)", "a&b",
    "~/a", "a#b",
]  # fmt: skip

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
    *(("dataset.inputs", repr(value), repr(value), IN_PATHS) for value in NEED_QUOTES),
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
    ("train.micro_batches", "0", "0", "1 or more"),
    ("train.learning_rate", "0", "0", "more than 0"),
    ("train.learning_rate", "11", "11", "10 or less"),
    ("train.ema_decay", "1", "1", "less than 1"),
    ("train.validation.min_score", "-0.5", "-0.5", "0 or more"),
    ("train.validation.nms_iou", "1.5", "1.5", "1 or less"),
    ("train.validation.vote_iou", "1.5", "1.5", "1 or less"),
    ("train.validation.max_detections", "0", "0", "1 or more"),
    ("runtime.intra_op_threads", "0", "0", "1 or more"),
    ("dataset.archive_images", "0", "0", "1 or more"),
    ("dataset.archive_images", "1.5", "1.5", "a whole number"),
    ("encode.rows", "0", "0", "1 or more"),
    ("encode.boxes", "-3", "-3", "1 or more"),
    ("encode.cols", "513", "513", "512 or less"),
    ("encode.boxes", "65", "65", "64 or less"),
    ("encode.height", "8193", "8193", "8192 or less"),
    ("encode.fill", "256", "256", "255 or less"),
    ("encode.jpeg_quality", "101", "101", "100 or less"),
    ("encode.finer.1", "1", "1", "2 or more"),
    ("encode.min_ceiling", "1.01", "1.01", "1 or less"),
    ("loss.lambda_coord", "-0.1", "-0.1", "0 or more"),
    ("model.width", "0", "0", "more than 0"),
    ("evaluate.nms_iou", "1.5", "1.5", "1 or less"),
    ("evaluate.vote_iou", "-0.1", "-0.1", "0 or more"),
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
    *(
        ("render.min_score", value, found, "0 to 1, or threshold: the one that evaluate found")
        for value, found in (
            ("best", "'best'"),
            ("'0.5'", "'0.5'"),
            ("-0.1", "-0.1"),
            ("1.5", "1.5"),
            (".nan", "nan"),
            ("true", "true"),
            ("[0.5]", "[0.5]"),
            ("", "an empty value"),
        )
    ),
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
    ("model.name", "light", "'light'", "'humble', 'compact', 'lite' or 'yolov1'"),
    ("model.edges", "1", "1", "true or false"),
    ("loss.name", "align", "'align'", "'article', 'yolov1', 'iou' or 'aligned'"),
    ("loss.aligned.cells", "0", "0", "1 or more"),
    ("loss.aligned.alpha", "-1", "-1", "0 or more"),
    ("loss.aligned.beta", "11", "11", "10 or less"),
    ("loss.aligned.gamma", ".nan", "nan", "a finite number"),
    ("train.start", "imagenet", "'imagenet'", "'scratch', 'pretrained' or 'own'"),
    ("train.augment.cutout", "1.1", "1.1", "1 or less"),
    ("train.backbone.frozen_blocks", "13", "13", "12 or less"),
    ("train.backbone.frozen_blocks", "0.5", "0.5", "a whole number"),
    ("train.backbone.frozen_part", "1.5", "1.5", "1 or less"),
    ("train.backbone.rate", "-0.1", "-0.1", "0 or more"),
    ("train.backbone.weight_decay", "-0.1", "-0.1", "0 or more"),
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
    (f"{L}.on_problem", "warn", "'warn'", "'error', 'skip', 'skip_box' or 'clip'"),
    (f"{L}.split.by", "random", "'random'", "'lists', 'hash' or 'group'"),
    (f"{L}.split.fractions", "[0.7, 0.15, 0.15]", "[0.7, 0.15, 0.15]", "a section with keys"),
    (f"{L}.split.fractions.val", "0", "0", "more than 0"),
    (f"{L}.split.fractions.train", "1", "1", "less than 1"),
    (f"{L}.split.stratify", "yes", "'yes'", "true or false"),
    (f"{L}.split.near_duplicates", "skip", "'skip'", "'together', 'error' or 'ignore'"),
    (
        f"{L}.split.group",
        "'scene('",
        "'scene('",
        "a regular expression, or '' (missing ), unterminated subpattern at position 5)",
    ),
]


Wrong = tuple[str, str, str, str | None]


def files_of(rows: list[Wrong]) -> list[list[Wrong]]:
    """Spread rows over few files, none with two values for one key, or for a section and a key in it."""
    files: list[list[Wrong]] = []
    for row in rows:
        fitting = (file for file in files if not any(overlap(row[0], other[0]) for other in file))
        if (file := next(fitting, None)) is None:
            files.append([row])
        else:
            file.append(row)
    return files


def overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


@pytest.mark.parametrize("rows", files_of(WRONG_VALUES))
def test_wrong_values_are_told_with_their_lines_keys_values_and_what_is_allowed(rows, tmp_path):
    problems = problems_of(changed(*((key, value) for key, value, _, _ in rows)), tmp_path)
    rows = sorted(rows, key=lambda row: (line_of(row[0]), problem_of(row)))
    for problem, row in zip(problems, rows, strict=True):
        start = problem_of(row)
        assert problem.startswith(start)
        assert problem[len(start) :] == row[3] or row[3] is None


def problem_of(row: Wrong) -> str:
    key, _, shown, _ = row
    name = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in key.split("."))[1:]
    return f"line {line_of(key)}: {name}: {shown} is not allowed; allowed: "


@pytest.mark.parametrize(
    ("value", "read"), [("threshold", "threshold"), ("0.5", 0.5), ("0", 0.0), ("1", 1.0), ("5e-1", 0.5)]
)
def test_the_least_score_that_is_drawn_is_a_number_or_the_threshold(value, read, tmp_path):
    (tmp_path / "params.yaml").write_text(changed(("render.min_score", value)))
    (render,) = load_params(tmp_path / "params.yaml", "render")
    assert (render.min_score, type(render.min_score)) == (read, type(read))


@pytest.mark.parametrize("name", ["''", "' cat'", '"a\\nb"', "7"])
def test_what_cannot_be_a_class_name(name, tmp_path):
    (problem,) = problems_of(changed((f"{L}.classes", f"[cat, {name}]")), tmp_path)
    assert f"{L}.classes[1]: " in problem
    assert " is not allowed; allowed: " in problem


def test_the_formats_are_those_that_are_read(tmp_path):
    (problem,) = problems_of(changed((f"{L}.format", "xml")), tmp_path)
    for name in ("auto", *FORMATS):
        assert f"'{name}'" in problem


@pytest.mark.parametrize(("key", "section"), list(every_section()))
def test_no_key_has_a_default(key, section, tmp_path):
    problems = problems_of(changed((key, "{}")), tmp_path)
    adds = f"is missing; `humbleyolo params --update {tmp_path / 'params.yaml'}` adds it"
    assert problems == sorted(f"line {line_of(key)}: {key}.{name}: {adds}" for name in section.model_fields)


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
    before = places()[key][0].start_mark
    apart = ", " if "{" in DEFAULT.split("\n")[before.line] else "\n" + " " * before.column
    text = f"{DEFAULT[: before.index]}{wrong}: 1{apart}{DEFAULT[before.index :]}"
    assert problems_of(text, tmp_path) == [f"line {line_of(unknown, text)}: {unknown}: unknown key; {hint}"]


def test_a_long_value_is_not_shown_at_length(tmp_path):
    (problem,) = problems_of(changed(("model.name", "a" * 100_000)), tmp_path)
    assert len(problem) < 200


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


def test_the_name_of_a_download_is_an_input(tmp_path):
    for name in ("My Project.v1i.yolov8.zip", "data/labelled/caf\u00e9 2024, set+1", "a-b c-"):
        (tmp_path / "params.yaml").write_text(changed(("dataset.inputs", repr(name))))
        (dataset,) = load_params(tmp_path / "params.yaml", "dataset")
        assert dataset.inputs == name
