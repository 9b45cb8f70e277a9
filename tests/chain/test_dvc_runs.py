"""What DVC runs after a change, by its own words. Slow: each stage that runs is a process of its own."""

import json
import os
import shutil
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ruamel.yaml import YAML
from tiny_project import TINY_LABELLED, Project, label_images

pytestmark = pytest.mark.slow

ALL = ["generate", "encode", "train", "evaluate", "render"]


def reverse_keys(text):
    """Return params.yaml with its sections in the opposite order."""
    head, *sections = text.split("\n\n")
    return "\n\n".join([head, *reversed([section.strip("\n") for section in sections])]) + "\n"


def test_only_what_depends_on_a_change_runs_and_a_change_undone_runs_nothing(first_run, project):
    assert first_run[1].run == ALL
    assert project.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    assert project.repro().skipped == ALL
    before, texts = project.outputs(), {name: (project.path / name).read_bytes() for name in CHANGED}

    project.set("dataset.synthetic.images.test", 5)
    assert project.repro("encode").run == ["generate", "encode"]
    assert stale(project) == {"evaluate", "render"}  # the network has not seen them
    for change, expected in TABLE:
        change(project)
        assert project.repro().run == expected, change

    for name, text in texts.items():
        (project.path / name).write_bytes(text)
    undone = project.repro()
    assert undone.run == []
    assert sorted(undone.restored + undone.skipped) == sorted(ALL)
    assert undone.restored
    assert project.outputs() == before
    assert project.git("status", "--porcelain") == ""


def stale(project):
    """Return the stages whose inputs are others than they ran on, as far as DVC knows before it runs any."""
    return set(json.loads(project.dvc("status", "--json").stdout))


def sets(key, value):
    return lambda project: project.set(key, value)


def edits(name, change):
    return lambda project: project.edit(name, change)


# tests/chain/test_cache.py holds which stages each value and each file makes stale; here is what runs after them.
CHANGED = ["params.yaml", "README.md", "src/humbleyolo/synthetic/painter.py", "stages/encode.py"]
TABLE = [
    (sets("train.learning_rate", 0.002), ["train", "evaluate", "render"]),
    (sets("render.scale", 2), ["render"]),
    (edits("src/humbleyolo/synthetic/painter.py", lambda text: text + "# A comment.\n"), ["generate"]),
    (edits("stages/encode.py", lambda text: text + "# A comment.\n"), ["encode"]),
    (edits("README.md", lambda text: text + "More.\n"), []),
    (edits("params.yaml", lambda text: "# More.\n" + reverse_keys(text.replace("seed: 1", "seed: 1 # of all"))), []),
]


def circumstances(home):
    """Return what to run a command under to have another time, home, language, order of hashes, mask and cores."""
    variables = {"HOME": home, "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7", "COLUMNS": "40"}
    under = ["sh", "-c", 'umask 077; exec "$@"', "sh", "env", *(f"{name}={variables[name]}" for name in variables)]
    if shutil.which("taskset"):
        under += ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
    if shutil.which("faketime"):
        under += ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "faketime", "-f", "+400d"]
    return under


def test_a_clone_elsewhere_and_under_other_circumstances_builds_the_same_bytes(first_run, tmp_path):
    first, _ = first_run
    path, home = tmp_path / "another folder/ä", tmp_path / "home"
    home.mkdir()
    (home / ".keras").mkdir()
    (home / ".keras/keras.json").write_text(
        '{"floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first", "backend": "jax"}'
    )
    first.git("clone", "--quiet", ".", str(path))
    clone = Project(path, circumstances(home))
    if shutil.which("faketime"):
        assert int(clone.command("date", "+%s").stdout) > time.time() + 300 * 86_400
    assert clone.repro().run == ALL
    if shutil.which("taskset"):
        record = json.loads((path / ".humbleyolo/environment/train.json").read_text())["environment"]
        assert (record["cores"], record["intra_op_threads"]) == ("1", "2")
    assert clone.outputs() == first.outputs()
    assert clone.git("status", "--porcelain") == ""  # dvc.lock and metrics.json are those committed
    assert clone.repro().skipped == ALL


@pytest.fixture(scope="module")
def labelled_run(first_run, tmp_path_factory):
    project = first_run[0].copy(tmp_path_factory.mktemp("labelled") / "project")
    label_images(project.path / "data/labelled/bccd")
    project.lay_over("bccd")
    for key, value in TINY_LABELLED.items():
        project.set(key, value)
    assert project.repro().run == ALL
    return project


