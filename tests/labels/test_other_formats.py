"""CVAT, BBox-Label-Tool, LabelMe, Open Images, CSV, the article's folder."""

import json
import shutil
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
from folders import GOOD, Files, Maker, picture, read_labelled
from repository import ROOT

from humbleyolo.errors import UserError
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Finding
from humbleyolo.labels.formats.registry import FORMATS
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.process.terminal import wrapped_lines

SHARED = ROOT.parent / "shared/data"
BOX = '<box label="cat" occluded="1" xtl="3" ytl="4.5" xbr="10" ybr="12">'


def cvat(*shapes: str, attributes: str = "") -> Files:
    image = f'<image id="0" name="a.png" width="40" height="20" {attributes}>{"".join(shapes)}</image>'
    return {"images/a.png": picture(), "annotations.xml": f"<annotations><version>1.1</version>{image}</annotations>"}


def test_cvat_for_images(make: Maker) -> None:
    shapes = BOX + "</box>", '<polyline label="x" points="1,2;3,4"/>'
    data = make.read(cvat(*shapes, attributes='subset="Validation"'))
    (record,) = data.images
    assert data.format == "cvat"
    assert record.boxes.tolist() == [[3, 4.5, 10, 12]]
    assert record.flags == (frozenset({"occluded"}),)
    assert record.splits == ("val",)
    assert [(row.severity, row.kind) for row in data.ledger.rows] == [("note", "not-a-box")]


def test_cvat_rotated_box_gives_the_box_around_it(make: Maker) -> None:
    data = make.read(cvat('<box label="cat" xtl="10" ytl="8" xbr="20" ybr="12" rotation="90"/>'))
    assert np.allclose(data.images[0].boxes, [[13, 5, 17, 15]])
    assert [row.kind for row in data.ledger.rows] == ["rotated-box"]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ('<box label="cat" xtl="3" ytl="4" xbr="10"/>', "xml"),
        ('<box xtl="3" ytl="4" xbr="10" ybr="9"/>', "xml"),
        ('<box label="cat" xtl="3" ytl="4" xbr="10" ybr="nan"/>', "not-a-number"),
        ('<box label="cat" occluded="maybe" xtl="3" ytl="4" xbr="10" ybr="9"/>', "not-a-flag"),
        ('<box label=" " xtl="3" ytl="4" xbr="10" ybr="9"/>', "class-name"),
    ],
)
def test_cvat_bad_boxes(one: Callable[..., Finding], shape: str, kind: str) -> None:
    row = one(cvat(shape))
    assert row.kind == kind
    assert "line 1, <box>" in row.where


def frame(number: int, left: float, outside: int = 0, keyframe: int = 1) -> str:
    place = f'xtl="{left}" ytl="4" xbr="{left + 5}" ybr="9"'
    return f'<box frame="{number}" outside="{outside}" occluded="0" keyframe="{keyframe}" {place}></box>'


def test_cvat_for_video_fills_in_between_keyframes(make: Maker) -> None:
    size = "<meta><task><original_size><width>40</width><height>20</height></original_size></task></meta>"
    track = f'<track id="0" label="cat">{frame(1, 2)}{frame(4, 14)}{frame(6, 20, outside=1)}</track>'
    after = f'<track id="1" label="dog">{frame(5, 30)}</track>'
    images = {f"images/frame_{n:06}.png": picture(n) for n in range(8)}
    data = make.read(images | {"annotations.xml": f"<annotations>{size}{track}{after}</annotations>"})
    found = {
        record.path[-5]: dict(zip(record.labels, record.boxes[:, 0].tolist(), strict=True)) for record in data.images
    }
    assert found == {
        "0": {},
        "1": {"cat": 2},
        "2": {"cat": 6},
        "3": {"cat": 10},
        "4": {"cat": 14},
        "5": {"cat": 14, "dog": 30},
        "6": {"dog": 30},
        "7": {"dog": 30},
    }


