"""The typed sections of `params.yaml`: one file, one loader, no defaults.

Every value is checked for type and range, and the sections against each other, before any work. All mistakes
are reported at once, each with its line.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
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


class Section(BaseModel):
    """A part of `params.yaml`: frozen, strict, without defaults, unknown keys refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Runtime(Section):
    """What TensorFlow may use. Results depend on it, so the machine does not decide it."""

    intra_op_threads: Annotated[int, Field(ge=1, le=256)]
    inter_op_threads: Annotated[int, Field(ge=1, le=256)]


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

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_objects > self.max_objects:
            raise ValueError(f"min_objects {self.min_objects} is more than max_objects {self.max_objects}")
        return self


class Synthetic(Section):
    """Words drawn with Pillow."""

    images: SplitImages
    height: Pixels
    width: Pixels
    words: Annotated[list[Name], Field(min_length=1)]
    frequencies: list[Weight]
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if repeated := sorted({word for word in self.words if self.words.count(word) > 1}):
            problems.append(f"words holds {', '.join(map(repr, repeated))} more than once; each is one class")
        if blank := [word for word in self.words if not word.strip() or not word.isprintable()]:
            problems.append(f"words holds {', '.join(map(repr, blank))}, which leaves no ink")
        if len(self.frequencies) != len(self.words):
            problems.append(f"frequencies has {len(self.frequencies)} values for {len(self.words)} words")
        if not any(self.frequencies):
            problems.append("frequencies are all 0; at least one word must be drawn")
        if self.font_px[0] > self.font_px[1]:
            problems.append(f"font_px {self.font_px} must be [smallest, largest]")
        for key, length in (("rows", self.height), ("cols", self.width)):
            if self.placement == "cells" and getattr(self.cells, key) > length:
                problems.append(
                    f"cells.{key} {getattr(self.cells, key)} is more than the image's {length} pixels"
                )
        if self.background != "plain" and len({colour.lower() for colour in self.ground}) < len(self.ground):
            problems.append("ground holds a colour more than once")
        if self.background != "plain" and len(self.ground) < 2:
            problems.append(f"background {self.background} needs two colours or more in ground")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Dataset(Section):
    """Where the images come from."""

    source: Literal["synthetic"]
    inputs: Name
    synthetic: Synthetic


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

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [
            f"{cells} {getattr(self, cells)} is more than {pixels} {getattr(self, pixels)}"
            for cells, pixels in (("rows", "height"), ("cols", "width"))
            if getattr(self, cells) > getattr(self, pixels)
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Model(Section):
    """Which network."""

    name: Literal["humble", "compact"]
    width: Annotated[float, Field(gt=0, le=16)]
    depth: Annotated[float, Field(gt=0, le=16)]


class Loss(Section):
    """Which loss, and the weight of each of its terms."""

    name: Literal["yolov1", "iou"]
    lambda_coord: Weight
    lambda_obj: Weight
    lambda_noobj: Weight
    lambda_class: Weight


class Train(Section):
    """The step loop."""

    epochs: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    final_learning_rate: Annotated[float, Field(ge=0, le=10)]
    warmup_epochs: Annotated[float, Field(ge=0)]
    weight_decay: Weight
    clip_norm: Weight
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    patience: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.final_learning_rate > self.learning_rate:
            problems.append(
                f"final_learning_rate {self.final_learning_rate} is more than "
                f"learning_rate {self.learning_rate}"
            )
        if self.warmup_epochs >= self.epochs:
            problems.append(f"warmup_epochs {self.warmup_epochs} leaves nothing of epochs {self.epochs}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Evaluate(Section):
    """From the network's output to detections."""

    min_score: Fraction
    nms_iou: Fraction
    max_detections: Annotated[int, Field(ge=1, le=10_000)]


class Render(Section):
    """The pictures."""

    images: Annotated[int, Field(ge=1, le=1000)]
    columns: Annotated[int, Field(ge=1, le=100)]
    scale: Annotated[int, Field(ge=1, le=16)]
    min_score: Fraction


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
    wrong: set[str | int] = set()
    try:
        Params.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems.append(_describe(detail, lines))
            wrong.add(detail["loc"][0])
    parsed = {
        name: _parse(field.annotation, values[name])
        for name, field in Params.model_fields.items()
        if name not in wrong
    }
    for key, text in _cross_section_problems(parsed):
        problems.append((lines.get(key, _END), f"{_dotted(key)}: {text}"))
    if check is not None and "dataset" in parsed:
        problems += [
            (lines.get(key, _END), f"{_dotted(key)}: {text}") for key, text in check(parsed["dataset"])
        ]
    if problems:
        raise ProblemsError(
            str(path),
            [f"line {line}: {text}" if line != _END else text for line, text in sorted(problems)],
        )
    return tuple(parsed[name] for name in sections)


def _parse(kind: Any, value: Any) -> Any:
    """Return a checked value as its section; `seed` is its own value."""
    return kind.model_validate(value) if issubclass(kind, Section) else value


_END = 10**9  # sorts what has no line of its own behind what has one
_Problem = tuple[int, str]


def _cross_section_problems(parsed: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Rules between sections; each is checked where both its sections are right by themselves."""
    dataset, encode, train = parsed.get("dataset"), parsed.get("encode"), parsed.get("train")
    model = parsed.get("model")
    if dataset and train and train.batch > dataset.synthetic.images.train:
        yield (
            ("train", "batch"),
            f"{train.batch} is more than the {dataset.synthetic.images.train} images of "
            "dataset.synthetic.images.train; allowed: at most as many",
        )
    if model and encode and model.name == "compact":
        for cells, pixels in (("rows", "height"), ("cols", "width")):
            length = getattr(encode, pixels)
            if length % (PATCH * getattr(encode, cells)):
                fits = [str(n) for n in range(1, length + 1) if not length % (PATCH * n)]
                allowed = f"{cells} of {', '.join(fits)}" if fits else f"a {pixels} that {PATCH} divides"
                yield (
                    ("encode", cells),
                    f"{getattr(encode, cells)} does not divide {pixels} {length} into cells of a multiple of "
                    f"{PATCH} pixels, which model compact needs; allowed: {allowed}",
                )


PATCH = 4  # pixels; the sides of a cell of model `compact` are multiples of it


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
    _note_lines(node, (), lines, problems)
    return values, lines, problems


def _note_lines(node: Node | None, key: Key, lines: dict[Key, int], problems: list[_Problem]) -> None:
    """Walk the YAML tree: fill in `lines`, and note each key that occurs twice in one mapping."""
    if isinstance(node, MappingNode):
        for name, child in node.value:
            way = (*key, name.value)
            line = name.start_mark.line + 1
            if way in lines:
                problems.append(
                    (line, f"{_dotted(way)}: is given twice, first in line {lines[way]}; keep one")
                )
            else:
                lines[way] = line
            _note_lines(child, way, lines, problems)
    elif isinstance(node, SequenceNode):
        for position, child in enumerate(node.value):
            lines[(*key, position)] = child.start_mark.line + 1
            _note_lines(child, (*key, position), lines, problems)


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
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "too_short": "{min_length} or more values",
    "too_long": "{max_length} values at most",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a colour such as '#ffffff'",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
}


def _describe(detail: Any, lines: dict[Key, int]) -> _Problem:
    """Turn one of pydantic's errors into (line, text)."""
    key: Key = detail["loc"]
    line = lines.get(key) or lines.get(key[:-1], _END)
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return line, _unknown(key, _fields_of(key[:-1]))
    if kind == "missing":
        return line, f"{_dotted(key)}: is missing; add it"
    if kind == "value_error":
        return line, f"{_dotted(key)}: {context['error']}"
    allowed = _ALLOWED.get(kind)
    text = allowed.format(**context) if allowed else re.sub(r"^Input should be ", "", detail["msg"])
    return line, f"{_dotted(key)}: {value!r} is not allowed; allowed: {text}"


def _fields_of(key: Key) -> list[str]:
    """Return the known keys of the section at `key`."""
    section: Any = Params
    for part in key:
        section = section.model_fields[part].annotation
    return list(section.model_fields)
