"""An image with more objects than can be found is told, with the parameter that says so."""

from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

from params_text import changed
from repository import ROOT

from humbleyolo.metrics.detection_limits import EVALUATION_LIMIT, VALIDATION_LIMIT, limit_warnings
from humbleyolo.params.loader import find_mistakes, load_params
from humbleyolo.params.value_types import MOST_DETECTIONS


def test_the_keys_are_those_of_params_yaml() -> None:
    train, evaluate = load_params(Path(ROOT) / "params.yaml", "train", "evaluate")
    sections = SimpleNamespace(train=train, evaluate=evaluate)
    assert attrgetter(VALIDATION_LIMIT, EVALUATION_LIMIT)(sections) == (100, 100)


def test_a_limit_below_the_objects_of_an_image_is_told() -> None:
    assert limit_warnings("val", 100, {VALIDATION_LIMIT: 100}) == []
    assert limit_warnings("val", 7, {VALIDATION_LIMIT: 6}) == [
        "val: an image has 7 objects, but train.validation.max_detections is 6: the others cannot be found; raise it "
        "to 7"
    ]


def test_each_limit_that_is_too_low_is_raised_as_far_as_params_yaml_lets() -> None:
    both = {VALIDATION_LIMIT: 100, EVALUATION_LIMIT: 100}
    (text,) = limit_warnings("val", 300, both)
    assert text.endswith(
        "train.validation.max_detections is 100 and evaluate.max_detections is 100: the others cannot be found; "
        "raise both to 300"
    )
    for most, possible in ((MOST_DETECTIONS, True), (MOST_DETECTIONS + 1, False)):
        for (text,) in (limit_warnings("val", most, both), limit_warnings("val", most)):
            assert ("cut such images into smaller ones" in text) is not possible
        values = [(key, str(most)) for key in both]
        assert (find_mistakes(changed(*values), "params.yaml") == []) is possible


def test_where_the_limits_are_not_known_more_than_the_usual_one_is_told() -> None:
    assert limit_warnings("train", 100) == []
    (text,) = limit_warnings("train", 101)
    assert "an image has 101 objects" in text
    assert "train.validation.max_detections and evaluate.max_detections must be 101 or more" in text
