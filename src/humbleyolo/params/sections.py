"""The typed sections of `params.yaml`, without defaults: what is not in the file does not exist."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from humbleyolo.params.class_names import ClassName
from humbleyolo.params.value_types import (
    ArticleMistake,
    BoxesPerCell,
    CellCount,
    CellsAnObject,
    Colour,
    Count,
    Exif,
    Fraction,
    InputPath,
    LabelFormat,
    LeastScore,
    MaxDetections,
    Mirrored,
    Name,
    NearDuplicates,
    OnProblem,
    Pattern,
    Pixels,
    Strength,
    Weight,
    Word,
)


class Section(BaseModel):
    """A part of `params.yaml`: frozen, strict, without defaults, unknown keys refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Runtime(Section):
    """Resources of TensorFlow. Results depend on them, so the machine does not decide them."""

    intra_op_threads: Annotated[int, Field(ge=1, le=256)]
    inter_op_threads: Annotated[int, Field(ge=1, le=256)]
    precision: Literal["float32", "bfloat16"]


class SplitImages(Section):
    """Number of images to draw per split."""

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
    """Part of all images per split."""

    train: Annotated[float, Field(gt=0, lt=1)]
    val: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]


class Split(Section):
    """Division of labelled images into train, val and test."""

    by: Literal["lists", "hash", "group"]
    fractions: Fractions
    group: Pattern
    stratify: bool
    near_duplicates: NearDuplicates


class Labelled(Section):
    """Images that people labelled: facts that only they know, and the treatment of mistakes."""

    format: Literal["auto", LabelFormat]
    classes: list[ClassName]
    one_based: bool
    exif: Exif
    on_problem: OnProblem
    split: Split


class Dataset(Section):
    """Source of the images."""

    source: Literal["synthetic", "labelled"]
    inputs: InputPath
    archive_images: Annotated[int, Field(ge=1, le=10**9)]
    synthetic: Synthetic
    labelled: Labelled


class Encode(Section):
    """Input of the network, and the grid that boxes are encoded to."""

    height: Pixels
    width: Pixels
    fill: Annotated[int, Field(ge=0, le=255)]
    jpeg_quality: Annotated[int, Field(ge=0, le=100)]
    rows: CellCount
    cols: CellCount
    boxes: BoxesPerCell
    finer: list[Annotated[int, Field(ge=2, le=64)]]
    min_ceiling: Fraction


class Humble(Section):
    """Changes to the article's network."""

    scale_pixels: bool
    batch_norm: bool
    head: Literal["dense", "convolutional"]


class Model(Section):
    """The network and its size."""

    name: Literal["humble", "compact", "lite", "yolov1"]
    width: Annotated[float, Field(gt=0, le=16)]
    depth: Annotated[float, Field(gt=0, le=16)]
    stride: Literal[4, 8, 16, 32]
    squeeze_excitation: bool
    edges: bool
    humble: Humble


class Aligned(Section):
    """Assignment of several cells to an object, by loss `aligned`."""

    cells: Annotated[int, Field(ge=1, le=1000)]
    alpha: Annotated[float, Field(ge=0, le=10)]
    beta: Annotated[float, Field(ge=0, le=10)]
    gamma: Annotated[float, Field(ge=0, le=10)]


class Loss(Section):
    """The loss, and the weights of its terms and classes."""

    name: Literal["article", "yolov1", "iou", "aligned"]
    lambda_coord: Weight
    lambda_obj: Weight
    lambda_noobj: Weight
    lambda_class: Weight
    lambda_distribution: Weight
    class_weights: dict[Name, Weight]
    mistakes: list[ArticleMistake]
    aligned: Aligned

    @property
    def cells(self) -> CellsAnObject:
        """Number of cells that may answer for an object."""
        return "several" if self.name == "aligned" else "one"


class Augment(Section):
    """Random changes of training images; 0 is none."""

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
    cutout: Fraction
    min_visible: Fraction


class Validation(Section):
    """The boxes that count when val is scored after an epoch."""

    min_score: Fraction
    nms_iou: Fraction
    vote_iou: Fraction
    max_detections: MaxDetections


class Backbone(Section):
    """Training of a backbone that has learned before."""

    frozen_blocks: Annotated[int, Field(ge=0, le=12)]
    frozen_part: Fraction
    rate: Fraction
    weight_decay: Weight


class Train(Section):
    """The training loop."""

    start: Literal["scratch", "pretrained", "own"]
    backbone: Backbone
    include_val: bool
    epochs: Count
    batch: Count
    micro_batches: Count
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


class Evaluate(Section):
    """Selection of detections from the network's output, and their metrics."""

    min_score: Fraction
    nms_iou: Fraction
    vote_iou: Fraction
    max_detections: MaxDetections
    mirrored: Mirrored
    whole_pixels: bool
    match_iou: Annotated[float, Field(gt=0, le=1)]
    background_iou: Annotated[float, Field(gt=0, le=1)]
    voc_iou: Annotated[float, Field(gt=0, le=1)]
    bins: Annotated[int, Field(ge=1, le=1000)]
    resamples: Annotated[int, Field(ge=0, le=100_000)]
    bootstrap_seed: Annotated[int, Field(ge=0, lt=2**63)]


class Render(Section):
    """Images and report."""

    images: Annotated[int, Field(ge=1, le=1000)]
    columns: Annotated[int, Field(ge=1, le=100)]
    scale: Annotated[int, Field(ge=1, le=16)]
    min_score: LeastScore
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
