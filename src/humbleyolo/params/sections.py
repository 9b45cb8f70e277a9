"""The typed sections of `params.yaml`: one file, one loader, no defaults.

Every value is checked for type and range, and the sections against each other, before any work. All mistakes
are reported at once, each with its line.
"""

import difflib
import re
import reprlib
import unicodedata
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from humbleyolo.errors import ProblemsError, UserError

Key = tuple[str | int, ...]  # the way from the top of the file to a value: ("train", "epochs")

Count = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1, le=8192)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, Field(min_length=1)]


def _leaves_ink(word: str) -> str:
    if not word.strip() or not word.isprintable():
        raise ValueError("a text of printable characters, not only spaces")
    return word


Word = Annotated[str, AfterValidator(_leaves_ink)]


def _needs_no_quotes(path: str) -> str:
    if not re.fullmatch(r"[\w./:-]+", path):
        raise ValueError("a path of letters, digits and _ . / : - alone, since a command line holds it")
    return path


InputPath = Annotated[str, AfterValidator(_needs_no_quotes)]


def _is_class_name(name: str) -> str:
    if not name or not name.isprintable() or name != name.strip():
        raise ValueError("a printable text without spaces around it")
    return name


ClassName = Annotated[str, AfterValidator(_is_class_name)]


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression, or '' ({error})") from None
    return text


Pattern = Annotated[str, AfterValidator(_is_pattern)]


class Section(BaseModel):
    """A part of `params.yaml`: frozen, strict, without defaults, unknown keys refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Runtime(Section):
    """What TensorFlow may use. Results depend on it, so the machine does not decide it."""

    intra_op_threads: Annotated[int, Field(ge=1, le=256)]
    inter_op_threads: Annotated[int, Field(ge=1, le=256)]
    precision: Literal["float32", "bfloat16"]


class SplitImages(Section):
    """Images to draw for each split."""

    train: Count
    val: Count
    test: Count


class Cells(Section):
    """One word or nothing in each cell of a grid, the word's centre anywhere in the cell."""

    rows: Annotated[int, Field(ge=1, le=64)]
    cols: Annotated[int, Field(ge=1, le=64)]
    nothing: Weight


class Free(Section):
    """Words anywhere in the image."""

    min_objects: Annotated[int, Field(ge=0, le=1000)]
    max_objects: Annotated[int, Field(ge=1, le=1000)]
    max_overlap: Fraction


class Synthetic(Section):
    """Words drawn with Pillow."""

    images: SplitImages
    height: Pixels
    width: Pixels
    words: Annotated[list[Word], Field(min_length=1)]
    frequencies: Annotated[list[Weight], Field(min_length=1)]
    placement: Literal["cells", "free"]
    cells: Cells
    free: Free
    may_leave_image: bool
    min_visible: Annotated[float, Field(gt=0, le=1)]
    fonts: Annotated[list[Name], Field(min_length=1)]
    font_px: Annotated[list[Annotated[int, Field(ge=4, le=1024)]], Field(min_length=2, max_length=2)]
    rotation_deg: Annotated[float, Field(ge=0, le=180)]
    ink: Annotated[list[Colour], Field(min_length=1)]
    ground: Annotated[list[Colour], Field(min_length=1)]
    background: Literal["plain", "gradient", "noise"]
    noise: Fraction
    blur_px: Annotated[float, Field(ge=0, le=64)]


class Fractions(Section):
    """The part of all images that each split gets."""

    train: Annotated[float, Field(gt=0, lt=1)]
    val: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]


class Split(Section):
    """How labelled images are divided into train, val and test."""

    by: Literal["lists", "hash", "group"]
    fractions: Fractions
    group: Pattern
    stratify: bool


class Labelled(Section):
    """Images that people labelled: what only they know, and what shall be done about mistakes."""

    format: Literal[
        "auto", "voc", "yolo", "coco", "cvat", "bbox_label_tool", "labelme", "open_images", "csv", "article"
    ]
    classes: list[ClassName]
    one_based: bool
    exif: Literal["error", "displayed", "stored"]
    on_problem: Literal["error", "skip", "clip"]
    split: Split