def test_cvat_for_video_needs_the_frames(make: Maker) -> None:
    text = f'<annotations><track id="0" label="cat">{frame(1, 2)}{frame(9, 3, outside=1)}</track></annotations>'
    rows = make.findings({"images/frame_2.png": picture(), "a.xml": text})
    assert [(row.kind, row.what) for row in rows] == [("image-missing", "frame 1")]


@pytest.mark.parametrize("first", [0, 1])
def test_frames_of_cvat_that_ffmpeg_numbered_from_1_are_refused(make: Maker, first: int) -> None:
    """Each had got the boxes of the frame after it."""
    ends = "<meta><job><size>3</size><start_frame>0</start_frame><stop_frame>2</stop_frame></job></meta>"
    track = f'<track id="0" label="cat">{frame(1, 2)}{frame(2, 9)}</track>'
    images = {f"images/frame_{first + n:06}.png": picture(n) for n in range(3)}
    files: Files = {**images, "a.xml": f"<annotations>{ends}{track}</annotations>"}
    if first:
        assert make.findings(files)[0].kind == "frame-numbers"
        del files["images/frame_000001.png"]  # the first of them
        assert "frame-numbers" not in {row.kind for row in make.findings(files, on_problem="skip")}
    else:
        assert [one.labels for one in make.read(files).images] == [(), ("cat",), ("cat",)]


@pytest.mark.parametrize("first", [0, 1])
def test_frames_of_mot_are_numbered_from_1(make: Maker, first: int) -> None:
    lines = "".join(f"{n},1,2,3,8,9,1,1,1\n" for n in (1, 2, 3))
    images = {f"seq/img1/{first + n:06}.png": picture(n) for n in range(3)}
    files: Files = {**images, "seq/gt/gt.txt": lines, "seq/gt/labels.txt": "cat\n"}
    if first:
        assert [one.labels for one in make.read(files).images] == [("cat",)] * 3
    else:
        assert make.findings(files)[0].kind == "frame-numbers"


@pytest.mark.parametrize(
    ("images", "lines", "refused"),
    [
        ([0, 1, 2], [1, 2], False),  # none is of a frame behind the last image
        ([0, 1, 2], [1, 2, 3], True),
        ([0, 1, 2, 10, 11], [1, 2, 10, 11, 12], False),  # some of a video, and a line too many
        ([0, 5, 10], [1, 6, 11], True),
        ([0, 5, 10], [0, 6, 11], False),
        ([0, *range(2, 40)], [*range(2, 41)], False),  # a line too many
    ],
)
def test_mot_images_from_0_are_told_by_all_frames(
    make: Maker, images: list[int], lines: list[int], refused: bool
) -> None:
    text = "".join(f"{n},1,2,3,8,9,1,1,1\n" for n in lines)
    pictures: Files = {f"seq/img1/{n:06}.png": picture(n) for n in images}
    found = make.findings({**pictures, "seq/gt/gt.txt": text, "seq/gt/labels.txt": "cat\n"}, on_problem="skip")
    assert ("frame-numbers" in {row.kind for row in found}) == refused


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real data is not here")
@pytest.mark.parametrize(
    ("folder", "images", "boxes"),
    [("cvat/for_images", 1, [[0, 2, 4, 4]]), ("cvat/for_video", 2, [[3, 4, 10, 5]]), ("bbox_label_tool", 3, None)],
)
def test_real_files(folder: str, images: int, boxes: list[list[float]] | None) -> None:
    data = read_labelled(SHARED / folder, ReadOptions(on_problem="skip_box"))  # one polygon there has no class
    assert len(data.images) == images
    if boxes:
        assert [box for record in data.images for box in record.boxes.tolist()] == boxes


