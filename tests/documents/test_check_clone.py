"""The check of a clone without data, and the workflow that calls it."""

import hashlib
import json
import re
import runpy

import pytest
from repository import ROOT
from ruamel.yaml import YAML
from tiny_project import Project

SCRIPT = ".ci/check_clone.py"
WORKFLOW = ROOT / ".github/workflows/clone.yml"
HEADLINE = "data/evaluation/headline.json"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / SCRIPT))


class TestWhatDvcSaysOfAStage:
    @pytest.fixture(autouse=True)
    def in_the_project(self, monkeypatch):
        monkeypatch.chdir(ROOT)  # whose .gitignore says what DVC keeps

    def test_data_that_is_not_there_is_no_change(self, script):
        absent = [
            {"changed deps": {"data/grid/train": "deleted"}},
            {"changed outs": {"data/model/weights.npz": "not in cache", "data/model/model.json": "deleted"}},
        ]
        assert list(script["changes"](absent)) == []

    @pytest.mark.parametrize(
        ("entry", "told"),
        [
            ("changed command", "changed command"),
            ({"changed deps": {"src/a.py": "modified"}}, "src/a.py: modified"),
            ({"changed deps": {"params.yaml": {"train": "modified"}}}, "params.yaml: train modified"),
            ({"changed outs": {HEADLINE: "deleted"}}, f"{HEADLINE}: deleted"),  # git has it, not DVC
            ({"changed outs": {HEADLINE: "modified"}}, f"{HEADLINE}: modified"),
        ],
    )
    def test_all_else_is_one(self, entry, told, script):
        assert list(script["changes"]([{"changed deps": {"data": "deleted"}}, entry])) == [told]

    def test_a_long_list_is_cut(self, script):
        shown = script["shorten"]([f"src/{number}.py: modified" for number in range(8)])
        assert shown[-2:] == ["src/4.py: modified", "3 more"]


class TestWorkflow:
    @pytest.fixture
    def workflow(self):
        return YAML(typ="safe").load(WORKFLOW)

    def test_it_calls_the_script_with_the_locked_dvc(self, workflow):
        steps = workflow["jobs"]["check"]["steps"]
        commands = " ".join(step.get("run", "") for step in steps)
        assert f"uv run --locked --only-group dvc python {SCRIPT} HEAD^" in commands
        assert (ROOT / SCRIPT).is_file()
        (checkout,) = [step for step in steps if "uses" in step]
        assert checkout["with"]["fetch-depth"] >= 2  # has HEAD^

    def test_nothing_of_a_third_party_runs(self, workflow):
        used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
        assert [action.partition("@")[0] for action in used] == ["actions/checkout"]

    def test_what_runs_the_commit_s_code_cannot_write(self, workflow):
        assert workflow["permissions"] == {}
        assert workflow["jobs"]["check"]["permissions"] == {"contents": "read"}
        comment = workflow["jobs"]["comment"]
        assert comment["permissions"] == {"pull-requests": "write"}
        assert [list(step) for step in comment["steps"]] == [["run", "env"]]
        for job in workflow["jobs"].values():  # what others wrote comes in by the environment, never as code
            for step in job["steps"]:
                assert "${{" not in step.get("run", "")

    def test_the_comment_is_what_the_check_printed(self, workflow):
        report = workflow["jobs"]["comment"]["steps"][0]["env"]["REPORT"]
        assert report == "${{ needs.check.outputs.report }}"
        assert workflow["jobs"]["check"]["outputs"]["report"] == "${{ steps.check.outputs.report }}"