class Dataset(Section):
    """Where the images come from."""

    source: Literal["synthetic", "labelled"]
    inputs: InputPath
    synthetic: Synthetic
    labelled: Labelled


class Encode(Section):
    """What the network sees, and the grid that boxes are encoded to."""

    height: Pixels
    width: Pixels
    fill: Annotated[int, Field(ge=0, le=255)]
    rows: Annotated[int, Field(ge=1, le=512)]
    cols: Annotated[int, Field(ge=1, le=512)]
    boxes: Annotated[int, Field(ge=1, le=64)]
    finer: list[Annotated[int, Field(ge=2, le=64)]]
    min_ceiling: Fraction


class Humble(Section):
    """What may be changed about the article's network."""

    scale_pixels: bool
    batch_norm: bool
    head: Literal["dense", "convolutional"]


class Model(Section):
    """Which network."""

    name: Literal["humble", "compact", "yolov1"]
    width: Annotated[float, Field(gt=0, le=16)]
    depth: Annotated[float, Field(gt=0, le=16)]
    stride: Literal[4, 8, 16, 32]
    squeeze_excitation: bool
    humble: Humble


class Loss(Section):
    """Which loss, and the weight of each of its terms."""

    name: Literal["article", "yolov1", "iou"]
    lambda_coord: Weight
    lambda_obj: Weight
    lambda_noobj: Weight
    lambda_class: Weight
    class_weights: dict[Name, Weight]
    mistakes: list[
        Literal[
            "size_from_prediction",
            "empty_untaught",
            "square_for_abs",
            "mixed_units",
            "iou_gradient",
            "none_responsible",
        ]
    ]


Strength = Annotated[float, Field(ge=0, lt=1)]


class Augment(Section):
    """How strongly training images are changed; 0 is not at all."""

    flip: Fraction
    flip_vertical: Fraction
    scale: Strength
    translate: Strength
    crop: Strength
    brightness: Strength
    contrast: Strength
    saturation: Strength
    hue: Annotated[float, Field(ge=0, le=0.5)]
    mosaic: Fraction
    min_visible: Fraction


class Validation(Section):
    """The boxes that count when val is scored after an epoch."""

    min_score: Fraction
    nms_iou: Fraction
    max_detections: Annotated[int, Field(ge=1, le=10_000)]


