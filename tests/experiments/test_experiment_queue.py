"""Each command of docs/experiments.md, in its order, and what it says about them. Slow: the experiments run."""

import csv
import re
import time

import pytest
from repository import ROOT
from ruamel.yaml import YAML
from tiny_project import Project

DOCUMENT = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
BLOCKS = [block.splitlines() for block in re.findall(r"^```console\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)]

SHORTER = {
    "-S evaluate.nms_iou=0.6": "-S render.scale=5",  # which needs no TensorFlow
    # Of the grid, as much as needs to be trained: two at once.
    "model.width=0.5,1.0 loss.name=iou,yolov1": "model.width=0.5 loss.name=yolov1",
    "--trials 8": "--trials 3",
}


class Reader:
    """Someone who follows the document in a project."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def run(self, command: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a line of the document and return what it printed."""
        words = command.replace("uv run ", "")
        for long, short in SHORTER.items():
            words = words.replace(long, short)
        done = self.project.command("bash", "-c", words)
        assert done.returncode in codes, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def experiments(self) -> dict[str, str]:
        """Return the commit of each experiment that is done, by name."""
        refs = self.project.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps")
        return {
            words[0].rpartition("/")[2]: words[1]
            for words in map(str.split, refs.splitlines())
            if re.match(r"refs/exps/[0-9a-f]{2}/", words[0])
        }

    def wait_for(self, *names: str) -> None:
        """Wait for experiments of the queue, as the document says: without asking, and starting again."""
        until, again = time.monotonic() + 1500, time.monotonic() + 40
        while not set(names) <= set(self.experiments()):
            assert time.monotonic() < until, self.project.dvc("queue", "status").stdout
            if time.monotonic() > again:
                self.project.dvc("queue", "start", "--jobs", "2")
                again = time.monotonic() + 40
            time.sleep(1)

    def read(self, name: str, file: str) -> dict:
        """Return a YAML file of an experiment."""
        return YAML(typ="safe").load(self.project.git("show", f"{self.experiments()[name]}:{file}"))


def test_the_document_has_no_commands_that_the_test_does_not_see():
    fences = [line for line in DOCUMENT.splitlines() if line.startswith("```")]
    assert set(fences) == {"```console", "```"}
    assert len(BLOCKS) == 8
    for long in SHORTER:
        assert long in DOCUMENT


def test_the_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https)([^)]+)\)", DOCUMENT):
        assert (ROOT / "docs" / target.partition("#")[0]).is_file(), target
    assert (ROOT / ".github/workflows/clone.yml").is_file()


@pytest.mark.slow
def test_each_line_does_what_is_said(project, first_run, tmp_path):
    one, queued, search, compare, push, clone, keep, ci = BLOCKS
    reader = Reader(project)
    project.git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    project.git("remote", "add", "origin", str(tmp_path / "origin"))
    project.dvc("remote", "add", "--default", "storage", str(tmp_path / "storage"))
    project.commit("Name a place to share")
    project.git("push", "--quiet", "origin", "HEAD")
    try:
        check_one(reader, one)
        check_queue(reader, queued)
        check_search(reader, search, first_run[0], tmp_path)
        check_comparison(reader, compare)
        check_sharing(reader, push, clone, keep, tmp_path)
        for line in ci:
            assert "Fits the code and the parameters." in reader.run(line)
    finally:
        project.dvc("queue", "stop", "--kill", check=False)


def check_one(reader, lines):
    before = reader.project.outputs()
    here, back, apart = lines
    reader.run(here)
    assert "learning_rate: 0.003" in (reader.project.path / "params.yaml").read_text()
    reader.run(back)
    assert reader.project.outputs() == before
    reader.run(apart)
    assert reader.project.outputs() == before
    assert reader.project.git("status", "--porcelain") == ""
    assert set(reader.experiments()) == {"careful", "apart"}
    assert reader.read("apart", "params.yaml")["render"]["scale"] == 5


def check_queue(reader, lines):
    """And that the queue runs what was queued, not what has become of it since."""
    project = reader.project
    *queue, start, status, logs = lines
    for line in queue:
        reader.run(line)
    project.set("evaluate.nms_iou", 0.9)
    project.edit(
        "src/humbleyolo/evaluation/inference.py", lambda text: text + "\nraise SystemExit('changed later')\n"
    )
    reader.run(start)
    assert "strict" in reader.run(status)
    reader.wait_for("strict", "loose")
    assert "Running stage 'evaluate'" in reader.run(logs)
    project.git("checkout", ".")
    for name, least in (("strict", 0.1), ("loose", 0.001)):
        evaluate = reader.read(name, "params.yaml")["evaluate"]
        assert evaluate["min_score"] == least
        assert evaluate["nms_iou"] == 0.5
    project.dvc("queue", "stop")


def check_search(reader, lines, first, tmp_path):
    """And that two at once give what they give alone; one of them is looked at."""
    project = reader.project
    grid, drawn, remove = lines
    names = dict(re.findall(r"^\d/2 (\S+): train.learning_rate=(\S+) model", reader.run(grid), re.MULTILINE))
    assert sorted(names.values()) == ["0.003", "0.01"]
    reader.wait_for(*names)
    name, rate = next(iter(names.items()))
    alone = first.copy(tmp_path / name)
    alone.set("train.learning_rate", float(rate))
    alone.set("model.width", 0.5)
    alone.set("loss.name", "yolov1")
    alone.dvc("repro", "train")
    lock = YAML(typ="safe").load(alone.path / "dvc.lock")
    assert reader.read(name, "dvc.lock")["stages"]["train"] == lock["stages"]["train"]
    assert not list((project.path / ".humbleyolo").glob("*.checkpoint"))
    project.dvc("queue", "stop")

    told = reader.run(drawn).splitlines()
    waiting = [re.match(r"(\d)/3 (\S+): train.learning_rate=0\.0\d+ model.width=\d", line) for line in told[:3]]
    assert [match[1] for match in waiting] == list("123")
    removed = reader.run(remove)
    assert all(match[2] in removed for match in waiting)
    assert project.git("status", "--porcelain") == ""


def check_comparison(reader, lines):
    show, table, diff, compare = lines
    assert re.search(r"careful.* 0.003 ", reader.run(show))
    reader.run(table)
    with (reader.project.path / "experiments.csv").open(newline="") as file:
        rows = {row["Experiment"]: row for row in csv.DictReader(file)}
    assert rows["careful"]["train.learning_rate"] == "0.003"
    assert {"apart", "strict", "loose"} <= set(rows)
    assert reader.project.git("status", "--porcelain") == ""  # git ignores the table
    assert "train.learning_rate" in reader.run(diff)
    assert "A: HEAD, B: careful" in reader.run(compare, codes=(0, 1))


def check_sharing(reader, push, clone, keep, tmp_path):
    for line in push:
        reader.run(line)
    reader.project.git("clone", "--quiet", str(tmp_path / "origin"), str(tmp_path / "clone"))
    other = Reader(Project(tmp_path / "clone"))
    listing, pull, apply, repro = clone
    assert "careful" in other.run(listing)
    for line in (pull, apply):
        other.run(line)
    assert "Running stage" not in other.run(repro)
    apply, commit, remove, remove_there = keep
    reader.run(apply)
    assert other.project.outputs() == reader.project.outputs()
    reader.project.git("config", "user.name", "Test")
    reader.run(commit)
    assert reader.project.git("status", "--porcelain") == ""
    reader.run(remove)
    assert "careful" not in reader.experiments()
    reader.run(remove_there)
    assert "careful" not in other.run(listing)
