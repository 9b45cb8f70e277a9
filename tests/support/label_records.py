"""Label files of every format, put together from single records, right ones and bad ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from folders import Files, picture

CLASSES = ("cat", "dog")
_SIZE = '"height": 20, "width": 40'
_VIA = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
_VIA_RECT = '"{""name"": ""rect"", ""x"": %s, ""y"": 2, ""width"": 3, ""height"": 4}"'
_VIA_ROW = f'@.png,12,{{}},2,0,{_VIA_RECT},"{{""class"": ""cat""}}"\n'
_XML = "<object><name>cat</name><bndbox><xmin>%s</xmin><ymin>2</ymin><xmax>30</xmax><ymax>4</ymax></bndbox></object>"
_DATUMARO = '{"categories": {"label": {"labels": [{"name": "cat"}, {"name": "dog"}]}}, "items": ['
_METADATA = '"metadata": {'
_VIA_3 = (
    '{"project": {"data_format_version": "3.1.1", "vid_list": ["1", "2"]}, "attribute": {"1": {"aname": "class", '
    '"type": 4, "options": {"0": "cat"}}}, "file": {"1": {"fname": "a.png", "type": 2}, "2": {"fname": "b.png", '
    f'"type": 2}}}}, "view": {{"1": {{"fid_list": ["1"]}}, "2": {{"fid_list": ["2"]}}}}, {_METADATA}'
)


@dataclass(frozen=True, slots=True)
class Layout:
    """A format's label file of two images.

    `@` stands for an image's name, `a` or `b`, `#` for its number, `%` for the count of its records. In a record `?`
    is a number of its own, from 1 to 9.

    Attributes:
        format: The format's name.
        file: The file's name; with `@` each image has one.
        good: A right record; `bad`: records of an image that cannot be read.
        head: Text before the first image; likewise `tail`, after the last one.
        open: Text before an image's records; likewise `close`, after them.
        join: Text between records; `between`: between images.
        image: The path of an image.
        more: Other files.
        interleaved: Records of both images take turns; they are about no part of the file.
    """

    format: str
    file: str
    good: str
    bad: tuple[str, ...]
    head: str = ""
    open: str = ""
    close: str = ""
    tail: str = ""
    join: str = ""
    between: str = ""
    image: str = "@.png"
    more: tuple[tuple[str, str], ...] = ()
    interleaved: bool = False

    def files(self, records: Mapping[str, Sequence[str]]) -> Files:
        """Return the images `a` and `b`, and their label files with the records given."""
        result: Files = dict(self.more)
        result |= {_of(self.image, name): picture(number) for number, name in enumerate(records)}
        if self.interleaved:
            longest = max(map(len, records.values()))
            rows = [(name, some[n], n) for n in range(longest) for name, some in records.items() if n < len(some)]
            texts = [_of(record, name).replace("?", str(n + 1)) for name, record, n in rows]
            return result | {self.file: self.head + self.join.join(texts) + self.tail}
        parts = {name: self._part(name, some) for name, some in records.items()}
        if "@" in self.file:
            return result | {_of(self.file, name): self.head + part + self.tail for name, part in parts.items()}
        return result | {self.file: self.head + self.between.join(parts.values()) + self.tail}

    def _part(self, name: str, records: Sequence[str]) -> str:
        texts = [record.replace("?", str(n + 1)) for n, record in enumerate(records)]
        text = self.open.replace("%", str(len(records))) + self.join.join(texts) + self.close
        return _of(text, name)


def _of(text: str, name: str) -> str:
    return text.replace("@", name).replace("#", str("ab".index(name) + 1))


LAYOUTS: dict[str, Layout] = {
    "voc": Layout(
        "voc",
        "@.xml",
        _XML % "?",
        (_XML % "x",),
        head="<annotation><filename>",
        open="@.png</filename><size><width>40</width><height>20</height></size>",
        close="</annotation>",
    ),
    "yolo": Layout(
        "yolo",
        "@.txt",
        "0 0.5 0.5 0.2 0.?\n",
        ("0 0.5 x 0.2 0.5\n", "0 0.5\n"),
        more=(("classes.txt", "cat\ndog\n"),),
    ),
    "coco": Layout(
        "coco",
        "l.json",
        '{"id": ?, "image_id": #, "category_id": 1, "bbox": [?, 2, 3, 4]}',
        (
            '{"image_id": #, "category_id": 9, "bbox": [1, 2, 3, 4]}',
            '{"image_id": #, "category_id": [1], "bbox": [1, 2, 3, 4]}',
            '{"id": "x7", "image_id": #, "category_id": 1}',
        ),
        head=f'{{"images": [{{"id": 1, "file_name": "a.png", {_SIZE}}}, {{"id": 2, "file_name": "b.png", {_SIZE}}}], '
        '"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}], "annotations": [',
        tail="]}",
        join=", ",
        interleaved=True,
    ),
    "cvat": Layout(
        "cvat",
        "l.xml",
        '<box label="cat" xtl="?" ytl="2" xbr="30" ybr="4"/>',
        ('<box label="cat" xtl="1"/>', 'xbox label="cat" xtl="?" ytl="2" xbr="30" ybr="4"/>'),
        head="<annotations>",
        open='<image id="#" name="@.png" width="40" height="20">',
        close="</image>",
        tail="</annotations>",
    ),
    "bbox_label_tool": Layout("bbox_label_tool", "@.txt", "? 2 30 4 cat\n", ("5 6 7 x cat\n", "5 6\n"), open="%\n"),
    "labelme": Layout(
        "labelme",
        "@.json",
        '{"label": "cat", "shape_type": "rectangle", "points": [[?, 2], [30, 4]]}',
        ('{"label": "cat", "shape_type": "rectangle", "points": [[1, "x"]]}', "[1]"),
        open='{"imagePath": "@.png", "imageHeight": 20, "imageWidth": 40, "shapes": [',
        close="]}",
        join=", ",
    ),
    "label_studio": Layout(
        "label_studio",
        "l.json",
        '{"value": {"x": ?, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["cat"]}}',
        ('{"value": {"x": 1, "y": 2, "width": 3, "height": "x", "rectanglelabels": ["cat"]}}',),
        head="[",
        open='{"data": {"image": "@.png"}, "annotations": [{"result": [',
        close="]}]}",
        tail="]",
        join=", ",
        between=", ",
    ),
    "via": Layout(
        "via",
        "l.json",
        '{"shape_attributes": {"name": "rect", "x": ?, "y": 2, "width": 3, "height": 4}, '
        '"region_attributes": {"class": "cat"}}',
        (
            '{"shape_attributes": {"name": "rect"}, "region_attributes": {"class": "cat"}}',
            '{"shape_attributes": {"name": "polygon", "all_points_x": [1, 9, 30], "all_points_y": [1, 9]}, '
            '"region_attributes": {"class": "cat"}}',
        ),
        head="{",
        open='"@.png9": {"filename": "@.png", "regions": [',
        close="]}",
        tail="}",
        join=", ",
        between=", ",
    ),
    "via csv": Layout(
        "via",
        "l.csv",
        _VIA_ROW % "?",
        (_VIA_ROW % '""x""', "@.png,12\n", _VIA_ROW.replace("{},", "{},0,") % "?", '@.png,12,{},2,0,"{","{}"\n'),
        head=_VIA,
        interleaved=True,
    ),
    "via 3": Layout(
        "via",
        "l.json",
        '"#_?": {"vid": "#", "z": [], "xy": [2, ?, 2, 3, 4], "av": {"1": "0"}}',
        (
            '"#_?": {"vid": "#", "z": [], "xy": [2, 1, 2], "av": {"1": "0"}}',
            '"#_?": {"vid": "#", "z": [], "av": {"1": "0"}}',
            '"#_?": {"vid": "#", "z": [], "xy": [7, 1, 2, 3, 4, 5], "av": {"1": "0"}}',
        ),
        head=_VIA_3,
        tail="}}",
        join=", ",
        interleaved=True,
    ),
    "createml": Layout(
        "createml",
        "l.json",
        '{"label": "cat", "coordinates": {"x": 1?, "y": 6, "width": 4, "height": 2}}',
        ('{"label": "cat"}',),
        head="[",
        open='{"image": "@.png", "annotations": [',
        close="]}",
        tail="]",
        join=", ",
        between=", ",
    ),
    "datumaro": Layout(
        "datumaro",
        "l.json",
        '{"type": "bbox", "label_id": 0, "bbox": [?, 2, 3, 4]}',
        ('{"type": "bbox", "label_id": 0, "bbox": [1]}', '{"type": "bbox", "label_id": 9, "bbox": [1, 2, 3, 4]}'),
        head=_DATUMARO,
        open='{"id": "@", "image": {"path": "@.png", "size": [20, 40]}, "annotations": [',
        close="]}",
        tail="]}",
        join=", ",
        between=", ",
    ),
    "supervisely": Layout(
        "supervisely",
        "@.png.json",
        '{"classTitle": "cat", "geometryType": "rectangle", "points": {"exterior": [[?, 2], [30, 6]]}}',
        ('{"classTitle": "cat", "geometryType": "bitmap"}',),
        open=f'{{"tags": [], "size": {{{_SIZE}}}, "objects": [',
        close="]}",
        join=", ",
    ),
    "imagefolder": Layout(
        "imagefolder",
        "metadata.jsonl",
        '{"bbox": [?, 2, 3, 4], "label": "cat"}',
        ('{"bbox": [1], "label": "cat"}',),
        open='{"file_name": "@.png", "objects": [',
        close="]}\n",
        join=", ",
    ),
    "kitti": Layout(
        "kitti",
        "@.txt",
        "cat 0.00 1 -1.57 ?.00 2.00 30.50 14.00 1.5 1.6 3.7 -16.5 2.3 58.4 -1.57\n",
        ("cat 0 0 0 1 2 x 4 1 1 1 1 1 1 1\n", "cat 0 0\n"),
    ),
    "mot": Layout(
        "mot",
        "gt/gt.txt",
        "#,1,?,2,3,4,1,1,1.0\n",
        (
            "#,1,x,2,3,4,1,1,1.0\n",
            "#,2,1,2,3\n",
            "#,1,?,2,3,4,1,1.9,1.0\n",
            "#,1,?,2,3,4,1,1,1.0#,1,5,2,3,4,1,1,1.0\n",
        ),
        image="img1/00000#.png",
        interleaved=True,
    ),
    "oidv4": Layout("oidv4", "Label/@.txt", "cat ? 2.0 30.25 12.0\n", ("cat x 4 9 9\n", "cat 3\n")),
    "open_images": Layout(
        "open_images",
        "l.csv",
        "@,cat,0.?,0.95,0.3,0.4\n",
        ("@,cat,0.1,0.2,0.3,x\n", "@,cat,0.1\n", "@,cat,0.1,0.2,0.3,0.4,0.5\n"),
        head="ImageID,LabelName,XMin,XMax,YMin,YMax\n",
        interleaved=True,
    ),
    "csv": Layout(
        "csv",
        "l.csv",
        "@.png,cat,?,2,30,4,train\n",
        ("@.png,cat,1,2,3,x,train\n", "@.png,cat,1\n", "@.png,cat,1,2,30,4,5,train\n", "@.png,cat,?,2,30,4,x\n"),
        head="image,label,xmin,ymin,xmax,ymax,split\n",
        interleaved=True,
    ),
    "csv by columns": Layout(
        "csv",
        "l.csv",
        "@.png,cat,?,2,33,14\n",
        ("@.png,cat,1,2,x,4\n", "@.png,cat\n"),
        head="filename,class,x,y,w,h\n",
        interleaved=True,
    ),
    "keras text": Layout(
        "csv",
        "_annotations.txt",
        "?,2,30,4,0",
        ("1,2,30,x,0", "1,2,30,4", "1,2,30,4,9"),
        open="@.png ",
        close="\n",
        join=" ",
        more=(("_classes.txt", "cat\ndog\n"),),
    ),
    "article": Layout(
        "article", "@.txt", "1 0 0\n20 10 4 ?\n1\n", ("1 0 0\n20 10 4 x\n1\n", "1 0 0\n20 10\n1\n"), close="---\n"
    ),
}