class Train(Section):
    """The step loop."""

    include_val: bool
    epochs: Count
    batch: Count
    schedule: Literal["cosine", "inverse_time"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    final_learning_rate: Annotated[float, Field(ge=0, le=10)]
    inverse_time_decay: Weight
    warmup_epochs: Annotated[float, Field(ge=0)]
    weight_decay: Weight
    clip_norm: Weight
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    patience: Annotated[int, Field(ge=0)]
    validation: Validation
    augment: Augment


Mirrored = Literal["none", "horizontal", "both"]


class Evaluate(Section):
    """From the network's output to detections, and how these are measured."""

    min_score: Fraction
    nms_iou: Fraction
    max_detections: Annotated[int, Field(ge=1, le=10_000)]
    mirrored: Mirrored
    whole_pixels: bool
    match_iou: Annotated[float, Field(gt=0, le=1)]
    background_iou: Annotated[float, Field(gt=0, le=1)]
    voc_iou: Annotated[float, Field(gt=0, le=1)]
    bins: Annotated[int, Field(ge=1, le=1000)]
    resamples: Annotated[int, Field(ge=0, le=100_000)]
    bootstrap_seed: Annotated[int, Field(ge=0, lt=2**63)]


class Render(Section):
    """The pictures and the report."""

    images: Annotated[int, Field(ge=1, le=1000)]
    columns: Annotated[int, Field(ge=1, le=100)]
    scale: Annotated[int, Field(ge=1, le=16)]
    min_score: Fraction
    cells: Annotated[int, Field(ge=1, le=1000)]
    mistakes: Annotated[int, Field(ge=1, le=1000)]
    report_images: Annotated[int, Field(ge=0, le=100_000)]
    report_px: Annotated[int, Field(ge=16, le=2048)]
    report_mb: Annotated[float, Field(ge=1, le=1000)]


class Params(Section):
    """The whole of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    runtime: Runtime
    dataset: Dataset
    encode: Encode
    model: Model
    loss: Loss
    train: Train
    evaluate: Evaluate
    render: Render


def load_params(
    path: Path, *sections: str, check: Callable[[Any], list[tuple[Key, str]]] | None = None
) -> tuple[Any, ...]:
    """Read `params.yaml`, check the whole of it, and return the sections asked for, in that order.

    A stage asks for the sections that it declares in `dvc.yaml`. All the others are checked too, so that no
    stage starts work on a file whose mistake would stop a later stage.

    Args:
        path: The file.
        sections: Names of fields of `Params`.
        check: What this file cannot know: takes the `dataset` section, returns the key, from the top, and a
            text for each mistake (a word that the font cannot draw). Not called where `dataset` has mistakes
            of its own.

    Returns:
        One frozen object (for `seed` an int) for each name in `sections`.

    Raises:
        ProblemsError: With every mistake found: the line, the key, the value, what is allowed.
        UserError: Where the file cannot be read.
    """
    values, lines, problems = _read_yaml(path)
    wrong: set[Key] = set()
    params = None
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems.append(_describe(detail, lines))
            wrong.add(detail["loc"])
    more = list(_broken_rules(values, wrong))
    if check is not None and not any(key[0] == "dataset" for key in [*wrong, *(key for key, _ in more)]):
        more += check(Dataset.model_validate(values["dataset"]))
    problems += [(_line_of(key, lines), f"{_dotted(key)}: {text}") for key, text in more]
    if problems or params is None:
        raise ProblemsError(
            str(path),
            [f"line {line}: {text}" if line != _END else text for line, text in sorted(problems)],
        )
    return tuple(getattr(params, name) for name in sections)


_END = 10**9  # sorts what has no line of its own behind what has one
_Problem = tuple[int, str]


PATCH = 4  # pixels; the smallest stride of model `compact`, of which a cell's sides are multiples
YOLOV1_STRIDE = 64  # pixels; an image's sides are multiples of it for model `yolov1`
HUMBLE_LEAST = 14  # pixels of a side that model `humble` can halve twice, without padding

_Rule = Callable[..., str | None]
_RULES: list[tuple[tuple[str, ...], _Rule]] = []


def _rule(*keys: str) -> Callable[[_Rule], _Rule]:
    """Register what must hold between the values at `keys`; the text it returns, if any, is about the first."""

    def register(rule: _Rule) -> _Rule:
        _RULES.append((keys, rule))
        return rule

    return register


def _broken_rules(values: dict[Any, Any], wrong: set[Key]) -> Iterator[tuple[Key, str]]:
    """Apply each rule whose values are all there and right by themselves."""
    for dotted, rule in _RULES:
        keys: list[Key] = [tuple(name.split(".")) for name in dotted]
        if any(bad[: len(key)] == key or key[: len(bad)] == bad for key in keys for bad in wrong):
            continue
        if text := rule(*(reduce(lambda section, part: section[part], key, values) for key in keys)):
            others = f" ({', '.join(dotted[1:])})" if dotted[1:] else ""
            yield keys[0], text + others


_DRAWN = "dataset.synthetic"
_LABELLED = "dataset.labelled"


@_rule("evaluate.mirrored", "encode.boxes")
def _keeps_its_order(mirrored: str, boxes: int) -> str | None:
    if mirrored != "none" and boxes > 1:
        return f"{mirrored!r} is not allowed with {boxes} boxes a cell; allowed: none, or encode.boxes: 1"
    return None


@_rule(f"{_DRAWN}.words")
@_rule(f"{_DRAWN}.fonts")
@_rule(f"{_LABELLED}.classes")
@_rule("encode.finer")
def _differ(values: list[Any]) -> str | None:
    same = [unicodedata.normalize("NFC", value) if isinstance(value, str) else value for value in values]
    repeated = sorted({value for value in same if same.count(value) > 1})
    if repeated:
        return f"{', '.join(map(_shown, repeated))} more than once; allowed: values that differ"
    return None


@_rule(f"{_DRAWN}.free.min_objects", f"{_DRAWN}.free.max_objects")
@_rule("encode.rows", "encode.height")
@_rule("encode.cols", "encode.width")
@_rule("train.final_learning_rate", "train.learning_rate")
@_rule("evaluate.background_iou", "evaluate.match_iou")
def _at_most(value: float, limit: float) -> str | None:
    return f"{value} is not allowed; allowed: at most {limit}" if value > limit else None


@_rule("train.batch", f"{_DRAWN}.images.train", "dataset.source")
def _batch_can_be_filled(batch: int, images: int, source: str) -> str | None:
    return _at_most(batch, images) if source == "synthetic" else None  # `train` counts those of other sources


@_rule(
    f"{_LABELLED}.split.fractions.train", *(f"{_LABELLED}.split.fractions.{name}" for name in ("val", "test"))
)
def _make_a_whole(train: float, val: float, test: float) -> str | None:
    total = train + val + test
    if abs(total - 1) > 1e-6:
        return f"{train:g} + {val:g} + {test:g} is {total:g}; allowed: fractions that add up to 1"
    return None


@_rule(f"{_DRAWN}.cells.rows", f"{_DRAWN}.height", f"{_DRAWN}.placement")
@_rule(f"{_DRAWN}.cells.cols", f"{_DRAWN}.width", f"{_DRAWN}.placement")
def _cells_hold_a_pixel(cells: int, pixels: int, placement: str) -> str | None:
    return _at_most(cells, pixels) if placement == "cells" else None


@_rule(f"{_DRAWN}.frequencies", f"{_DRAWN}.words")
def _one_for_each_word(frequencies: list[float], words: list[str]) -> str | None:
    if len(frequencies) != len(words):
        return f"{len(frequencies)} values for {len(words)} words; allowed: one for each word"
    return None if any(frequencies) else f"{frequencies} draws no word; allowed: one or more above 0"


@_rule(f"{_DRAWN}.font_px")
def _ascending(smallest_and_largest: list[int]) -> str | None:
    smallest, largest = smallest_and_largest
    return f"[{smallest}, {largest}] is not [smallest, largest]" if smallest > largest else None


@_rule(f"{_DRAWN}.ground", f"{_DRAWN}.background")
def _enough_colours(ground: list[str], background: str) -> str | None:
    different = {colour.lower() for colour in ground}
    if background != "plain" and len(different) < max(2, len(ground)):
        return f"{ground} for background {background}; allowed: two or more different colours"
    return None


@_rule("encode.rows", "encode.height", "model.name", "model.stride")
@_rule("encode.cols", "encode.width", "model.name", "model.stride")
def _cells_fit_the_stride(cells: int, pixels: int, model: str, stride: int) -> str | None:
    if model != "compact" or pixels < cells or not pixels % (stride * cells):
        return None
    fits = [str(count) for count in range(1, pixels + 1) if not pixels % (stride * count)]
    return (
        f"{cells} does not divide {pixels} pixels into cells of a multiple of {stride} pixels, which model "
        f"compact needs; allowed: {', '.join(fits) or f'any, for a multiple of {stride} pixels'}"
    )


@_rule("encode.height", "model.name")
@_rule("encode.width", "model.name")
def _image_fits_the_network(pixels: int, model: str) -> str | None:
    if model == "yolov1" and pixels % YOLOV1_STRIDE:
        return f"{pixels} does not suit model yolov1; allowed: multiples of {YOLOV1_STRIDE}"
    if model == "humble" and pixels < HUMBLE_LEAST:
        return f"{pixels} leaves nothing behind the layers of model humble; allowed: {HUMBLE_LEAST} or more"
    return None


@_rule("loss.name", "model.name")
def _output_is_probabilities(loss: str, model: str) -> str | None:
    if loss == "iou" and model == "yolov1":
        return "iou takes logarithms of probabilities, which yolov1's linear output is not; allowed: yolov1, article"
    if loss == "iou" and model == "humble":
        return (
            "iou needs class probabilities that add up to 1, which humble's do not; allowed: yolov1, article"
        )
    return None


@_rule("train.patience", "train.include_val")
def _val_can_tell(patience: int, include_val: bool) -> str | None:
    return f"{patience} asks val, which is trained on; allowed: 0" if patience and include_val else None


@_rule("loss.mistakes", "loss.name")
def _mistakes_of_the_article(mistakes: list[str], loss: str) -> str | None:
    if len(set(mistakes)) < len(mistakes):
        return f"{mistakes} has one twice; allowed: each once"
    if mistakes and loss != "article":
        return f"{mistakes} are the article's; allowed: [] with loss {loss}"
    return None


@_rule("train.warmup_epochs", "train.epochs")
def _warmup_ends(warmup: float, epochs: int) -> str | None:
    return f"{warmup} leaves nothing of {epochs} epochs; allowed: fewer" if warmup >= epochs else None


def _read_yaml(path: Path) -> tuple[dict[Any, Any], dict[Key, int], list[_Problem]]:
    """Return the file's values, the line of each key, and its repeated keys as problems."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the project's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        node = yaml.compose(text)
        values = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ProblemsError(str(path), [f"{where}not YAML: {error.problem or error.context}"]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ProblemsError(str(path), [f"not YAML: {error}"]) from None
    if values is None:
        raise ProblemsError(str(path), [f"is empty; it needs the sections {', '.join(Params.model_fields)}"])
    if not isinstance(values, dict):
        raise ProblemsError(str(path), [f"is a {type(values).__name__}, not a mapping of sections to values"])
    lines: dict[Key, int] = {}
    problems: list[_Problem] = []
    _note_lines(node, lines, problems)
    return values, lines, problems


def _note_lines(root: Node | None, lines: dict[Key, int], problems: list[_Problem]) -> None:
    """Walk the YAML tree: fill in `lines`, and note each key that occurs twice in one mapping.

    What aliases repeat is looked at once, where it is written, so that no file makes the walk long or endless.
    """
    waiting: list[tuple[Node | None, Key]] = [(root, ())]
    seen: set[int] = set()
    while waiting:
        node, key = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            for name, child in node.value:
                way = (*key, str(name.value))
                line = name.start_mark.line + 1
                if way in lines:
                    problems.append(
                        (line, f"{_dotted(way)}: is given twice, first in line {lines[way]}; keep one")
                    )
                else:
                    lines[way] = line
                waiting.append((child, way))
        elif isinstance(node, SequenceNode):
            for position, child in enumerate(node.value):
                lines[(*key, position)] = child.start_mark.line + 1
                waiting.append((child, (*key, position)))


def _dotted(key: Key) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def _unknown(key: Key, known: list[str]) -> str:
    near = difflib.get_close_matches(str(key[-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}"
    return f"{_dotted(key)}: unknown key; {hint}"


_ALLOWED: dict[str, str] = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys with values",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "too_short": "{min_length} or more",
    "too_long": "{max_length} at most",
    "string_too_short": "a text that is not empty",
    "value_error": "{error}",
    "invalid_key": "a text as a key",
    "string_pattern_mismatch": "a colour such as '#ffffff'",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
}


def _describe(detail: Any, lines: dict[Key, int]) -> _Problem:
    """Turn one of pydantic's errors into (line, text)."""
    key: Key = detail["loc"]
    line = _line_of(key, lines)
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return line, _unknown(key, _fields_of(key[:-1]))
    if kind == "missing":
        return line, f"{_dotted(key)}: is missing; add it"
    context = {
        name: int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        for name, bound in context.items()
    }
    allowed = _ALLOWED.get(kind)
    text = allowed.format(**context) if allowed else re.sub(r"^Input should be ", "", detail["msg"])
    found = f"{context['actual_length']} values" if kind in ("too_short", "too_long") else _shown(value)
    return line, f"{_dotted(key)}: {found} is not allowed; allowed: {text}"


def _line_of(key: Key, lines: dict[Key, int]) -> int:
    """Return the line of a key, or of what it is missing from."""
    return next((lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in lines), _END)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 2


def _shown(value: Any) -> str:
    """Return a value as YAML writes it, not at length."""
    names = {True: "true", False: "false", None: "an empty value"}
    return names[value] if value is None or isinstance(value, bool) else _SHORT.repr(value)


def _fields_of(key: Key) -> list[str]:
    """Return the known keys of the section at `key`."""
    section: Any = Params
    for part in key:
        section = section.model_fields[part].annotation
    return list(section.model_fields)
