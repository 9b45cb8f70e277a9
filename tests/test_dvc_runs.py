"""What DVC runs after a change, by its own words. Slow: each stage that runs is a process of its own."""

import textwrap

import pytest
from ruamel.yaml import YAML
from tiny_project import Project

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


def sets(key, value):
    return lambda project: project.set(key, value)


def edits(name, change):
    return lambda project: project.edit(name, change)


CHANGED = ["params.yaml", "README.md", "src/humbleyolo/loss.py", "tests/test_params.py"]
TABLE = [
    (sets("seed", 2), ALL),
    (sets("dataset.synthetic.images.test", 5), ["generate", "encode", "evaluate", "render"]),
    (sets("encode.cols", 4), ["encode", "train", "evaluate", "render"]),
    (sets("train.learning_rate", 0.002), ["train", "evaluate", "render"]),
    (sets("evaluate.min_score", 0.999), ["evaluate", "render"]),
    (sets("render.scale", 2), ["render"]),
    (edits("src/humbleyolo/loss.py", lambda text: text + "# A comment.\n"), ["train"]),
    (edits("README.md", lambda text: text + "More.\n"), []),
    (edits("tests/test_params.py", lambda text: text + "# More.\n"), []),
    (edits("params.yaml", reverse_keys), []),
    (edits("params.yaml", lambda text: "# A comment.\n" + text.replace("seed: 2", "seed: 2 # of all")), []),
]


def test_a_clone_without_the_cache_builds_the_same_bytes(first_run, tmp_path):
    first, _ = first_run
    first.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert clone.repro().run == ALL
    assert clone.outputs() == first.outputs()
    assert clone.git("status", "--porcelain") == ""  # dvc.lock and metrics.json are those committed
    assert clone.repro().skipped == ALL


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


class TestExperimentsRunTheCodeTheyWereStartedWith:
    """Not the installed copy, and not what has become of the working tree since."""

    @pytest.fixture
    def leave_mark(self, project, tmp_path):
        """Make `generate` write where it ran from, and a word, into a file."""
        source = project.path / "src/humbleyolo/dataset.py"
        original = source.read_text()

        def leave(word):
            mark = textwrap.dedent(f"""
                Path({str(tmp_path / "mark")!r}).write_text({word!r} + " " + __file__)
            """)
            source.write_text(original + mark)

        return leave

    def test_in_a_temporary_folder(self, project, leave_mark, tmp_path):
        leave_mark("changed")
        project.dvc("exp", "run", "--temp", "generate")
        word, file = (tmp_path / "mark").read_text().split()
        assert word == "changed"
        assert file.startswith(str(project.path / ".dvc/tmp/exps"))

    def test_from_the_queue(self, project, leave_mark, tmp_path):
        leave_mark("queued")
        project.dvc("exp", "run", "--queue", "generate")
        leave_mark("later")
        project.dvc("exp", "run", "--run-all")
        word, file = (tmp_path / "mark").read_text().split()
        assert word == "queued"
        assert file.startswith(str(project.path / ".dvc/tmp/exps"))
