"""`humbleyolo export --to FORMAT`: write the model in another format, and compare the two.

Examples:
  humbleyolo export --to onnx
  humbleyolo export --to litert --precision int8 --output exports/small.tflite
"""

import argparse
from pathlib import Path
from typing import get_args

from humbleyolo.commands.number_options import check_options
from humbleyolo.export.export_formats import SUFFIX, Precision
from humbleyolo.pipeline.project_folders import MODEL
from humbleyolo.process.terminal import tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--to", required=True, choices=list(SUFFIX), help="the format to write")
    add("--model", type=Path, default=Path(MODEL), metavar="M", help="model's folder; default: %(default)s")
    add("--output", type=Path, metavar="O", help="file or folder to write; default: exports/model with its ending")
    add(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="D",
        help="folder with grid/test and dataset/test, to compare on; default: %(default)s",
    )
    add(
        "--precision",
        default="float32",
        choices=get_args(Precision),
        help="litert: float16 halves the file, int8 quarters it and is faster; default: %(default)s",
    )
    add("--threshold", type=float, metavar="T", help="lowest score to keep in the file; default: as `predict` has it")
    add("--nms-iou", type=float, metavar="I", help="IoU of the suppression inside; default: as evaluated, else 0.5")
    add("--max-detections", type=int, metavar="N", help="most boxes on an image; default: as evaluated, else 100")
    add("--threads", type=int, default=2, metavar="N", help="threads that compute; default: %(default)s")


def run(parsed: argparse.Namespace) -> int:
    """Write, compare, print how far the two are apart, and return the exit code 0.

    Raises:
        UserError: If something is missing, or the export does not answer as the model does.
    """
    check_options(parsed)
    output = parsed.output
    if output is None:
        precision = "" if parsed.precision == "float32" else f"-{parsed.precision}"
        output = Path("exports") / (f"model{precision}{SUFFIX[parsed.to]}" if SUFFIX[parsed.to] else "savedmodel")
    from humbleyolo.export.exporter import Settings, export
    from humbleyolo.storage.atomic import target_of

    output = target_of(output)  # a link stays
    settings = Settings(
        parsed.to, parsed.precision, parsed.threshold, parsed.nms_iou, parsed.threads, parsed.max_detections
    )
    parity = export(parsed.model, output, parsed.data, settings)
    tell(f"{output}, card {output}.md; {parity}")
    return 0
