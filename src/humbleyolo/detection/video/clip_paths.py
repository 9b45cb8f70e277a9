"""The clips, cameras and addresses that a command line names, told from the pictures beside them."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from humbleyolo.detection.video.open_video import VideoName, shown_name
from humbleyolo.detection.video.web_address import is_address
from humbleyolo.labels.file_names import is_image

CLIP_ENDINGS = (".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mts", ".ts", ".webm")


@dataclass(frozen=True)
class NamedClip:
    """A clip, a camera or an address.

    Attributes:
        opened: Its name, as `Detector.stream` takes it.
        shown: Its name for people and results.
        name: Its path below the folder that was named, or its file name, with `/`; where a drawing of it lies.
    """

    opened: VideoName
    shown: str
    name: str


def is_clip(name: str | os.PathLike[str]) -> bool:
    """Tell a clip by its name."""
    return Path(name).suffix.lower() in CLIP_ENDINGS


def split_paths(paths: Sequence[str]) -> tuple[list[NamedClip], list[str]]:
    """Return the clips under some paths, each once, and the paths that may hold pictures.

    A number is the index of a camera, unless a file has that name.
    """
    clips: dict[str, NamedClip] = {}
    others = []
    for path in paths:
        found, more = _look(path)
        for clip in found:
            clips.setdefault(clip.shown, clip)
        others += [path] * more
    return list(clips.values()), others


def _look(path: str) -> tuple[list[NamedClip], bool]:
    """Return the clips of a path, and if it may hold pictures too."""
    if is_address(path):
        return [_named(path, "stream")], False
    if path.isascii() and path.isdigit() and not os.path.lexists(path):
        return [_named(int(path), f"camera{path}")], False
    if Path(path).is_dir():
        files = sorted(one for one in Path(path).rglob("*") if one.is_file())
        found = [_named(str(one), one.relative_to(path).as_posix()) for one in files if is_clip(one)]
        return found, not found or any(is_image(one.name) for one in files)
    if not os.path.lexists(path) and glob.has_magic(path):
        files = sorted(map(Path, glob.glob(path, recursive=True)))  # noqa: PTH207 - any path, absolute ones too
        found = [_named(str(one), one.name) for one in files if is_clip(one)]
        return found, not found or any(is_image(one.name) for one in files)
    return ([_named(path, Path(path).name)], False) if is_clip(path) else ([], True)


def _named(opened: VideoName, name: str) -> NamedClip:
    return NamedClip(opened, shown_name(opened), name)
