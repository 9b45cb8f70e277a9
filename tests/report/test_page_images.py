import base64
import io
import json
from collections import Counter

import numpy as np
import pytest
from evaluated_project import THRESHOLD, make_project
from PIL import Image

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.report.evaluation_reader import read_evaluation
from humbleyolo.report.page_images import CODES, FATES, UNJUDGED, Gallery, most_mistakes_first

IMAGES = 16


class Opened:
    """What a gallery is made of."""

    def __init__(self, project):
        self.archive = ArchivedSplit(project / "dataset/test")
        self.split = open_encoded(project / "grid/test")
        self.truths = TruthTable.from_archive(self.archive)
        classes = len(self.archive.categories)
        self.evaluation = read_evaluation(project / "evaluation", self.truths, classes, self.split.grid)

    def entries(self, order=None, most_bytes=1e9, longest_px=256):
        gallery = Gallery(self.archive, self.truths, self.evaluation, self.split, longest_px)
        return list(gallery.entries(np.arange(len(self.archive)) if order is None else order, most_bytes))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    opened = Opened(make_project(tmp_path_factory.mktemp("project"), images=IMAGES))
    yield opened
    opened.archive.close()


def picture(entry):
    head, _, content = entry["src"].partition(";base64,")
    assert head in ("data:image/png", "data:image/webp")
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return np.asarray(image.convert("RGB"))


def test_a_small_picture_is_the_image_itself_as_it_is(opened):
    for entry, record in zip(opened.entries(), opened.archive, strict=True):
        assert (entry["name"], entry["id"], entry["h"], entry["w"]) == (record.file_name, record.image_id, 40, 64)
        shown = picture(entry)
        original = decode_rgb(record.image_bytes, "x")
        if entry["src"].startswith("data:image/png"):
            np.testing.assert_array_equal(shown, original)
        else:
            assert np.abs(shown.astype(int) - original).mean() < 12


def test_a_large_picture_becomes_smaller_and_its_boxes_stay_in_the_image_s_pixels(opened):
    for small, large in zip(opened.entries(longest_px=32), opened.entries(), strict=True):
        assert picture(small).shape[:2] == (20, 32)
        assert {key: small[key] for key in ("t", "d", "w", "h", "over")} == {
            key: large[key] for key in ("t", "d", "w", "h", "over")
        }


def test_every_box_is_there_with_what_became_of_it(opened):
    found, truths, judged = opened.evaluation.detections, opened.truths, opened.evaluation.judgements
    entries = opened.entries()
    assert sum(len(entry["d"]) for entry in entries) == len(found)
    assert sum(len(entry["t"]) for entry in entries) == len(truths)
    for image, entry in enumerate(entries):
        rows = np.flatnonzero(found.images == image)
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        for row, shown in zip(rows, entry["d"], strict=True):
            np.testing.assert_allclose(shown[:4], found.boxes_ltwh[row], atol=0.051)
            assert shown[4] == found.labels[row]
            assert shown[5] == found.scores[row]  # so that the page rounds it as the pictures do
            here = np.flatnonzero(judged.detections == row)
            if found.scores[row] < THRESHOLD:
                assert (len(here), CODES[shown[6]]) == (0, UNJUDGED)
            else:
                assert CODES[shown[6]] == judged.kinds[here[0]]
                assert shown[7] == pytest.approx(judged.ious[here[0]], abs=1e-12)
    fates = Counter(FATES[truth[5]] for entry in entries for truth in entry["t"])
    assert fates["missed"] == (judged.kinds == "missed").sum() > 0
    assert fates["found"] == (judged.kinds == "correct").sum() > 0
    assert fates.total() == len(truths)


def test_cells_are_in_the_grid_s_order_and_the_grid_lies_through_the_letterbox(opened):
    grid = opened.split.grid
    for image, entry in enumerate(opened.entries()):
        cells = np.array(entry["cells"]).reshape(grid.rows, grid.cols)
        np.testing.assert_allclose(cells / 100, opened.evaluation.confidence[image].max(axis=-1), atol=0.0051)
        left, top, wide, high = entry["over"]  # 40 x 64 in a square: bars above and below
        assert (left, wide, top, high) == (0, 64, -12, 64)
        for truth in entry["t"]:
            x, y = truth[0] + truth[2] / 2, truth[1] + truth[3] / 2
            cell = int((y - top) // (high / grid.rows)) * grid.cols + int((x - left) // (wide / grid.cols))
            assert cell in entry["own"]


def test_images_with_the_most_mistakes_come_first(opened):
    order = most_mistakes_first(opened.evaluation)
    assert sorted(order) == list(range(IMAGES))
    judged, found = opened.evaluation.judgements, opened.evaluation.detections

    def badness(image):
        wrong = [
            row for row in range(len(judged.kinds)) if judged.images[row] == image and judged.kinds[row] != "correct"
        ]
        sure = [found.scores[judged.detections[row]] for row in wrong if judged.detections[row] >= 0]
        return -len(wrong), -max(sure, default=0), image

    assert list(order) == sorted(range(IMAGES), key=badness)


def test_images_end_before_they_are_too_many_bytes(opened):
    order = np.array([5, 3, 4])
    whole = opened.entries(order)
    lengths = [len(json.dumps(entry, separators=(",", ":"))) + 1 for entry in whole]
    assert opened.entries(order, sum(lengths)) == whole
    assert opened.entries(order, sum(lengths) - 1) == whole[:2]
    assert opened.entries(order, lengths[0] - 1) == []


def test_of_very_many_detections_the_surest_are_kept_and_the_rest_counted(opened, monkeypatch):
    monkeypatch.setattr("humbleyolo.report.page_images._MOST_DETECTIONS", 1)
    found = opened.evaluation.detections
    for image, entry in enumerate(opened.entries()):
        scores = found.scores[found.images == image]
        assert entry["more"] == max(len(scores) - 1, 0)
        assert [shown[5] for shown in entry["d"]] == ([scores.max()] if len(scores) else [])


def test_a_grid_too_fine_to_be_seen_is_left_out(opened, monkeypatch):
    monkeypatch.setattr("humbleyolo.report.page_images._MOST_CELLS", 7)
    assert {entry["cells"] for entry in opened.entries()} == {None}


def test_a_grey_image_is_smaller_and_a_photo_is_no_png(tmp_path):
    from humbleyolo.report.page_images import _data_uri

    grey = np.repeat(np.arange(64, dtype=np.uint8)[:, None, None] * np.ones((1, 64, 3), np.uint8), 1, axis=0)
    np.testing.assert_array_equal(picture({"src": _data_uri(grey, 64)}), grey)
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    assert _data_uri(noise, 128).startswith("data:image/webp")
    assert picture({"src": _data_uri(noise, 100)}).shape == (100, 100, 3)


def test_boxes_are_those_of_the_archive(opened):
    corners = np.concatenate([np.array([truth[:4] for truth in e["t"]]).reshape(-1, 4) for e in opened.entries()])
    expected = np.concatenate([truth.boxes_ltwh for truth in opened.archive.truths()])
    np.testing.assert_allclose(ltwh_to_xyxy(corners), ltwh_to_xyxy(expected), atol=0.11)
