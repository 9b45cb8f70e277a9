"""The formats that `predict` writes, by name; `writers.py` says what each is."""

FRAME_FORMATS = ("json", "jsonl", "csv")
"""Formats of single files, for frames of videos too."""

PARTS = "jsonl-parts"
"""The format of very many images: a folder that a run goes on with (`line_files.py`)."""

FOLDERS = ("yolo", "voc", "cvat")
"""Formats of labels that are a new folder."""

LABELS = ("coco", *FOLDERS)
"""Formats of labels: an image without a box is background there."""

FORMATS = (*FRAME_FORMATS, PARTS, *LABELS)
