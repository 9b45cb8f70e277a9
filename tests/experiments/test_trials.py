"""Which trials a search has, and what is refused before any is queued."""

import math
import shutil
import sys
import types
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repository import ROOT

from humbleyolo.cli import main
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.experiments.trials import (
    DIGITS,
    assignments,
    check_trials,
    draw_trials,
    every_combination,
    parse_space,
)
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params

PARAMS = ROOT / "params.yaml"
SPACES = ["train.learning_rate=log(0.001..0.03)", "model.width=0.5..1.5", "train.epochs=3..5", "loss.name=iou,yolov1"]


def spaces(*texts: str):
    return [parse_space(text) for text in texts]


class TestGrid:
    def test_every_combination_is_there_once(self):
        found = every_combination(spaces("seed=1,2,3", "model.width=0.5,1.0", "loss.name=iou,yolov1"))
        assert len(found) == 12
        assert len({repr(trial) for trial in found}) == 12
        assert found[0] == {"seed": 1, "model.width": 0.5, "loss.name": "iou"}
        assert found[1] == {"seed": 1, "model.width": 0.5, "loss.name": "yolov1"}

    def test_a_range_is_refused(self):
        with pytest.raises(UserError, match=r"model\.width: a range has no end of values"):
            every_combination(spaces("seed=1,2", "model.width=0.5..1.5"))


class TestRandom:
    def test_a_trial_is_a_function_of_seed_and_number(self):
        some, more = (draw_trials(spaces(*SPACES), count, 1) for count in (8, 16))
        assert more[:8] == some
        assert draw_trials(spaces(*SPACES), 8, 2) != some

    def test_the_order_of_the_spaces_does_not_matter(self):
        there, back = (draw_trials(spaces(*texts), 8, 1) for texts in (SPACES, SPACES[::-1]))
        assert there == back

    def test_values_are_spread_over_the_whole_space(self):
        trials = draw_trials(spaces(*SPACES), 400, 1)
        rates = [trial["train.learning_rate"] for trial in trials]
        assert 0.001 <= min(rates) < 0.0012
        assert 0.025 < max(rates) <= 0.03
        below = sum(rate < math.sqrt(0.001 * 0.03) for rate in rates)  # the middle of the logarithm
        assert 160 < below < 240
        assert len(set(rates)) > 380  # none is there often, such as an end
        widths = [trial["model.width"] for trial in trials]
        assert 160 < sum(width < 1.0 for width in widths) < 240
        for epochs in (3, 4, 5):
            assert 90 < sum(trial["train.epochs"] == epochs for trial in trials) < 180
        assert 160 < sum(trial["loss.name"] == "iou" for trial in trials) < 240

    def test_no_trial_is_there_twice(self):
        trials = draw_trials(spaces("train.epochs=1..3", "loss.name=iou,yolov1"), 6, 1)
        assert len({repr(trial) for trial in trials}) == 6
        with pytest.raises(UserError, match=r"--trials 7: found 6 different ones"):
            draw_trials(spaces("train.epochs=1..3", "loss.name=iou,yolov1"), 7, 1)

    @given(
        least=st.floats(1e-6, 1e3),
        factor=st.floats(1.01, 1e3),
        part=st.floats(0, 1, exclude_max=True),
        log=st.booleans(),
    )
    def test_a_value_is_in_its_range_and_short(self, least, factor, part, log):
        most = least * factor
        text = f"log({least!r}..{most!r})" if log else f"{least!r}..{most!r}"
        value = parse_space(f"model.width={text}").at(part)
        assert least <= value <= most
        assert value in (least, most) or float(f"{value:.{DIGITS}g}") == value

    @given(least=st.integers(1, 100), more=st.integers(1, 100), part=st.floats(0, 1, exclude_max=True))
    def test_whole_numbers_stay_whole(self, least, more, part):
        for text in (f"{least}..{least + more}", f"log({least}..{least + more})"):
            value = parse_space(f"train.epochs={text}").at(part)
            assert type(value) is int
            assert least <= value <= least + more


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train.learning_rate", "is not KEY=VALUES"),
        ("train.learning_rate=", "is not KEY=VALUES"),
        ("train.learningrate=1", "is not a key of params.yaml; allowed: start, backbone, include_val"),
        ("seed.x=1", "seed.x: is not a key of params.yaml"),
        ("train=1", "is a section; name one of start"),
        ("encode.finer=2", "holds several values"),
        ("loss.class_weights=1", "holds several values"),
        ("loss.name=iou..yolov1", "has no numbers between"),
        ("train.include_val=false..true", "has no numbers between"),
        ("train.epochs=0.5..2", "0.5 is not allowed; allowed: a whole number"),
        ("model.width=a..2", "a is not allowed; allowed: a number"),
        ("model.width=2..1", "2 is not less than 1"),
        ("model.width=1...inf", "is not less than"),
        ("model.width=log(0..1)", "0 has no logarithm"),
        ("model.width=log(0.1..1", "cannot be searched"),
        ("seed=1,1", "has a value twice"),
        ("seed=1,", "cannot be searched"),
        ("loss.name={iou}", "cannot be searched"),
        ("dataset.labelled.split.group='(.*)'", "cannot be searched"),
    ],
)
def test_what_is_no_space_is_refused(text, told):
    with pytest.raises(UserError) as error:
        parse_space(text)
    assert told in str(error.value)


