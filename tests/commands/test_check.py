"""`humbleyolo check` as a person runs it."""

import pytest
from folders import Maker, picture
from wcwidth import wcswidth

from humbleyolo.cli import main


@pytest.mark.parametrize(("objects", "told"), [(100, False), (101, True)])
def test_an_image_with_more_objects_than_are_found_by_default_is_told(
    objects: int, told: bool, make: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = [(1 + 4 * (one % 20), 1 + 4 * (one // 20)) for one in range(objects)]
    rows = [f"a.png,cat,{left},{top},{left + 3},{top + 3}" for left, top in boxes]
    rows += [f"{name},cat,1,1,9,9" for name in ("b.png", "c.png")]
    table = "\n".join(["image,label,xmin,ymin,xmax,ymax", *rows, ""])
    pictures = {f"{name}.png": picture(seed, 90, 40) for seed, name in enumerate("abc")}
    with pytest.raises(SystemExit) as ended:
        main(["check", str(make.folder({**pictures, "l.csv": table}))])
    out = " ".join(capsys.readouterr().out.split())
    warning = (
        "warning: an image has 101 objects; so train.validation.max_detections and evaluate.max_detections must be "
        "101 or more to find all"
    )
    assert ended.value.code == 0, out
    assert (warning in out) == told, out
    assert ("max_detections" in out) == told


def test_wide_names_keep_to_80_columns_of_a_terminal_and_the_table_is_aligned(
    make: Maker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    names, wide = ["日本 語", "猫", "a"], f"{'日本 語 ' * 7}語.png"
    rows = [f"{at}.png,{names[at % 3]},1,{1 + at % 3},30,{15 + at % 4}" for at in range(12)]
    rows += [f"{wide},猫,5,5,5,9"]
    table = "\n".join(["image,label,xmin,ymin,xmax,ymax", *rows, ""])
    pictures = {name: picture(at) for at, name in enumerate([wide, *(f"{at}.png" for at in range(12))])}
    with pytest.raises(SystemExit) as ended:
        main(["check", str(make.folder({**pictures, "表.csv": table}))])
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(wcswidth(line) <= 80 for line in lines)
    assert any(wcswidth(line) > 70 > len(line) for line in lines)
    head, *body = [line for line in lines if line.startswith(("class ", *(f"{name} " for name in names)))]
    assert len(body) == 3
    assert {wcswidth(line[: line.index("4  ")]) for line in body} == {head.index("boxes")}