@pytest.mark.slow
class TestInAFreshClone:
    @pytest.fixture
    def clone(self, first_run, tmp_path):
        first, _ = first_run
        first.git("clone", "--quiet", ".", str(tmp_path / "clone"))
        clone = Project(tmp_path / "clone")
        clone.git("config", "user.name", "Test")
        clone.git("config", "user.email", "test@example.org")
        return clone

    def change_lock(self, clone, stage, path, digest, size):
        """Record another content of an output, as a run would."""
        yaml = YAML()
        lock = yaml.load(clone.path / "dvc.lock")
        (out,) = [out for out in lock["stages"][stage]["outs"] if out["path"] == path]
        out["md5"], out["size"] = digest, size
        yaml.dump(lock, clone.path / "dvc.lock")

    def test_a_committed_run_passes_and_its_metrics_are_told(self, clone, tmp_path):
        headline = json.loads((clone.path / HEADLINE).read_text()) | {"ap": 0.5}
        content = json.dumps(headline).encode()
        (clone.path / HEADLINE).write_bytes(content)
        self.change_lock(clone, "evaluate", HEADLINE, hashlib.md5(content).hexdigest(), len(content))
        clone.commit("Get better")
        before = clone.outputs()
        done = clone.command("env", f"GITHUB_STEP_SUMMARY={tmp_path / 'summary'}", "python", SCRIPT, check=True)
        assert "Fits the code and the parameters." in done.stdout
        assert re.search(rf"^\| {HEADLINE} +\| ap +\| 0.0 +\| 0.5 +\| 0.5 +\|$", done.stdout, re.MULTILINE)
        assert "ap50" not in done.stdout  # as it was
        assert "### Parameters that differ from `HEAD^`\n\nNone.\n" in done.stdout
        assert (tmp_path / "summary").read_text() == done.stdout
        assert clone.outputs() == before
        assert clone.git("status", "--porcelain") == ""

    def test_a_change_without_a_run_fails_and_says_what_to_do(self, clone, tmp_path):
        clone.set("train.learning_rate", 0.002)
        clone.edit("src/humbleyolo/metrics/matching.py", lambda text: text + "# More.\n")
        (clone.path / "data/evaluation/metrics.json").unlink()
        clone.commit("Forget to run it")
        done = self.run_as_the_workflow_does(clone, tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("error: dvc.lock is out of date: encode, train, evaluate, render; ")
        assert "Run `uv run dvc repro` and commit what it writes:\n" in done.stdout
        assert "- `train`: src/humbleyolo/metrics: modified; params.yaml: train modified\n" in done.stdout
        assert "data/evaluation/metrics.json: deleted" in done.stdout
        assert re.search(r"\| train.learning_rate +\| 0.015 +\| 0.002 +\|", done.stdout)
        first, *report, last = (tmp_path / "output").read_text().splitlines(keepends=True)
        assert first == f"report<<{last}"  # what the comment is made of
        assert "".join(report) == done.stdout

    def run_as_the_workflow_does(self, clone, folder):
        """Run the step of the workflow, with this environment's programs in place of those that `uv` would bring."""
        (step,) = [one for one in YAML(typ="safe").load(WORKFLOW)["jobs"]["check"]["steps"] if "id" in one]
        (folder / "bin").mkdir()
        uv = folder / "bin/uv"
        uv.write_text('#!/bin/sh\nshift 4 # run --locked --only-group dvc\nexec "$@"\n')
        uv.chmod(0o755)
        lines = [
            f'export PATH="{folder}/bin:$PATH" RUNNER_TEMP="{folder}" GITHUB_OUTPUT="{folder}/output"',
            step["run"],
        ]
        return clone.command("bash", "-e", "-c", "\n".join(lines))

    def test_a_run_of_one_stage_alone_fails(self, clone):
        self.change_lock(clone, "train", "data/model/weights.npz", "0" * 32, 1)
        clone.commit("Run train, and no more")
        done = clone.command("python", SCRIPT)
        assert done.returncode == 1
        assert "- `evaluate`: its inputs in dvc.lock are not what the stages before it wrote\n" in done.stdout

    def test_a_base_that_is_not_there_is_told(self, clone):
        done = clone.command("python", SCRIPT, "origin/elsewhere")
        assert done.returncode == 2
        assert done.stdout == ""
        assert "origin/elsewhere: no such commit here" in done.stderr