def test_bbox_label_tool(make: Maker) -> None:
    content: Files = {
        "Images/001/a.png": picture(),
        "Labels/001/a.txt": "2\n3 4 10 12\n5 6 7 8\n",
        "Images/001/b.png": picture(1),
        "Labels/001/b.txt": "0\n",
    }
    data = make.read(content)
    assert data.format == "bbox_label_tool"
    assert data.images[0].labels == ("001", "001")
    assert data.images[0].boxes.tolist() == [[3, 4, 10, 12], [5, 6, 7, 8]]
    assert data.images[1].boxes.shape == (0, 4)
    assert make.read(content, classes=("cat",)).images[0].labels == ("cat", "cat")
    data = make.read(content | {"Labels/001/a.txt": "1\n3 4 10 12 big cat\n"})
    assert data.classes == ("big cat",)


def test_folders_are_splits_and_names_of_images_are_not(make: Maker) -> None:
    """`train1.png` may show a train, and `test.png` anything."""
    names = {"bbox_label_tool": ("cat",), "article": ("x", "y"), "labelme": ("c",), "yolo": ("cat", "dog")}
    for name, classes in names.items():
        file, text = GOOD[name]
        end = file.rpartition(".")[2]
        if name == "bbox_label_tool":
            text = text.replace("1 2 3 4", "1 2 3 4 cat")
        content: Files = {}
        for number, (image, label) in enumerate((("test", "test"), ("val/train1", "val/train1"))):
            content[f"{image}.png"] = picture(number)
            content[f"{label}.{end}"] = text.replace("a.png", image.rpartition("/")[2] + ".png")
        data = make.read(content, format=name, classes=classes)
        assert [record.splits for record in data.images] == [(), ("val",)], name


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("2\n3 4 10 12\n", "count-differs", "line 1"),
        ("3 4 10 12\n", "count-differs", "line 1"),
        ("x\n", "not-an-integer", ""),
        ("1\n3 4 10\n", "columns", "line 2"),
        ("1\n12 4 10 12\n", "inverted-box", "line 2"),
    ],
)
def test_bbox_label_tool_bad(one: Callable[..., Finding], text: str, kind: str, where: str) -> None:
    content: Files = {"Images/001/a.png": picture(), "Labels/001/a.txt": text}
    row = one(content, format="bbox_label_tool")
    assert (row.kind, row.where) == (kind, where)


def labelme(*shapes: object, path: str = "../images/a.png") -> Files:
    content = {"version": "5", "shapes": shapes, "imagePath": path, "imageHeight": 20, "imageWidth": 40}
    return {"images/a.png": picture(), "labels/a.json": json.dumps(content)}


def test_labelme(make: Maker) -> None:
    shapes = [
        {"label": "cat", "points": [[10, 12], [3, 4]], "shape_type": "rectangle", "flags": {}},
        {"label": "dog", "points": [[1, 2], [9.5, 2], [3, 11]], "shape_type": "polygon"},
        {"label": "dog", "points": [[10, 10], [13, 14]], "shape_type": "circle"},
        {"label": "dog", "points": [[10, 10]], "shape_type": "point"},
    ]
    for path in ("../images/a.png", r"..\images\a.png"):
        data = make.read(labelme(*shapes, path=path))
        assert data.format == "labelme"
        assert data.images[0].boxes.tolist() == [[3, 4, 10, 12], [1, 2, 9.5, 11], [5, 5, 15, 15]]
        assert [row.kind for row in data.ledger.rows] == ["not-a-box"]


def test_labelme_names_the_image_of_another_file(make: Maker) -> None:
    right = labelme(path="../images/b.png")["labels/a.json"]
    content = labelme(path="../images/b.png") | {"images/b.png": picture(1), "labels/c.json": right, "z/c.png": b""}
    rows = [row for row in make.findings(content) if row.kind != "not-read"]
    assert [(row.kind, row.severity) for row in rows] == [("image-differs", "note")]  # c.json has b.png
    del content["labels/c.json"]
    rows = [row for row in make.findings(content) if row.kind != "not-read"]
    assert ("image-differs", "labels/a.json", "error") in [(row.kind, row.file, row.severity) for row in rows]


