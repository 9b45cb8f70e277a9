"""Names of images as other tools and other machines write them."""

import json

import pytest
from folders import GOOD, Files, Maker, picture, voc

from humbleyolo.labels.image_names import path_in, without_parents

LINE = "0 0.5 0.5 0.5 0.5\n"
HEAD = "image,label,xmin,ymin,xmax,ymax\n"
PATHS = ["/home/u/set/a.png", "C:\\Users\\u\\a.png", "/data/img/a.png"]
NAMED = {
    "csv": ("t.csv", HEAD + "{},cat,1,2,3,4\n"),
    "coco": ("t.json", GOOD["coco"][1].replace("a.png", "{}")),
    "voc": ("a.xml", voc("{}", "cat 1 2 3 4")),
    "createml": ("t.json", GOOD["createml"][1].replace("a.png", "{}")),
}


def naming(path: str, form: str) -> Files:
    file, text = NAMED[form]
    return {file: text.replace("{}", json.dumps(path)[1:-1] if file.endswith("json") else path)}


@pytest.mark.parametrize("form", NAMED)
@pytest.mark.parametrize("path", PATHS)
def test_a_path_of_another_machine_is_found_by_its_end(make: Maker, path: str, form: str) -> None:
    images = {"img/a.png": picture(), "b.png": picture(1)}
    assert {image.path for image in make.read(naming(path, form) | images).images} == {"img/a.png"}
    rows = make.findings(naming(path, form) | images | {"other/a.png": picture(2)}, format=form)
    fits = "/img/" in path  # the longest end decides
    assert [row.kind for row in rows if row.severity == "error"] == ([] if fits else ["image-ambiguous"])
    gone = naming(path, form) | {"b.png": picture()}
    assert [row.kind for row in make.findings(gone, format=form) if row.severity == "error"] == ["image-missing"]


def test_two_paths_of_another_machine_are_two_images(make: Maker) -> None:
    """Boxes of both would be on the one that is here."""
    lines = "/x/day1/a.png,cat,1,2,3,4\n/x/day1/a.png,cat,5,6,7,8\n/x/day2/a.png,cat,2,2,9,9\n"
    (row,) = [row for row in make.findings({"t.csv": HEAD + lines, "a.png": picture()}) if row.severity == "error"]
    assert (row.kind, row.where) == ("image-ambiguous", "line 4")


BOXES = {
    "csv": lambda n: [1, 2, 5 + n, 4],
    "coco": lambda n: [1, 2, 4, 4 + n],
    "createml": lambda n: [2 + n / 2, 2 + n / 2, 6 + 3 * n / 2, 6 + 3 * n / 2],
}
MOVED = [
    "/home/anna/data/images/{}",
    "C:\\data\\images\\{}",
    "\\\\server\\share\\{}",
    "dataset/train/{}",
    "..\\..\\pictures\\{}",
    "../../../media/upload/1/{}",
    "/data/local-files/?d=some%5C{}",
    "https://example.org/b%20c/{}?size=full",
    "https://example.org/{}?d=2020",
    "file:///home/anna/{}",
]
EVERY = {form: (file, text.replace("{}", "NAME")) for form, (file, text) in NAMED.items()} | {
    "labelme": ("json/a.json", GOOD["labelme"][1].replace("a.png", "NAME")),
    "via": ("via.json", GOOD["via"][1].replace('"a.png"', '"NAME"')),
    "label_studio": ("t.json", GOOD["label_studio"][1].replace("/data/upload/1/a.png", "NAME")),
    "imagefolder": ("metadata.jsonl", GOOD["imagefolder"][1].replace("a.png", "NAME")),
    "mapped": ("t.csv", "filename,x1,y1,x2,y2,class\nNAME,1,2,3,4,cat\n"),
}


