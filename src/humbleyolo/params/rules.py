"""Rules between the values of `params.yaml`, each of which is right by itself."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

from humbleyolo.params.error_texts import shown
from humbleyolo.params.keys import Key

PATCH = 4  # pixels; the smallest stride of model `compact`, of which a cell's sides are multiples
LITE_STRIDE = 16  # pixels; a cell's sides are multiples of it for model `lite`
YOLOV1_STRIDE = 64  # pixels; an image's sides are multiples of it for model `yolov1`
HUMBLE_LEAST = 14  # pixels of a side that model `humble` can halve twice, without padding

_Rule = Callable[..., str | None]
_RULES: list[tuple[tuple[str, ...], _Rule]] = []


def _rule(*keys: str) -> Callable[[_Rule], _Rule]:
    """Register a rule between the values at `keys`; the text that it returns, if any, is about the first."""

    def register(rule: _Rule) -> _Rule:
        _RULES.append((keys, rule))
        return rule

    return register


def broken_rules(values: dict[Any, Any], wrong: set[Key]) -> Iterator[tuple[Key, str]]:
    """Yield the key and a text per broken rule, of those whose values are all there and right by themselves."""
    for dotted, rule in _RULES:
        keys: list[Key] = [tuple(name.split(".")) for name in dotted]
        if any(bad[: len(key)] == key or key[: len(bad)] == bad for key in keys for bad in wrong):
            continue
        if text := rule(*(reduce(lambda section, part: section[part], key, values) for key in keys)):
            others = f" ({', '.join(dotted[1:])})" if dotted[1:] else ""
            yield keys[0], text + others


_DRAWN = "dataset.synthetic"
_LABELLED = "dataset.labelled"
_TRIED = 4096  # as numbers of equal parts, for the words of an error


@_rule("evaluate.mirrored", "encode.boxes")
def _keeps_its_order(mirrored: str, boxes: int) -> str | None:
    if mirrored != "none" and boxes > 1:
        return f"{mirrored!r} is not allowed with {boxes} boxes per cell; allowed: none, or encode.boxes: 1"
    return None


@_rule(f"{_DRAWN}.words")
@_rule(f"{_DRAWN}.fonts")
@_rule(f"{_LABELLED}.classes")
@_rule("encode.finer")
def _differ(values: list[Any]) -> str | None:
    same = Counter(unicodedata.normalize("NFC", value) if isinstance(value, str) else value for value in values)
    repeated = sorted(value for value, count in same.items() if count > 1)
    if repeated:
        return f"{', '.join(map(shown, repeated))} more than once; allowed: values that differ"
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


@_rule("train.micro_batches", "train.batch")
def _equal_parts(parts: int, batch: int) -> str | None:
    if batch % parts == 0:
        return None
    fits = [count for count in range(1, min(batch, _TRIED) + 1) if batch % count == 0]
    below, above = max((one for one in fits if one < parts), default=1), [one for one in fits if one > parts][:1]
    allowed = " or ".join(str(one) for one in (below, *above))
    return f"{parts} does not divide a batch of {batch:,} images into equal parts; nearest: {allowed}"


@_rule(f"{_LABELLED}.split.fractions.train", *(f"{_LABELLED}.split.fractions.{name}" for name in ("val", "test")))
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
        return f"values: {len(frequencies)}, words: {len(words)}; allowed: one for each word"
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
    stride = LITE_STRIDE if model == "lite" else stride
    if model not in ("compact", "lite") or pixels < cells or not pixels % (stride * cells):
        return None
    fits = [str(count) for count in range(1, pixels + 1) if not pixels % (stride * count)]
    return (
        f"{cells} does not divide {pixels} pixels into cells of a multiple of {stride} pixels, which model "
        f"{model} needs; allowed: {', '.join(fits) or f'any, for a multiple of {stride} pixels'}"
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
        return "iou needs class probabilities that add up to 1, which humble's do not; allowed: yolov1, article"
    return None


@_rule("loss.name", "model.name", "model.edges", "encode.boxes")
def _cells_beside_the_centre_can_answer(loss: str, model: str, edges: bool, boxes: int) -> str | None:
    if loss != "aligned":
        return None
    if model != "lite" and not (model == "compact" and edges):
        return f"aligned needs model lite, or compact with edges: true; {model} cannot reach beyond its cell"
    return f"aligned takes one box per cell; allowed: encode.boxes 1, not {boxes}" if boxes > 1 else None


@_rule("loss.lambda_distribution", "loss.name", "model.name")
def _has_choices_to_teach(weight: float, loss: str, model: str) -> str | None:
    if weight and (loss not in ("iou", "aligned") or model not in ("compact", "lite")):
        return f"{weight:g} is of the losses iou and aligned with the models compact and lite; allowed: 0"
    return None


@_rule("train.start", "model.name")
def _weights_are_there(start: str, model: str) -> str | None:
    if start == "pretrained" and model != "lite":
        return f"pretrained weights are there for model lite alone, not {model}; allowed: scratch, own"
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
    return f"{warmup} leaves nothing of train.epochs {epochs}; allowed: fewer" if warmup >= epochs else None
