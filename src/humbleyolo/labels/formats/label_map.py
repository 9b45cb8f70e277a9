"""TensorFlow's `label_map.pbtxt`: names of class numbers beside labels in XML or CSV.

item { id: 1 name: 'cat' }
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.labels.labelled_image import UncheckedImage
from humbleyolo.labels.source_reader import SourceReader

_ITEM = re.compile(r"\bitem\s*(?::\s*)?\{([^{}]*)")
_ID = re.compile(r"\bid\s*:\s*(\d+)")
_NAME = re.compile(r"""\b(display_name|name)\s*:\s*(?:"([^"\n]*)"|'([^'\n]*)')""")


def read_label_maps(reader: SourceReader) -> dict[str, str]:
    """Return the names of all such files by number; none if there are none, or two files differ.

    Of `name` and `display_name` the latter is a word where the former is an id, as in Open Images (`/m/01`).
    """
    result: dict[str, str] = {}
    for file in reader.source.ending(".pbtxt"):
        with suppress(BadInput):  # other tools' files may be anything
            found = dict(_items(reader.text(file)))
            if any(result.get(key, name) != name for key, name in found.items()):
                return {}
            result |= found
    return result


def _items(text: str) -> list[tuple[str, str]]:
    items = []
    for item in _ITEM.findall(re.sub(r"(?m)(?:^|(?<=\s))#.*", "", text)):
        number = _ID.search(item)
        names = {key: double or single for key, double, single in _NAME.findall(item)}
        name = names.get("name", "")
        name = names.get("display_name", name) if not name or name.startswith("/") else name
        if number and name:
            items.append((str(int(number[1])), name))
    return items


def name_numbers(reader: SourceReader, images: Sequence[UncheckedImage]) -> None:
    """Give boxes whose classes are numbers the names of the label map. A note says so, or which classes it lacks."""
    names = {} if reader.options.classes else read_label_maps(reader)
    labels = {box.label for image in images for box in image.boxes}
    if not names or not labels or labels <= {*names.values()}:
        return
    file = reader.source.ending(".pbtxt")[0]
    if labels <= names.keys():
        for image in images:
            image.boxes = [replace(box, label=names[box.label]) for box in image.boxes]
        shown = ", ".join(f"{number} as {names[number]}" for number in sorted(labels, key=int))
        reader.ledger.note(
            file, BadInput("label-map", shorten(shown), "it names the numbers of the labels"), "read so"
        )
        return
    missing = shorten(", ".join(sorted(labels - {*names.values()})))
    why = f"the labels have these classes, and it has {shorten(', '.join(names.values()))}"
    reader.ledger.note(file, BadInput("label-map", f"without {missing}", why), "not read")
