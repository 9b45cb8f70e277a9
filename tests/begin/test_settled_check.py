"""The check that `init` begins with: one look at each image, one judgement, and what repeated checks would find."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from folders import Files, Maker, picture, under, voc
from PIL import Image

from humbleyolo.begin.settled_check import settled_check
from humbleyolo.check import folder_check
from humbleyolo.check.folder_check import check, report_lines
from humbleyolo.labels import validate
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.recipe.left_out import policy_of
from humbleyolo.recipe.rotated_images import settle_side
from humbleyolo.splits.split_in_force import NOT_JUDGED

EXIF = Image.Exif()
EXIF[0x0112] = 6


def plain(first: int = 0) -> Files:
    files: Files = {"broken.png": b"\x89PNG\r\n", "broken.xml": voc("broken.png", "cat 1 2 3 4")}
    for number in range(first, first + 4):
        files |= {f"{number}.png": picture(number), f"{number}.xml": voc(f"{number}.png", "cat 5 5 20 15")}
    return files


def rotated(first: int = 0) -> Files:
    return plain(first) | {f"{first}.png": picture(first, exif=EXIF)}


def over_the_border(first: int = 0) -> Files:
    return {f"{first + 1}.xml": voc(f"{first + 1}.png", "cat 5 5 41 15")}


FOLDERS: dict[str, Files] = {
    "nothing to settle": plain(),
    "a side": rotated(),
    "a treatment": plain() | over_the_border(),
    "both": rotated() | over_the_border(),
    "both, in parts with images of one name": under(
        {"train": rotated() | over_the_border(), "valid": rotated(10) | plain(10)}
    ),
}


def checked_again_and_again(path: Path) -> list[str]:
    """The check of each reading from the beginning."""
    options = ReadOptions(on_problem="skip")
    options = settle_side(check(path, options, sheets=0).labelled, options).options
    options = replace(options, on_problem=policy_of(check(path, options, sheets=0).labelled))
    return [*report_lines(check(path, options, sheets=0)), options.exif]


@pytest.mark.parametrize("kind", FOLDERS)
def test_images_are_decoded_and_boxes_judged_once(kind: str, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make.folder(FOLDERS[kind])
    expected = checked_again_and_again(path)
    looked, judged = Mock(wraps=validate.inspect_image), Mock(wraps=folder_check.add_suspects)
    monkeypatch.setattr(validate, "inspect_image", looked)
    monkeypatch.setattr(folder_check, "add_suspects", judged)
    side, checked = settled_check(path, ReadOptions(), NOT_JUDGED)
    assert [*report_lines(checked), side.options.exif] == expected
    assert looked.call_count == sum(name.endswith(".png") for name in FOLDERS[kind])
    assert judged.call_count == 1


def test_the_folders_need_each_reading(make: Maker) -> None:
    side, checked = settled_check(make.folder(FOLDERS["both"]), ReadOptions(), NOT_JUDGED)
    assert (side.options.exif, checked.labelled.ledger.on_problem) == ("stored", "clip")
