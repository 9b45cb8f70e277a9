"""Names in archives, as the programs of many languages write them."""

import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from folders import Maker, picture, voc

from humbleyolo.inputs import archive_names


class Unmarked(zipfile.ZipInfo):
    """An entry whose name is not marked as UTF-8."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - as zipfile calls it
        return self.filename.encode("cp437"), self.flag_bits & ~0x800


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("\u56fe\u7247 1", "gbk"),  # valid in UTF-8, too, as Greek and Latin
        ("\u6570\u636e/\u732b\u72d7", "gbk"),
        ("\u56fe\u7247 1", "utf-8"),
        ("caf\u00e9", "utf-8"),
        ("\u043a\u0430\u0440\u0442\u0438\u043d\u043a\u0430", "utf-8"),
        ("pr\u00fcf_5\u00b5m", "utf-8"),  # the sign of micro, and those of degrees, are of no other script
        ("Fr\u00e4se 45\u00b0", "utf-8"),
        ("f\u00fcr Gr\u00f6\u00dfe", "cp437"),
        ("caf\u00e9", "cp437"),
        ("plain", "ascii"),
    ],
)
def test_names_without_the_mark_of_utf_8(make: Maker, tmp_path: Path, name: str, encoding: str) -> None:
    """XML names its image in UTF-8, so that it is found by the right name alone."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file, content in {f"{name}.png": picture(), f"{name}.xml": voc(f"{name.split('/')[-1]}.png")}.items():
            archive.writestr(Unmarked(file.encode(encoding).decode("cp437")), content)
    data = make.open(tmp_path / "a.zip")
    assert [image.path for image in data.images] == [f"{name}.png"]
    assert not data.ledger.rows


def test_the_encoding_is_found_once_for_all_names(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Mock(wraps=archive_names._encoding_of)
    monkeypatch.setattr(archive_names, "_encoding_of", judge)
    entries = [Unmarked(f"\u00e4{number}.png".encode().decode("cp437")) for number in range(9)]
    assert [name for _, name in archive_names.names_of(entries)] == [f"\u00e4{number}.png" for number in range(9)]
    assert judge.call_count == 1