class TestCheck:
    def test_good_trials_pass(self):
        check_trials(PARAMS, draw_trials(spaces(*SPACES), 4, 1))

    def test_every_different_mistake_is_told_once(self):
        with pytest.raises(ProblemsError) as error:
            check_trials(PARAMS, every_combination(spaces("train.learning_rate=20,0.01", "seed=-1,1,2")))
        assert error.value.problems == (
            "seed: -1 is not allowed; allowed: 0 or more (with train.learning_rate=20 seed=-1)",
            "train.learning_rate: 20 is not allowed; allowed: 10 or less (with train.learning_rate=20 seed=-1)",
        )

    def test_rules_between_values_hold(self):
        with pytest.raises(ProblemsError, match=r"train\.warmup_epochs: 2\.0 leaves nothing of train\.epochs 1"):
            check_trials(PARAMS, every_combination(spaces("train.epochs=1,20")))

    def test_what_only_the_fonts_can_show_is_seen(self, tmp_path):
        shutil.copyfile(PARAMS, tmp_path / "params.yaml")
        shutil.copytree(ROOT / "data/fonts", tmp_path / "data/fonts")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ProblemsError, match=r"DejaVuSans\.ttf"):
            check_trials(tmp_path / "params.yaml", every_combination(spaces("dataset.inputs=empty")))

    def test_a_long_list_is_cut(self):
        values = ",".join(str(value) for value in range(11, 26))
        with pytest.raises(ProblemsError) as error:
            check_trials(PARAMS, every_combination(spaces(f"train.learning_rate={values}")))
        assert error.value.lines[0] == "nothing was queued: 15 problems"
        assert error.value.lines[-1] == "  and 3 more"

    def test_the_file_s_own_mistakes_are_its_own(self, tmp_path):
        text = PARAMS.read_text(encoding="utf-8")
        (tmp_path / "params.yaml").write_text(text.replace("\nseed:", "\nsede:"), encoding="utf-8")
        with pytest.raises(ProblemsError, match="sede: unknown key"):
            check_trials(tmp_path / "params.yaml", [{"seed": 1}])


