"""Lines of CSV files: quotes that do not end, long values, splits by other words, and tables that are not read."""

import json

import pytest
from folders import Finding, Maker, picture

HEAD = "image,label,xmin,ymin,xmax,ymax\n"
GOOD = "a.png,cat,1,2,30,4\n"


def findings(make: Maker, *lines: str) -> list[Finding]:
    rows = make.findings({"a.png": picture(), "l.csv": "".join([HEAD, *lines])}, format="csv")
    return [row for row in rows if row.kind != "label-missing"]


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ([GOOD, 'a.png,"cat,2,2,30,4\n', GOOD, GOOD], "lines 3 to 5"),  # to the end of the file
        ([GOOD, 'a.png,"cat"s,2,2,30,4\n', GOOD], "line 3"),
        ([GOOD, 'a.png,"cat,2,2,30,4\n', 'a.png,dog",2,2,30,5\n'], "lines 3 to 4"),  # a class of two lines
        ([GOOD, 'a.png,"cat,2,2,30,4\n', 'a.png",2,30\n'], "lines 3 to 4"),  # too few columns
    ],
)
def test_a_quote_that_does_not_end_is_told_with_the_line_where_it_may_begin(
    make: Maker, lines: list[str], where: str
) -> None:
    (row,) = findings(make, *lines)
    assert (row.where, "end each double quote in its value" in row.why) == (where, True)


def test_a_value_of_several_lines_that_is_not_read_is_none_of_our_business(make: Maker) -> None:
    text = HEAD.replace("\n", ",remark\n") + 'a.png,cat,1,2,30,4,"seen\nby Anna"\na.png,cat,2,2,30,4,\n'
    assert len(make.read({"a.png": picture(), "l.csv": text}).images[0].labels) == 2


def test_a_polygon_of_many_points_is_one_long_value(make: Maker) -> None:
    xs = [1 + n % 30 for n in range(20_000)]
    shape = {"name": "polygon", "all_points_x": xs, "all_points_y": [2 + n % 7 for n in range(20_000)]}
    cells = [json.dumps(one).replace('"', '""') for one in (shape, {"class": "cat"})]
    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    data = make.read({"a.png": picture(), "v.csv": f'{head}a.png,1,{{}},1,0,"{cells[0]}","{cells[1]}"\n'})
    assert data.images[0].boxes.tolist() == [[1, 2, 30, 8]]


@pytest.mark.parametrize("word", ["val", "valid", "Validation", "dev"])
def test_a_split_may_be_called_by_the_words_that_folders_have(make: Maker, word: str) -> None:
    text = f"{HEAD.strip()},split\na.png,cat,1,2,30,4,{word}\na.png,cat,2,2,30,4,val\n"
    (image,) = make.read({"a.png": picture(), "l.csv": text}).images
    assert (image.splits, len(image.labels)) == (("val",), 2)


def test_a_wrong_split_is_told_of_each_of_its_lines(make: Maker) -> None:
    text = f"{HEAD.strip()},split\n" + "".join(f"a.png,cat,{n},2,30,4,{'x' * (n < 3)}\n" for n in (1, 2, 3))
    files = {"a.png": picture(), "l.csv": text}
    rows = [row for row in make.findings(files) if row.severity == "error"]
    assert [(row.where, row.kind) for row in rows] == [("line 2", "unknown-split"), ("line 3", "unknown-split")]
    assert make.read(files, on_problem="skip").images == []


def test_tables_beside_open_images_are_named(make: Maker) -> None:
    boxes = "ImageID,LabelName,XMin,XMax,YMin,YMax\na,cat,0.1,0.2,0.3,0.4\n"
    files = {"a.png": picture(), "b.png": picture(1), "boxes.csv": boxes}
    wrong = boxes.replace("XMin", "Xmin").replace("\na,", "\nb,")
    for text in (wrong, "ImageID,Source,LabelName,Confidence\na,verification,cat,1\n"):
        rows = make.findings(files | {"more.csv": text}, format="open_images")
        (row,) = [row for row in rows if row.file == "more.csv"]
        assert (row.severity, row.done) == ("note", "not read")
        assert text.split(",")[0] in row.what


def test_an_unreadable_table_counts_no_image_of_another(make: Maker) -> None:
    files = {"a.png": picture(), "b.png": picture(1), "a.csv": HEAD + GOOD}
    files["b.csv"] = f"{HEAD}{GOOD.replace('a.png', 'b.png')}" + 'b.png,"cat,1\n'
    assert [image.path for image in make.read(files, on_problem="skip").images] == ["a.png"]
