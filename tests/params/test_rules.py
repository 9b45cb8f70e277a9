import pytest
from params_text import changed, line_of, problems_of

from humbleyolo.params.loader import load_params

S = "dataset.synthetic"
L = "dataset.labelled"

# Values that are right by themselves and wrong together.
WRONG_TOGETHER = [
    (
        [("train.batch", "9"), (f"{S}.images.train", "8")],
        "train.batch: 9 is not allowed; allowed: at most 8 (dataset.synthetic.images.train, dataset.source)",
    ),
    ([("train.warmup_epochs", "3"), ("train.epochs", "3")], "warmup_epochs: 3 leaves nothing of train.epochs 3"),
    (
        [("evaluate.mirrored", "both"), ("encode.boxes", "2")],
        "evaluate.mirrored: 'both' is not allowed with 2 boxes per cell; allowed: none, or encode.boxes: 1",
    ),
    (
        [("loss.lambda_distribution", "1.0"), ("loss.name", "yolov1")],
        "loss.lambda_distribution: 1 is of the losses iou and aligned with the models compact and lite; allowed: 0",
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
        f"{S}.frequencies: values: 2, words: 3; allowed: one for each word",
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
    ([(f"{L}.classes", "[cat, dog, cat]")], f"{L}.classes: 'cat' more than once; allowed: values that differ"),
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
    ([("model.name", "yolov1"), ("loss.name", "iou")], "loss.name: iou takes logarithms of probabilities"),
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
        [("encode.rows", "4"), ("encode.height", "96"), ("model.name", "lite")],
        "encode.rows: 4 does not divide 96 pixels into cells of a multiple of 16 pixels, which model lite needs; "
        "allowed: 1, 2, 3, 6 (encode.height, model.name, model.stride)",
    ),
    ([("encode.width", "100"), ("model.name", "lite")], "allowed: any, for a multiple of 16 pixels"),
    (
        [("loss.name", "aligned"), ("encode.boxes", "1")],
        "loss.name: aligned needs model lite, or compact with edges: true; compact cannot reach beyond its cell",
    ),
    (
        [("loss.name", "aligned"), ("model.name", "lite"), ("encode.boxes", "2")],
        "loss.name: aligned takes one box per cell; allowed: encode.boxes 1, not 2",
    ),
    (
        [("loss.name", "aligned"), ("model.edges", "true"), ("encode.boxes", "3")],
        "loss.name: aligned takes one box per cell; allowed: encode.boxes 1, not 3",
    ),
    (
        [("train.start", "pretrained")],
        "train.start: pretrained weights are there for model lite alone, not compact; allowed: scratch, own "
        "(model.name)",
    ),
    (
        [("train.batch", "8"), ("train.micro_batches", "3")],
        "train.micro_batches: 3 does not divide a batch of 8 images into equal parts; nearest: 2 or 4 (train.batch)",
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


@pytest.mark.parametrize(
    "network",
    [[("model.name", "lite"), ("train.start", "pretrained")], [("model.edges", "true"), ("train.start", "own")]],
)
@pytest.mark.parametrize("loss", ["aligned", "iou"])
def test_networks_that_reach_beyond_a_cell_take_either_loss(network, loss, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(changed(("loss.name", loss), ("encode.boxes", "1"), *network))
    assert load_params(path, "loss")[0].name == loss


def test_any_grid_is_right_for_the_model_of_the_article(tmp_path):
    path = tmp_path / "params.yaml"
    network = (("model.name", "humble"), ("loss.name", "article"))
    path.write_text(changed(("encode.rows", "3"), ("encode.cols", "5"), *network))
    assert load_params(path, "encode")[0].rows == 3
