"""Images, label files, archives and splits, told by their names."""

import posixpath
import re
from collections.abc import Iterable
from functools import cache

IMAGE_FORMATS = {
    ".avif": "AVIF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".j2k": "JPEG2000",
    ".jfif": "JPEG",
    ".jp2": "JPEG2000",
    ".jpe": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".mpo": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}

LISTS = ("", ".txt", ".lst", ".list")
"""Endings of files that list images."""

TABLES = (".ods", ".parquet", ".psv", ".tab", ".tsv", ".xls", ".xlsx")
"""Endings of tables that are not read."""

_OTHER_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tbz2", ".tgz", ".txz", ".xz", ".zst")
_LABEL_ENDINGS = (".csv", ".data", ".json", ".jsonl", ".names", ".txt", ".xml", ".yaml", ".yml")
_ABOUT = re.compile(r"((read.?me|licen[cs]e|copying|changelog|citation)\b.*|notes)\.txt", re.I)  # no labels
_OF_ALL = re.compile(r"(classes|train|valid|val|test)\.txt|data(set)?\.ya?ml", re.I)  # text about more than an image
_SILENT = (  # endings of files that hold no labels: documents, code, films, pictures of cameras
    ".arw",
    ".avi",
    ".bat",
    ".bib",
    ".cfg",
    ".cr2",
    ".css",
    ".db",
    ".dng",
    ".doc",
    ".docx",
    ".htm",
    ".html",
    ".ico",
    ".ini",
    ".ipynb",
    ".js",
    ".lock",
    ".log",
    ".m4v",
    ".md",
    ".mkv",
    ".mov",
    ".mp4",
    ".nef",
    ".pbtxt",
    ".pdf",
    ".ppt",
    ".pptx",
    ".psd",
    ".py",
    ".rst",
    ".rtf",
    ".sh",
    ".svg",
    ".toml",
    ".webm",
    ".xcf",
    ".zip",
)
_WORDS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}
_SPLITS = {word: split for split, words in _WORDS.items() for word in words}
WORD_ENDS = re.compile(r"[ ._-]+")  # between the words of a name
_SAYS_NOTHING = re.compile(  # words beside a split's
    "aug(mented)?|cropped|data(set)?|resized|samples?|sets?|small|splits?|subset"
    "|annotations?|coco|files?|ids|labels?|lists?|names|voc|xml|yolo|zip"
    "|frames?|images?|imgs?|jpe?g|photos|pictures|png"
)
_SPLIT_WORD = re.compile(rf"(?:^|[/_.-])({'|'.join(sorted(_SPLITS, key=len, reverse=True))})\d*(?=[/_.-]|$)", re.I)


def suffix(name: str) -> str:
    """Return a name's extension in lower case, with its dot."""
    return posixpath.splitext(name)[1].lower()


def stem_of(name: str) -> str:
    """Return a name without folders and extension."""
    return posixpath.splitext(posixpath.basename(name))[0]


def is_archive(name: str) -> bool:
    """Tell a zip archive by its name."""
    return suffix(name) == ".zip"


def is_other_archive(name: str) -> bool:
    """Tell by its name an archive that is no zip archive: its files are not read."""
    return suffix(name) in _OTHER_ARCHIVES


def is_correction(name: str) -> bool:
    """Tell a sub-folder or archive of corrected labels by its name."""
    return name.lower().startswith("corrections")


def is_image(name: str) -> bool:
    """Tell an image by its name."""
    return suffix(name) in IMAGE_FORMATS


def is_label(name: str) -> bool:
    """Tell by its name if a file may hold labels, or facts about them."""
    return suffix(name) in _LABEL_ENDINGS


def is_labelled(name: str) -> bool:
    """Tell by its name if a file may be an image or speak of one."""
    return is_image(name) or (is_label(name) and not _ABOUT.fullmatch(posixpath.basename(name)))