@pytest.mark.parametrize(
    ("form", "path"),
    [*(("coco", path) for path in MOVED), *((form, path) for form in EVERY for path in MOVED[3:5] if form != "coco")],
)
def test_a_path_fits_the_one_image_that_ends_so(make: Maker, form: str, path: str) -> None:
    """Folders are renamed, moved and copied after labelling; the names of pictures stay."""
    file, text = EVERY[form]
    wanted = path.format("a.png")
    written: Files = {file: text.replace("NAME", json.dumps(wanted)[1:-1] if "json" in file else wanted)}
    data = make.read(written | {"images/train/a.png": picture()})
    assert [image.path for image in data.images] == ["images/train/a.png"]
    notes = [row for row in data.ledger.rows if row.kind == "path-differs"]
    assert [row.severity for row in notes] == ["note"]
    two = written | {"images/one/a.png": picture(), "images/two/a.png": picture(1)}
    errors = [row for row in make.findings(two) if row.severity == "error"]
    assert {row.kind for row in errors} - {"label-missing"} == {"image-ambiguous"}
    assert "may be images/one/a.png, images/two/a.png" in str(errors[0])


def test_one_note_tells_of_all_paths(make: Maker) -> None:
    lines = "".join(f"photos/{name}.png,cat,1,2,{n},4\n" for n, name in enumerate("abb", 3))
    data = make.read({"t.csv": HEAD + lines, "new/a.png": picture(), "new/b.png": picture(1)})
    (row,) = data.ledger.rows
    assert row.what == "2 images named by another path, such as 'photos/a.png'"


@pytest.mark.parametrize("form", ["csv", "coco", "createml"])
@pytest.mark.parametrize("order", [("cam1", "cam2"), ("cam2", "cam1")])
def test_a_path_is_not_that_of_an_image_which_has_another(make: Maker, form: str, order: tuple[str, str]) -> None:
    """A part of a dataset is here: its images are read, and those of the other parts are told to be missing."""
    paths = [f"{folder}/1.png" for folder in order]
    content = {
        "csv": HEAD + "".join(f"{path},cat,1,2,{n},4\n" for n, path in enumerate(paths, 5)),
        "coco": json.dumps(
            {
                "images": [{"id": n, "file_name": path} for n, path in enumerate(paths)],
                "categories": [{"id": 1, "name": "cat"}],
                "annotations": [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 3, 2 + n]} for n in (0, 1)],
            }
        ),
        "createml": json.dumps(
            [
                {
                    "image": path,
                    "annotations": [
                        {"label": "cat", "coordinates": dict.fromkeys(("x", "y", "width", "height"), 4 + n)}
                    ],
                }
                for n, path in enumerate(paths)
            ]
        ),
    }[form]
    files: Files = {f"t.{'csv' if form == 'csv' else 'json'}": content, "cam1/1.png": picture()}
    errors = [row for row in make.findings(files) if row.severity == "error"]
    assert [row.kind for row in errors] == ["image-missing"]
    assert "cam2/1.png" in errors[0].what
    (image,) = make.read(files, on_problem="skip").images
    assert image.boxes.tolist() == [BOXES[form](paths.index("cam1/1.png"))]


@pytest.mark.parametrize("form", ["csv", "coco", "voc", "createml"])
def test_a_folder_that_may_mean_something_is_not_taken_for_another(make: Maker, form: str) -> None:
    """The pictures of the first camera are not here. Those of the second have the same names."""
    file, text = EVERY[form]
    written: Files = {file: text.replace("NAME", "camera1/a.png"), "camera2/a.png": picture()}
    (error,) = [row for row in make.findings(written) if row.kind == "image-missing"]
    assert "camera2/a.png differs by case or folder alone" in error.why


@pytest.mark.parametrize("name", ["a#1.png", "b%20c.png", "d?e.png"])
def test_a_name_that_looks_like_an_address_is_one_if_it_is_there(make: Maker, name: str) -> None:
    file, text = EVERY["coco"]
    written: Files = {file: text.replace("NAME", f"/data/upload/{name}"), name: picture()}
    assert [image.path for image in make.read(written).images] == [name]


