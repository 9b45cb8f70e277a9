"""Names of files in zip archives, in the encodings that programs write."""

import unicodedata
import zipfile
from contextlib import suppress

_UTF8 = 0x800  # flag of a zip entry
_MOSTLY = 0.8  # of the characters that are not ASCII


def names_of(entries: list[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, str]]:
    """Return entries and their names, with `/` also where programs of Windows write a backslash."""
    marked = [bool(entry.flag_bits & _UTF8) or entry.filename.isascii() for entry in entries]
    raw = [entry.orig_filename.encode("cp437") for entry, known in zip(entries, marked, strict=True) if not known]
    encoding = _encoding_of(b"\n".join(raw))
    others = (name.decode(encoding) for name in raw)
    names = [entry.filename if known else next(others) for entry, known in zip(entries, marked, strict=True)]
    return [(entry, name.replace("\\", "/")) for entry, name in zip(entries, names, strict=True)]


def _encoding_of(raw: bytes) -> str:
    """Return the encoding of names without the mark of UTF-8, which `zipfile` takes for code page 437.

    It is GBK if most of what is not ASCII would be common Chinese characters (GB 2312), else UTF-8 if that fits. What
    fits both is GBK if as UTF-8 its letters would be of several scripts. Up to U+024F all letters are Latin.
    """
    decoded: dict[str, list[str]] = {}
    for encoding in ("gbk", "utf-8"):
        with suppress(UnicodeDecodeError):
            decoded[encoding] = [character for character in raw.decode(encoding) if not character.isascii()]
    chinese, other = decoded.get("gbk", []), decoded.get("utf-8")
    common = len("".join(chinese).encode("gb2312", "ignore")) / 2
    letters = [one for one in other or () if unicodedata.category(one)[0] == "L"]
    scripts = {"LATIN" if one < "\u0250" else unicodedata.name(one, "").partition(" ")[0] for one in letters}
    if chinese and common >= _MOSTLY * len(chinese) and (other is None or len(scripts) > 1):
        return "gbk"
    return "cp437" if other is None else "utf-8"