@pytest.mark.parametrize(
    "shape", [{"label": "cat", "points": [[1, "2"], [3, 4]]}, {"points": []}, {"label": 3, "points": []}, 5]
)
def test_labelme_bad(one: Callable[..., Finding], shape: object) -> None:
    row = one(labelme(shape))
    assert row.where == "shapes[0]"


def test_open_images(make: Maker) -> None:
    head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n"
    content: Files = {
        "validation/0a.png": picture(),
        "validation-annotations-bbox.csv": head + "0a,x,/m/1,1,0.25,0.5,0.1,1.0,1,-1,1\n",
        "class-descriptions-boxable.csv": '/m/1,"Cat, big"\n/m/2,Dog\n',
    }
    data = make.read(content)
    assert data.format == "open_images"
    assert data.images[0].labels == ("Cat, big",)
    assert data.images[0].boxes.tolist() == [[10, 2, 20, 20]]
    assert data.images[0].flags == (frozenset({"occluded", "crowd"}),)
    assert data.images[0].splits == ("val",)


def test_open_images_with_extensions(make: Maker) -> None:
    rows = "ImageID,LabelName,XMin,XMax,YMin,YMax\na.png,c,0.25,0.5,0.1,1.0\nb.c,c,0.25,0.5,0.1,1.0\n"
    data = make.read({"a.png": picture(), "b.c.png": picture(1), "x.csv": rows})
    assert [image.path for image in data.images] == ["a.png", "b.c.png"]


HEAD = "image,label,xmin,ymin,xmax,ymax\n"


def table(text: str) -> Files:
    return {"a.png": picture(), "b c.png": picture(1), "labels.csv": text}


def test_csv(make: Maker) -> None:
    data = make.read(table(HEAD + "a.png,NA,1,2,3,4\na.png,null,1,2,3,4.5\na.png,007,1,2,3,5\nb c.png,,,,,\n"))
    assert data.format == "csv"
    assert data.images[0].labels == ("NA", "null", "007")
    assert data.images[1].boxes.shape == (0, 4)
    data = make.read(
        table(
            "filename,width,height,class,xmin,ymin,xmax,ymax,split,group\n"
            'a.png,40,20,"a ""b"", c",1,2,3,4,val,g\nb c.png,40,20,,,,,,,\n'
        )
    )
    assert data.images[0].labels == ('a "b", c',)
    assert (data.images[0].splits, data.images[0].group) == (("val",), "g")


@pytest.mark.parametrize(
    ("width", "right"), [("40", True), ("40.0", True), ("40.5", False), ("4e1", False), (".0", False)]
)
def test_sizes_are_whole_numbers(make: Maker, width: str, right: bool) -> None:
    rows = make.findings(
        table(f"image,label,xmin,ymin,xmax,ymax,width,height\na.png,c,1,2,3,4,{width},20.0\nb c.png,,,,,,,\n")
    )
    assert [row.kind for row in rows] == ([] if right else ["not-an-integer"])


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("a.png,cat,1,2,3", "columns"),
        ("a.png,cat,1,2,3,4,5", "columns"),
        ("a.png,cat,1,2,3,x", "not-a-number"),
        ("a.png,,1,2,3,4", "class-name"),
        ("z.png,cat,1,2,3,4", "image-missing"),
        ("../../z.png,cat,1,2,3,4", "unsafe-path"),
        ("a.png,cat,,,,", "not-a-number"),
        ('a.png,"cat,1,2,3,4', "csv"),
    ],
)
def test_csv_bad(one: Callable[..., Finding], line: str, kind: str) -> None:
    row = one(table(HEAD + "a.png,dog,1,2,3,4\nb c.png,,,,,\n" + line + "\n"))
    assert row.kind == kind
    assert row.where == "line 4"


