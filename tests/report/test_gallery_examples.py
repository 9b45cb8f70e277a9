import re

import numpy as np
import pytest
from evaluated_project import make_project, settings

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.report.evaluation_reader import read_evaluation
from humbleyolo.report.gallery_examples import first_cells, worst_of_each_kind
from humbleyolo.report.page_contents import collect


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("worst"), images=60)
    with ArchivedSplit(project / "dataset/test") as archive:
        split, truths = open_encoded(project / "grid/test"), TruthTable.from_archive(archive)
        evaluation = read_evaluation(project / "evaluation", truths, len(archive.categories), split.grid)
        folders = {name: project / name for name in ("dataset", "grid", "model")}
        report = collect(evaluation, archive.categories, **folders, hashed={}, params=settings())
        yield archive, split, truths, evaluation, report


def test_the_most_costly_kind_comes_first_and_in_it_the_worst(opened):
    archive, _, truths, evaluation, report = opened
    gains = [kind.ap_cost for kind in report.mistakes]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 0
    every = worst_of_each_kind(archive, truths, evaluation, report.mistakes, 10**6)
    for kind, shown in zip(report.mistakes, every, strict=True):
        assert shown.title.startswith(f"{kind.kind}: ")
        assert len(shown.examples) == (evaluation.judgements.kinds == kind.kind).sum()
        if kind.kind == "missed":
            areas = [(example.boxes[0, 2:] - example.boxes[0, :2]).prod() for example in shown.examples]
            assert areas == sorted(areas, reverse=True)
            assert {example.scores for example in shown.examples} == {None}
        else:
            scores = [float(example.scores[0]) for example in shown.examples]
            assert scores == sorted(scores, reverse=True)
    few = worst_of_each_kind(archive, truths, evaluation, report.mistakes, 1)
    for one, all_of_it in zip(few, every, strict=True):
        assert [example.caption for example in one.examples] == [
            example.caption for example in all_of_it.examples[:1]
        ]


def test_the_cost_of_a_kind_is_that_of_what_to_do_next(opened):
    *_, evaluation, report = opened
    advised = re.findall(r"boxes that fit badly cost (0\.\d{3}) AP", " ".join(evaluation.advice.next_steps))
    assert advised == [f"{kind.ap_cost:.3f}" for kind in report.mistakes if kind.kind == "localisation"]


def test_a_caption_says_class_confidence_and_iou(opened):
    archive, _, truths, evaluation, report = opened
    judged, found = evaluation.judgements, evaluation.detections
    kinds = worst_of_each_kind(archive, truths, evaluation, report.mistakes, 1)
    shown = next(kind for kind in kinds if kind.title.startswith("localisation"))
    (example,) = shown.examples
    row = max(np.flatnonzero(judged.kinds == "localisation"), key=lambda row: found.scores[judged.detections[row]])
    detection, truth = judged.detections[row], judged.truths[row]
    name = archive.categories[truths.labels[truth]]
    assert example.caption == (
        f"{name} {found.scores[detection]:.2f}, IoU {judged.ious[row]:.2f} with {name}  ({judged.images[row]:06}.png)"
    )
    np.testing.assert_array_equal(example.boxes, ltwh_to_xyxy(found.boxes_ltwh[[detection]]))
    missed = next(kind for kind in kinds if kind.title.startswith("missed")).examples[0]
    assert " missed  (" in missed.caption


def test_images_are_seen_as_the_network_sees_them(opened):
    archive, split, _, evaluation, _ = opened
    shown = first_cells(archive, split, evaluation, 7, 0.5)
    assert [one.example.caption for one in shown] == [f"{number:06}.png" for number in range(7)]
    found, near = evaluation.detections, []
    for image, (one, confidence, responsible) in enumerate(shown):
        np.testing.assert_array_equal(one.image, split.images[image])
        np.testing.assert_array_equal(confidence, evaluation.confidence[image].max(axis=-1))
        assert (one.scores >= 0.5).all()
        assert len(one.scores) == ((found.images == image) & (found.scores >= 0.5)).sum()
        for x, y in (one.truth_boxes[:, :2] + one.truth_boxes[:, 2:]) / 2:
            assert responsible[int(y // 32), int(x // 16)]  # 2 x 4 cells of 64 x 64 pixels
        near += [pairwise_iou(box[None], one.truth_boxes).max(initial=0) for box in one.boxes]
    assert np.median(near) > 0.7  # they are in the same pixels as the truths


def test_more_images_than_there_are_is_all_of_them(opened):
    archive, split, _, evaluation, _ = opened
    assert len(first_cells(archive, split, evaluation, 1000, 0.0)) == 60