def test_values_are_written_as_dvc_reads_them(tmp_path):
    """By DVC itself: what arrives in the file is the trial."""
    hydra = pytest.importorskip("dvc.utils.hydra")
    trial = {
        "train.learning_rate": 3e-05,
        "train.include_val": True,
        "train.patience": 0,
        "train.micro_batches": 2,
        "model.width": 1.0,
        "loss.name": "yolov1",
        "dataset.inputs": "data/fonts",
        "dataset.archive_images": 100,
        "train.weight_decay": 1e-3,
    }
    assert assignments({"train.include_val": True, "seed": 1}) == ["train.include_val=true", "seed=1"]
    changed = tmp_path / "params.yaml"
    shutil.copyfile(PARAMS, changed)
    hydra.apply_overrides(changed, assignments(trial))
    sections = dict(zip(Params.model_fields, load_params(changed, *Params.model_fields), strict=True))
    for key, value in trial.items():
        found = reduce(getattr, key.split(".")[1:], sections[key.split(".")[0]])
        assert found == value
        assert type(found) is type(value)


class TestCommand:
    """With something in DVC's place that notes what it is asked."""

    @pytest.fixture
    def asked(self, monkeypatch):
        asked: list[object] = []
        fake = types.ModuleType("humbleyolo.experiments.experiment_queue")
        fake.queue = lambda settings, before: asked.append(settings) or f"name-{before}"  # type: ignore[attr-defined]
        fake.start_workers = asked.append  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "humbleyolo.experiments.experiment_queue", fake)
        monkeypatch.chdir(ROOT)
        return asked

    def call(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["search", *arguments])
        return ended.value.code

    def test_it_queues_and_says_how_to_go_on(self, asked, capsys):
        assert self.call("seed=1,2", "loss.name=iou") == 0
        assert asked == [["seed=1", "loss.name=iou"], ["seed=2", "loss.name=iou"]]
        assert capsys.readouterr().out == (
            "1/2 name-0: seed=1 loss.name=iou\n"
            "2/2 name-1: seed=2 loss.name=iou\n"
            "queued; `dvc queue start --jobs 2` runs them in the background, two at a time\n"
        )

    def test_it_starts_what_it_queued(self, asked, capsys):
        assert self.call("seed=0..9", "--trials", "3", "--seed", "1", "--jobs", "2") == 0
        assert len(asked) == 4
        assert asked[-1] == 2
        assert "started, 2 at a time" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["seed=1", "seed=2"], "seed: is given twice"),
            (["seed=1,2", "--trials", "2"], "--trials and --seed: one without the other"),
            (["seed=1,2", "--seed", "2"], "--trials and --seed: one without the other"),
            (["seed=1,2", "--trials", "0", "--seed", "1"], "--trials 0 is not allowed; allowed: 1 to 100,000"),
            (
                ["seed=1,2", "--trials", "1", "--seed", "-1"],
                "--seed -1 is not allowed; allowed: 0 to 9,223,372,036,854,775,807",
            ),
            (["seed=1,2", "--jobs", "0"], "--jobs 0 is not allowed; allowed: 1 to 1,000"),
            (["seed=1,2", "--stop-hopeless", "0"], "--stop-hopeless 0 is not allowed; allowed: 1 to 100,000"),
            (["seed=1,2", "--stop-hopeless", "3"], "--stop-hopeless: trials are stopped on a cluster alone"),
            (["train.learning_rate=0.01,20"], "train.learning_rate: 20 is not allowed"),
            (["train.learning_rate=0.001..20", "--trials", "9", "--seed", "1"], "nothing was queued"),
        ],
    )
    def test_nothing_is_queued_where_anything_is_wrong(self, arguments, told, asked, capsys):
        assert self.call(*arguments) == 2
        assert told in capsys.readouterr().err
        assert asked == []

    def test_jobs_are_refused_on_a_cluster(self, asked, monkeypatch, capsys):
        monkeypatch.setattr("humbleyolo.process.cluster.find_cluster", lambda: "a cluster")
        assert self.call("seed=1,2", "--jobs", "2") == 2
        assert "--jobs 2: a cluster's workers run the trials" in capsys.readouterr().err

    def test_outside_of_a_project_it_says_so(self, tmp_path, asked, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert self.call("seed=1") == 2
        assert "params.yaml: no such file" in capsys.readouterr().err