def is_text(name: str) -> bool:
    """Tell by its name if a file is a label file, or text about the images."""
    return suffix(name) in (*_LABEL_ENDINGS, ".md")


def is_of_other_tool(name: str) -> bool:
    """Tell by its name if a file may hold labels in a form that nothing here reads, as `train.tfrecord`."""
    ending = suffix(name)
    known = is_image(name) or is_label(name) or ending in TABLES or ending in _SILENT
    return bool(ending) and not known and not posixpath.basename(name).startswith(".")


def is_about_all(name: str) -> bool:
    """Tell by its name if a file beside sub-folders is an image, or a label file that may speak of theirs."""
    about_one = suffix(name) in (".txt", ".yaml", ".yml") and not _OF_ALL.fullmatch(posixpath.basename(name))
    return is_labelled(name) and not about_one


def about_all_of(names: Iterable[str]) -> str:
    """Return the first file that makes all folders one set: one beside them, or in a folder of labels alone."""
    alone: dict[str, str] = {}  # folder: its first label file
    with_images = set()
    for name in filter(is_labelled, names):
        folder, slash, _ = name.partition("/")
        if not slash and is_about_all(name):
            return name
        if slash and is_image(name):
            with_images.add(folder)
        elif slash:
            alone.setdefault(folder, name)
    return next((name for folder, name in alone.items() if folder not in with_images), "")


def splits_in(path: str) -> tuple[str, ...]:
    """Return the split in a label file's name, else in its folders, as a tuple; `valid/1.txt` is val."""
    words = _SPLIT_WORD.findall(posixpath.basename(path))
    return (_SPLITS[words[-1].lower()],) if words else splits_of_folder(path)


def split_of_word(word: str) -> str:
    """Return the split that a word means, as `valid` means val; empty if it means none."""
    return _SPLITS.get(word.strip().lower(), "")


def split_of_list(name: str) -> str:
    """Return the split that a list's name says; empty if it says none. `test.lst` is of test, `trainval` of train."""
    stem, ending = posixpath.splitext(posixpath.basename(name).lower())
    return _SPLITS.get(stem.removesuffix("val") if stem == "trainval" else stem, "") if ending in LISTS else ""


def splits_of_folder(path: str) -> tuple[str, ...]:
    """Return the split in a path's folders. The file's own name does not count: `test.jpg` is any image."""
    folder = folder_of_split(path)
    return (_split_of_folder(folder),) if folder else ()


def folder_of_split(path: str) -> str:
    """Return the name of the innermost folder of a path that says a split; empty if none does."""
    return next(filter(_split_of_folder, reversed(path.split("/")[:-1])), "")


@cache
def _split_of_folder(name: str) -> str:
    """Return the split that a folder's name says: `images_train`, `val2017`, `VOC2007_test` and `Training set` do."""
    splits = {*map(_split_of, WORD_ENDS.split(name.lower()))} - {""}
    return splits.pop() if len(splits) == 1 else ""


@cache
def words_behind(folder: str) -> tuple[str, ...]:
    """Return the words of its own behind the split's in a folder's name: `station` of `train_station`."""
    words = WORD_ENDS.split(folder.lower())
    last = max((place for place, word in enumerate(words) if _split_of(word)), default=len(words))
    return tuple(word for word in telling_words(words[last + 1 :]) if not any(map(str.isdecimal, word)))  # v2 is none


def says_more(folder: str) -> bool:
    """Tell if the name of a split's folder has a word of its own: `freight_train` may be a thing."""
    return any(not _split_of(word) for word in telling_words(WORD_ENDS.split(folder.lower())))


def _split_of(word: str) -> str:
    return _SPLITS.get(word.rstrip("0123456789"), "")


def telling_words(words: Iterable[str]) -> list[str]:
    """Return those of some words that may be a thing's: not `images` or `list`."""
    return [word for word in words if word and not _SAYS_NOTHING.fullmatch(word)]