def test_csv_with_semicolons(one: Callable[..., Finding]) -> None:
    row = one(table("image;label;xmin;ymin;xmax;ymax\n") | {"x.csv": HEAD + "a.png,,,,,\nb c.png,,,,,\n"})
    assert "commas" in str(row)


def test_the_article(make: Maker) -> None:
    text = "1 0 0\n10 10 12 8\n1\n0 0 1\n48 16 32 32\n0\n0 1 0\n30 6 6 6\n1\n---\n"
    content: Files = {"Images/0.PNG": picture(), "Labels/0.txt": text}
    data = make.read(content, classes=("chat", "rat"))
    assert data.format == "article"
    assert data.images[0].labels == ("chat", "rat")
    assert data.images[0].boxes.tolist() == [[4, 6, 16, 14], [27, 3, 33, 9]]
    assert {row.kind for row in make.findings(content)} == {"no-class-names", "unknown-class"}


@pytest.mark.parametrize(
    "text",
    ["1 0 0\n10 10 12 8\n---\n", "1 1 0\n10 10 12 8\n1\n---\n", "1 0 0\n10 10\n1\n---\n", "0 0 1\n1 1 1 1\n1\n---\n"],
)
def test_the_article_bad(one: Callable[..., Finding], text: str) -> None:
    one({"Images/0.PNG": picture(), "Labels/0.txt": text}, classes=("chat", "rat"), format="article")


def test_the_format_can_be_named_in_a_command_and_in_a_project(make: Maker) -> None:
    with pytest.raises(UserError, match=r"format \(`--format`, in params.yaml `dataset.labelled.format`\)"):
        make.read({"a.dat": "x"})


def test_pictures_alone_are_to_be_labelled_first(make: Maker) -> None:
    """A person with pictures and no labels needs a tool, not a list of formats."""
    for more in (
        {},
        {"README.md": "cats", "LICENSE": ""},
        {"classes.txt": "cat\n"},
        {"a.pdf": "", "film.mp4": "", "b.py": ""},
    ):
        with pytest.raises(UserError, match=f"no known labels among {1 + len(more)} file") as caught:
            make.read({"a.png": picture(), **more})
        lines = [line for text in caught.value.lines for line in wrapped_lines(text)]
        assert len(lines) <= 8
        assert "Draw a box around each object first, in LabelImg" in caught.value.lines[1]
        for text in ("Pascal VOC, YOLO or COCO", "docs/labels.md", "humbleyolo next"):
            assert text in str(caught.value)


def test_texts_in_a_folder_of_another_name_are_to_be_moved(make: Maker) -> None:
    """MakeSense's archive, unpacked beside the pictures."""
    files: Files = {"a.png": picture(), "labels_my-project_2023/a.txt": "0 0.5 0.5 0.2 0.2\n", "classes.txt": "cat\n"}
    with pytest.raises(UserError, match=r"labels_my-project_2023/a\.txt has the name of a\.png") as caught:
        make.read(files)
    assert "whose text must be a.txt. Move such texts." in str(caught.value)
    files["a.txt"] = files.pop("labels_my-project_2023/a.txt")
    assert len(make.read(files).images) == 1


def test_xml_without_an_ending_is_to_be_renamed(make: Maker) -> None:
    """Stanford's dogs have such files; a person who has them need not label anew."""
    files: Files = {f"Images/n0_{n}.png": picture(n) for n in range(3)} | {"LICENSE": "text"}
    files |= {f"Annotation/n0 a/n0_{n}": GOOD["voc"][1].replace("a.png", f"n0_{n}.png") for n in range(3)}
    files |= {f"Annotation/n1/{n}": GOOD["voc"][1] for n in range(250)}
    root = make.folder(files)
    with pytest.raises(UserError, match="and 248 more") as caught:
        make.open(root)
    told = str(caught.value)
    assert "Draw" not in told
    assert "was looked for" not in told
    command = told.partition("their ending: ")[2].partition("\n")[0]
    subprocess.run(command, shell=True, check=True)
    shutil.rmtree(root / "Annotation" / "n1")
    assert len(make.open(root, format="voc").images) == 3