def test_a_path_of_another_machine_beside_one_of_this_folder_costs_no_box(make: Maker) -> None:
    lines = "images/1.png,cat,1,2,3,4\n/home/anna/pics/1.png,cat,2,2,5,6\n"
    data = make.read({"t.csv": "filename,class,x1,y1,x2,y2\n" + lines, "images/1.png": picture()})
    assert [len(image.labels) for image in data.images] == [2]


def test_a_path_of_another_split_does_not_fit(make: Maker) -> None:
    files: Files = {"t.csv": HEAD + "train/1.png,cat,1,2,3,4\n", "images/val/1.png": picture(), "b.png": picture(1)}
    errors = [row for row in make.findings(files) if row.severity == "error"]
    assert [row.kind for row in errors] == ["image-missing"]
    data = make.read(files | {"images/pictures/1.png": picture(2)}, on_problem="skip")
    assert [image.path for image in data.images] == ["images/pictures/1.png"]


TABLES = {"own": (HEAD, "{},cat,{},1,3,4\n"), "mapped": ("filename,x1,y1,x2,y2,class\n", "{},{},1,3,4,cat\n")}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("first", "second", "differ"),
    [
        ("/data/cam1/1.png", "/data/cam2/1.png", True),
        ("C:\\images\\1.png", "D:\\images\\1.png", True),
        ("/images/1.png", "/old/images/1.png", True),
        ("C:\\images\\1.png", "C:/images/1.png", False),
        ("images/1.png", "/data/images/1.png", False),
        ("1.png", "./images/1.png", False),
    ],
)
def test_an_image_that_two_paths_claim_is_lost(
    make: Maker, table: str, first: str, second: str, differ: bool
) -> None:
    """An equal path, or the end of one, is no other image; under `skip` no box of the two is left on it."""
    head, line = TABLES[table]
    for names in ((first, second, "b.png"), (second, first, "b.png")):
        lines = [line.format(name, number) for number, name in enumerate(names)]
        files: Files = {"l.csv": head + "".join(lines), "images/1.png": picture(), "images/b.png": picture(1)}
        rows = [row for row in make.findings(files) if row.severity == "error"]
        assert [(row.kind, row.where) for row in rows] == [("image-ambiguous", "line 3")] * differ
        data = make.read(files, on_problem="skip")
        assert [image.path for image in data.images] == ["images/1.png"] * (not differ) + ["images/b.png"]


def test_two_mapped_relative_paths_are_two_images(make: Maker) -> None:
    head, line = TABLES["mapped"]
    files: Files = {"l.csv": head + line.format("cam1/1.png", 0) + line.format("cam2/1.png", 1), "1.png": picture()}
    assert [row.kind for row in make.findings(files) if row.severity == "error"] == ["image-ambiguous"]


@pytest.mark.parametrize(
    ("file", "text"), [("a.txt", LINE), ("a.xml", voc("a.cr2")), ("t.csv", HEAD + "a.cr2,c,1,2,3,4\n")]
)
def test_a_picture_in_a_format_that_is_not_read_is_named(make: Maker, file: str, text: str) -> None:
    """It lies there, so that nobody is asked to add it."""
    own = {"b.txt": text, "classes.txt": "cat\n"} if file.endswith("txt") else {}
    rows = make.findings({file: text, "a.cr2": b"raw", "b.png": picture()} | own)
    assert [row.kind for row in rows if row.severity == "error"] == ["image-format"]
    assert "a.cr2 is there" in str(rows[0])


def test_a_label_that_lies_elsewhere_is_named(make: Maker) -> None:
    """An image is never to be declared background while a label has its name."""
    rows = make.findings(
        {"images/a.png": picture(), "images/b.png": picture(1), "classes.txt": "cat\n"}
        | {"labels/b.txt": LINE, "old/a.txt": LINE}
    )
    assert "old/a.txt has its name" in str(next(row for row in rows if row.kind == "label-missing"))
    rows = make.findings({"a.png": picture(), "b.png": picture(1), "a.xml": "<annotation>", "b.xml": voc("b.png")})
    told = str(next(row for row in rows if row.kind == "label-missing"))
    assert "a.xml has its name" in told
    assert "background" not in told


