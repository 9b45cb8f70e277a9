"""Names and paths of images, as label files write them."""

import posixpath
import re
import unicodedata
from urllib.parse import parse_qs, unquote, urlsplit

from humbleyolo.inputs.file_names import splits_in

_SERVED = "/data/local-files/"  # of Label Studio: the path is in the query
_ANY_FOLDER = re.compile(  # a folder that says nothing about the images in it
    "all|data|datasets?|frames?|images?|imgs?|input|jpegimages|jpg|media|obj|obj_data|obj_train_data|photos?|"
    "pictures?|pics|png|raw|uploads?",
    re.I,
)


def path_in(address: str) -> str:
    """Return the path in an image's address, with `/`: in a URL, or as Label Studio serves files."""
    text = address.replace("\\", "/")
    if "://" not in text and "/data/upload/" not in text and _SERVED not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    inside = parse_qs(parts.query).get("d") if parts.path.endswith(_SERVED) else None
    return inside[0].replace("\\", "/") if inside else unquote(parts.path)


def cut_folder(path: str, *, anywhere: bool) -> str:
    """Return a path without its first folder; empty if there is none, or one that may say which image is meant."""
    folder, _, rest = path.partition("/")
    return rest if anywhere or _ANY_FOLDER.fullmatch(folder) or splits_in(folder) else ""


def ends_in(path: str, end: str) -> bool:
    """Tell if a path is another, or ends in it after a `/`."""
    return path == end or path.endswith(f"/{end}")


def in_other_split(image: str, path: str) -> bool:
    """Tell if the folders before the common end of two paths say two splits."""
    ours, theirs = image.split("/")[::-1], path.split("/")[::-1]
    common = next((n for n, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
    said = [splits_in("/".join(reversed(parts[common:]))) for parts in (ours, theirs)] if common else []
    return len(set(said)) > 1 and all(said)


def is_absolute(path: str) -> bool:
    """Tell if a path begins at the top of a disk, of Windows too."""
    return path.startswith("/") or path[1:2] == ":"


def fold_name(name: str) -> str:
    """Return a name as disks see it that tell neither case nor Unicode forms apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def fold_stem(name: str) -> str:
    """Return a name without its extension, folded; see `fold_name`."""
    return fold_name(posixpath.splitext(name)[0])


def without_parents(path: str) -> str:
    """Return a path without the `../` before it, however many."""
    return re.sub(r"\A(?:\.\./)+", "", path)


def without_hash(path: str) -> str:
    """Return a path whose name may begin with the hash that Label Studio puts before it: `1a2b3c4d-a.jpg`."""
    folder, slash, name = path.replace("\\", "/").rpartition("/")
    return folder + slash + re.sub(r"^[0-9a-f]{8}-(?=.)", "", name)
