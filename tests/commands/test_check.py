"""`humbleyolo check` as a person runs it."""

import pytest
from folders import Maker, picture

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
