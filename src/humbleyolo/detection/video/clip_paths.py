"""The clips, cameras and addresses that a command line names, told from the pictures beside them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from humbleyolo.detection.image_paths import FoundClip, is_pattern
from humbleyolo.detection.output_formats import FRAME_FORMATS
from humbleyolo.detection.video.byte_stream import HEAD_BYTES, container_of, open_clip
from humbleyolo.detection.video.decoder import import_opencv
from humbleyolo.detection.video.open_video import VideoName, shown_name
from humbleyolo.detection.video.web_address import is_address
from humbleyolo.errors import UserError

CLIP_ENDINGS = (".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mts", ".ts", ".webm")
_OF_PROGRAMS_TOO = (".mts", ".ts")  # TypeScript


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


def is_clip(path: str | os.PathLike[str]) -> bool:
    """Tell a clip in a folder by its name; where programs have that name too, by how it begins."""
    ending = Path(path).suffix.lower()
    if ending not in _OF_PROGRAMS_TOO:
        return ending in CLIP_ENDINGS
    try:
        with open_clip(Path(path)) as file:
            return container_of(file.read(HEAD_BYTES)) is not None
    except (OSError, UserError):
        return False


def split_paths(paths: Sequence[str]) -> tuple[list[NamedClip], list[str]]:
    """Return the clips, cameras and addresses that paths name themselves, each once, and the other paths.

    A number is the index of a camera, unless a file has that name.
    """
    clips: dict[str, NamedClip] = {}
    others = []
    for path in paths:
        if is_address(path):
            clip = _named(path, "stream")
        elif path.isascii() and path.isdigit() and not os.path.lexists(path):
            clip = _named(int(path), f"camera{path}")
        elif Path(path).suffix.lower() in CLIP_ENDINGS and not (Path(path).is_dir() or is_pattern(path)):
            clip = _named(path, Path(path).name)
        else:
            others.append(path)
            continue
        clips.setdefault(clip.shown, clip)
    return list(clips.values()), others


@dataclass(frozen=True)
class ChosenClips:
    """The clips to look at.

    Attributes:
        clips: They, each once.
        to: Format of the results.
        left_out: (path, reason) of clips among pictures that are not looked at.
    """

    clips: list[NamedClip]
    to: str
    left_out: list[tuple[str, str]]


def choose_clips(named: Sequence[NamedClip], found: Sequence[FoundClip], to: str | None) -> ChosenClips:
    """Choose among the clips that paths name themselves, and those that were found in folders and by patterns.

    Clips among pictures choose no format, and are left out where they cannot be read or written.

    Args:
        named: See `split_paths`.
        found: See `NamedImages`.
        to: Format of the results; None: lines if there are clips that were asked for, else JSON.
    """
    clips = {clip.shown: clip for clip in named}
    for one in found:
        if not one.beside_pictures:
            clips.setdefault(one.path, NamedClip(one.path, one.path, one.name))
    to = to or ("jsonl" if clips else "json")
    others = [one for one in found if one.path not in clips]
    if others and (reason := _why_not_read(to)):
        return ChosenClips(list(clips.values()), to, [(one.path, reason) for one in others])
    for one in others:
        clips.setdefault(one.path, NamedClip(one.path, one.path, one.name))
    return ChosenClips(list(clips.values()), to, [])


def _why_not_read(to: str) -> str | None:
    if to not in FRAME_FORMATS:
        return f"a clip, and --format {to} is of pictures"
    try:
        import_opencv("a clip")
    except UserError as error:
        return str(error)
    return None


def _named(opened: VideoName, name: str) -> NamedClip:
    return NamedClip(opened, shown_name(opened), name)
