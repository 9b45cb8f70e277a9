"""Parts of the images that lie in each other, and networks that learn them for as many steps."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import PLAIN, RUN, TINY, draw_split

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.training import planned_runs
from humbleyolo.training.learning_curve import learn_parts, nested_parts
from humbleyolo.training.planned_runs import Length

ONE = Length(1.0, 1)

pytestmark = pytest.mark.usefixtures("threads", "eagerly", "a_network_that_stays")


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> list[EncodedSplit]:
    drawn = [draw_split(tmp_path_factory.mktemp("split"), TINY, images, objects=1) for images in (18, 5)]
    for number, split in enumerate(drawn):  # no two images are equal
        object.__setattr__(split, "images", np.array(split.images))
        split.images[:, 0, 0, number] = np.arange(len(split))
    return drawn


@pytest.mark.parametrize("images", [4, 18, 101])
def test_parts_lie_in_each_other_and_are_a_matter_of_the_seed(images: int) -> None:
    parts = nested_parts(images, 1)
    assert [len(part) for part in parts] == [images // 4, images // 2, images]
    for small, large in itertools.pairwise(parts):
        assert set(small.tolist()) < set(large.tolist())
    assert sorted(parts[-1].tolist()) == list(range(images))
    np.testing.assert_array_equal(parts[-1], nested_parts(images, 1)[-1])
    assert images < 10 or not np.array_equal(parts[-1], nested_parts(images, 2)[-1])


def test_each_network_learns_its_part_for_as_many_steps_and_is_scored_on_val(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, val = splits
    trainers, seen, judged = [], [], []
    build = planned_runs.build_trainer

    def watched(*given: Any) -> Any:
        trainer, data = build(*given), given[-1]
        seen.append([image.tobytes() for image in data.images[0 : len(data)]])
        predict = trainer.predict
        judged.append(set())
        monkeypatch.setattr(
            trainer,
            "predict",
            lambda images: (judged[-1].update(one.tobytes() for one in images[0 : len(images)]), predict(images))[1],
        )
        trainers.append(trainer)
        return trainer

    monkeypatch.setattr(planned_runs, "build_trainer", watched)
    learned = learn_parts(RUN, train, val, ONE, tmp_path)
    assert [images for images, _ in learned.found] == [4, 9, 18]
    assert all(found.image_count == len(val) for _, found in learned.found)
    assert [len(set(images)) for images in seen] == [4, 9, 18]
    assert set(seen[0]) < set(seen[1]) < set(seen[2]) == {image.tobytes() for image in train.images}
    for images in seen:  # none comes more often than another, by more than once
        counts = [images.count(one) for one in set(images)]
        assert max(counts) - min(counts) <= 1
    assert {trainer.steps_an_epoch for trainer in trainers} == {18 // PLAIN.batch}
    assert judged == [{image.tobytes() for image in val.images}] * 3


def test_what_cannot_work_is_refused_with_what_to_do(splits: list[EncodedSplit], tmp_path: Path) -> None:
    train, val = splits
    large = replace(RUN, train=PLAIN.model_copy(update={"batch": 5}))
    said = r"a quarter of the 18 images of train is 4, fewer than train.batch 5; lower train.batch to 4 or less"
    with pytest.raises(UserError, match=said):
        learn_parts(large, train, val, ONE, tmp_path)
    empty = replace(val, boxes=val.boxes[:0], labels=val.labels[:0], offsets=val.offsets * 0)
    with pytest.raises(UserError, match="val holds no boxes, so that nothing can be scored"):
        learn_parts(RUN, train, empty, ONE, tmp_path)
    with pytest.raises(UserError, match="train holds no boxes, so that nothing can be learned"):
        learn_parts(RUN, empty, val, ONE, tmp_path)
    assert not list(tmp_path.iterdir())