class TestLabelledImages:
    """Of a folder in `data/labelled`, with the ready-made parameters."""

    @pytest.fixture
    def labelled(self, labelled_run, tmp_path):
        return labelled_run.copy(tmp_path / "project")

    def test_the_chain_runs_and_a_label_changed_makes_it_stale(self, labelled):
        assert labelled.repro().run == []
        before = labelled.outputs()
        label = labelled.path / "data/labelled/bccd/Annotations/0.xml"
        text = label.read_text()
        label.write_text(text.replace("RBC", "WBC"))
        assert labelled.repro("encode").run == ["generate", "encode"]
        assert labelled.outputs() != before
        assert "train" in stale(labelled)
        label.write_text(text)
        assert labelled.repro().run == []
        assert labelled.outputs() == before

    def test_a_mistake_in_a_label_leaves_everything_as_it_was(self, labelled):
        before = labelled.outputs()
        labelled.set("dataset.labelled.on_problem", "error")
        label = labelled.path / "data/labelled/bccd/Annotations/0.xml"
        label.write_text(label.read_text().replace("<xmin>", "<xmin>9"))
        done = labelled.dvc("repro", check=False)
        assert done.returncode != 0
        assert "Annotations/0.xml: object 1 (line 3): " in done.stderr
        assert labelled.outputs() == before

    def test_git_ignores_the_folder_and_dvc_can_keep_it(self, labelled):
        assert "data/labelled" not in labelled.git("status", "--porcelain", "--untracked-files=all")
        labelled.dvc("add", "data/labelled/bccd")
        status = labelled.git("status", "--porcelain", "--untracked-files=all")
        assert "?? data/labelled/bccd.dvc" in status
        assert "data/labelled/bccd/" not in status
        assert labelled.repro().run == []
        labelled.commit("Keep it")
        before = labelled.outputs()
        apart = labelled.dvc("exp", "run", "--temp", "-S", "render.scale=2").stdout
        assert "Stage 'generate' didn't change" in apart  # in another folder, which has the images from DVC's cache
        assert "Running stage 'render'" in apart
        assert labelled.outputs() == before


def test_the_columns_that_are_plotted_exist(first_run):
    first, _ = first_run
    for plot in YAML(typ="safe").load(first.path / "dvc.yaml")["plots"]:
        ((title, options),) = plot.items()
        for file, columns in options["y"].items():
            present = (first.path / file).read_text().partition("\n")[0].split(",")
            wanted = [options["x"], *([columns] if isinstance(columns, str) else columns)]
            assert set(wanted) <= set(present), title


@pytest.mark.parametrize(
    ("setting", "stage", "lost"),
    [
        ("seed=-1", "generate", set()),
        ("train.epochs=-1", "train", set()),
        (  # DVC removed them; git has them
            "evaluate.min_score=2",
            "evaluate",
            {"data/evaluation/metrics.json", "data/evaluation/headline.json"},
        ),
    ],
)
def test_an_experiment_with_a_wrong_parameter_fails_before_any_work(setting, stage, lost, project):
    before = project.outputs()
    done = project.dvc("exp", "run", "-S", setting, check=False)
    assert done.returncode != 0
    key, value = setting.split("=")
    assert f": {key}: {value} is not allowed; allowed: " in done.stderr
    assert "exited with 2" in done.stderr
    assert done.stdout.count("Running stage") == 1
    assert f"Running stage '{stage}'" in done.stdout
    after = project.outputs()
    assert {name for name in before if after.get(name) != before[name]} == lost
    assert set(after) <= set(before)

    project.git("checkout", "params.yaml")
    assert project.repro().run == []
    assert project.outputs() == before
    assert project.git("status", "--porcelain") == ""


def test_an_experiment_says_what_the_one_before_has_left(project):
    first = project.dvc("exp", "run", "-S", "evaluate.bins=10")
    assert "by 1 value: evaluate.bins 10 (there 20);" in " ".join(first.stderr.split())
    second = project.dvc("exp", "run", "-S", "evaluate.nms_iou=0.6")
    told = " ".join(second.stderr.split())
    assert "by 2 values: evaluate.nms_iou 0.6 (there 0.5), evaluate.bins 10 (there 20);" in told
    project.git("checkout", ".")
    project.dvc("checkout")
    apart = project.dvc("exp", "run", "--temp", "-S", "evaluate.nms_iou=0.6")
    assert "by 1 value: evaluate.nms_iou 0.6 (there 0.5);" in " ".join(apart.stderr.split())


class TestExperimentsRunTheCodeTheyWereStartedWith:
    """Not the installed copy, and not what has become of the working tree since."""

    @pytest.fixture
    def leave_mark(self, project, tmp_path):
        """Make `generate` write where it ran from, and a word, into a file."""
        source = project.path / "src/humbleyolo/dataset/summary.py"
        original = source.read_text()

        def leave(word):
            mark = textwrap.dedent(f"""
                Path({str(tmp_path / "mark")!r}).write_text({word!r} + " " + __file__)
            """)
            source.write_text(original + mark)

        return leave

    def test_in_a_temporary_folder(self, project, leave_mark, tmp_path):
        leave_mark("changed")
        project.edit(
            "stages/encode.py",
            lambda text: text.replace("    ceilings, ", '    print("as it was")\n    ceilings, ', 1),
        )
        wait = f"""
import time
while not Path({str(tmp_path / "go")!r}).exists():
    time.sleep(0.1)
"""
        project.edit("src/humbleyolo/dataset/summary.py", lambda text: text + wait)  # `generate` waits for the change
        with ThreadPoolExecutor(1) as background:
            run = background.submit(project.dvc, "exp", "run", "--temp", "encode")
            while not (tmp_path / "mark").exists():
                assert not run.done(), run.result()
                time.sleep(0.1)
            project.edit("stages/encode.py", lambda text: text.replace("as it was", "as it is now"))
            (tmp_path / "go").touch()
        word, file = (tmp_path / "mark").read_text().split()
        assert word == "changed"
        assert file.startswith(str(project.path / ".dvc/tmp/exps"))
        assert "as it was\n" in run.result().stdout

    def test_from_the_queue(self, project, leave_mark, tmp_path):
        leave_mark("queued")
        project.dvc("exp", "run", "--queue", "generate")
        leave_mark("later")
        project.dvc("exp", "run", "--run-all")
        word, file = (tmp_path / "mark").read_text().split()
        assert word == "queued"
        assert file.startswith(str(project.path / ".dvc/tmp/exps"))