def test_long_names_that_begin_alike_are_rows_of_their_own(make: Maker) -> None:
    names = [f"/data/{'far/' * 30}{name}.png" for name in ("one", "two", "two")]
    lines = "".join(f"{name},cat,1,2,3,4\n" for name in names)
    rows = make.findings({"t.csv": HEAD + lines, "a.png": picture()}, format="csv")
    found = [row for row in rows if row.kind == "image-missing"]
    assert [row.where for row in found] == ["line 2", "line 3 and 1 more"]
    assert [row.what[-8:] for row in found] == ["one.png'", "two.png'"]
    assert all(len(row.what) == 80 for row in found)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("a%20b.png", "a%20b.png"),
        ("C:\\d\\a b.png", "C:/d/a b.png"),
        ("/data/upload/3/a%20b.png", "/data/upload/3/a b.png"),
        ("/data/local-files/?d=far%5Ca%20b.png", "far/a b.png"),
        ("https://example.org/d/a%20b.png?size=1", "/d/a b.png"),
        ("s3://bucket/d/a.png", "/d/a.png"),
        ("http://[::1/a.png", "http://[::1/a.png"),
    ],
)
def test_the_path_in_an_address(address: str, path: str) -> None:
    assert path_in(address) == path


@pytest.mark.parametrize(
    ("path", "rest"),
    [("../../a/../b", "a/../b"), ("a/../b", "a/../b"), ("..a", "..a"), (".../a", ".../a"), ("..", ".."), ("../", "")],
)
def test_only_folders_above_are_taken_from_before_a_path(path: str, rest: str) -> None:
    assert without_parents(path) == rest


@pytest.mark.parametrize("form", NAMED)
@pytest.mark.parametrize("path", ["a.png", "A.JPG", "A.png", "/home/u/set/a.bmp"])
def test_a_name_that_differs_by_extension_or_case_alone(make: Maker, form: str, path: str) -> None:
    """As after pictures were converted, or came from a camera as `.JPG`."""
    data = make.read(naming(path, form) | {"img/a.jpg": picture(kind="JPEG")})
    assert [image.path for image in data.images] == ["img/a.jpg"]
    assert [(row.file, row.kind, row.severity) for row in data.ledger.rows] == [("img/a.jpg", "name-differs", "note")]
    two = naming(path, form) | {"a.jpg": picture(kind="JPEG"), "a.tif": picture(1, kind="TIFF")}
    kinds = {row.kind for row in make.findings(two, format=form) if row.severity == "error"} - {"label-missing"}
    assert kinds == (set() if path == "A.JPG" else {"image-missing"})


@pytest.mark.parametrize("names", [("a.jpg", "a.png"), ("a.png", "a.jpg"), ("a.png", "a.bmp")])
def test_two_names_of_one_image_are_two_images(make: Maker, names: tuple[str, str]) -> None:
    """Boxes of the picture that is not there would be on the one that is."""
    lines = "".join(f"{name},cat,1,2,{number},4\n" for number, name in enumerate(names, 3))
    rows = make.findings({"t.csv": HEAD + lines, "a.jpg": picture(kind="JPEG")})
    errors = [row for row in rows if row.severity == "error"]
    assert [row.where for row in errors] == ["line 3"]


def test_a_hint_names_no_image_that_has_its_own_label(make: Maker) -> None:
    files: Files = {f"cat{n}.png": picture(n) for n in (1, 2)}
    files |= {f"cat{n}.xml": voc(f"cat{n}.png", "cat 1 2 3 4") for n in (1, 2, 3)}
    (row,) = make.findings(files)
    assert (row.file, row.why) == ("cat3.xml", "no image has that name; add the image or correct the name")