@pytest.mark.parametrize(
    "head", ["\ufeff", '<?xml version="1.0"?>\n', '\ufeff<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n\n']
)
def test_xml_without_an_ending_may_begin_with_a_declaration(make: Maker, head: str) -> None:
    with pytest.raises(UserError, match=r"Annotation/n0_1 \(XML without its ending\)\."):
        make.read({"Images/n0_1.png": picture(), "Annotation/n0_1": head + GOOD["voc"][1]})


@pytest.mark.parametrize("ending", ["tfrecord", "record-00000-of-00002", "mat", "h5", "pkl", "npz", "odgt", "ndjson"])
def test_labels_in_files_of_other_tools_are_to_be_exported(make: Maker, ending: str) -> None:
    """A person who has them need not draw boxes."""
    with pytest.raises(UserError, match=rf"Files that may be labels: train\.{ending}") as caught:
        make.read({"a.png": picture(), f"train.{ending}": b"\0\1", "README.md": "", "film.mp4": b"", "x.py": ""})
    assert f"train.{ending} (not read; export its labels as VOC, YOLO or COCO)." in str(caught.value)
    assert "Draw" not in str(caught.value)


def test_labels_of_no_known_format_fit_a_screen(make: Maker) -> None:
    with pytest.raises(UserError, match=r"Files that may be labels: a\.json") as caught:
        make.read({"a.png": picture(), "a.json": '{"boxes": []}'})
    assert len([line for text in caught.value.lines for line in wrapped_lines(text)]) <= 8
    assert "Draw" not in str(caught.value)


OI = "ImageID,LabelName,XMin,XMax,YMin,YMax\n"


@pytest.mark.parametrize(("head", "line"), [(OI, "{},/m/1,0.1,0.2,0.3,0.4\n"), (HEAD, "{}.png,cat,1,2,3,4\n")])
def test_lines_about_an_image_that_is_not_there_are_reported_once(make: Maker, head: str, line: str) -> None:
    text = head + line.format("a") + (line.format("y") + line.format("z")) * 9 + line.format("b")
    rows = make.findings({"t.csv": text, "a.png": picture()})
    assert [(row.kind, row.where) for row in rows] == [
        ("image-missing", "line 3 and 8 more"),
        ("image-missing", "line 4 and 8 more"),
        ("image-missing", "line 21"),
    ]


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_a_table_with_another_separator(make: Maker, mark: str, word: str) -> None:
    table = "filename,class,xmin,ymin,xmax,ymax\na.png,cat,1,2,3,4\n".replace(",", mark)
    with pytest.raises(UserError) as error:
        make.read({"a.png": picture(), "l.csv": table})
    assert f"l.csv (columns separated by {word}; save it with commas, and points in numbers)" in str(error.value)
    assert "nearest format" not in str(error.value)


@pytest.mark.parametrize("name", ["l.tsv", "l.xlsx", "L.ODS"])
def test_a_table_of_another_kind(make: Maker, name: str) -> None:
    with pytest.raises(UserError) as error:
        make.read({"a.png": picture(), name: "filename\tclass\na.png\tcat\n"})
    assert f"Files that may be labels: {name} (a table that is not read; save it as CSV" in str(error.value)


@pytest.mark.parametrize("name", ["labelme", "voc", "cvat"])
def test_labels_are_known_behind_other_files_of_their_ending(make: Maker, name: str) -> None:
    ending = GOOD[name][0].rpartition(".")[2]
    others: Files = {f"0{number}.{ending}": "{}" if ending == "json" else "<plist/>" for number in range(9)}
    path = make.folder(others | {"a.png": picture(), f"z.{ending}": GOOD[name][1]})
    with open_source(path) as source:
        assert FORMATS[name].module.detect(source).startswith(f"z.{ending} ")
