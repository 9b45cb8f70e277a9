import json
import re
import shlex

import pytest
from documents import section
from repository import ROOT
from tiny_project import TINY_LABELLED, label_images

README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")


def commands(document):
    blocks = re.findall(r"^```console\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def runs_in_ci(command):
    return re.search(rf"^\s*{re.escape(command)}\s*(#.*)?$", CI, re.MULTILINE) is not None


def test_there_are_no_commands_that_the_tests_do_not_see():
    fences = [line for line in README.splitlines() if line.startswith("```")]
    assert set(fences) == {"```console", "```"}
    assert len(commands(README)) > 5
    inline = re.findall(r"`(uv run [^`]+)`", README)
    assert inline == ["uv run humbleyolo --help"]  # tests/commands/test_cli.py runs it


def test_what_curve_says_is_quoted_from_a_run():
    page = (ROOT / "docs/more-images.md").read_text(encoding="utf-8")
    quoted = re.findall(r'"([^"]+ more images are worth [^"]+)"', README)
    assert quoted
    assert all(f"\n{one}\n" in page for one in quoted)


def test_the_two_main_commands_are_ci_s():
    bring_uv, first, second = commands(README)[:3]
    assert bring_uv == (
        'python3 -m venv .uv && .uv/bin/pip install uv && export PATH="$PATH:$PWD/.uv/bin"'
    )  # tests/documents/test_first_command.py runs it
    assert first == "uv run dvc repro"
    assert second == "uv run pytest"
    assert runs_in_ci(bring_uv)
    assert runs_in_ci(first)
    assert runs_in_ci(second)


def test_every_command_for_contributors_is_ci_s():
    for command in commands((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        assert runs_in_ci(command), command


ELSEWHERE = {"uv run humbleyolo verify"}  # tests/experiments/test_verification.py runs it
CHEAPER = {  # experiments that train nothing, and evaluate once; test_experiment_queue.py runs such as are written
    "train.learning_rate=0.003": "evaluate.min_score=0.002",
    "train.learning_rate=0.002": "render.scale=5",
    "evaluate.nms_iou=0.6": "render.scale=4",
}


@pytest.mark.slow
def test_every_other_command_works(project):
    project.set("render.scale", 2)  # the reader's change
    for name in ("mine", "bccd"):
        label_images(project.path / "data/labelled" / name)
    ran, until, said = [], [], ""
    others = commands(README.replace(section(README, "Share"), ""))  # tests/chain/test_sharing.py runs those
    for command in others:
        if (not runs_in_ci(command) or command == "uv run dvc repro") and command not in ELSEWHERE:
            words = [CHEAPER.get(word, word) for word in shlex.split(command)]
            words += until if command == "uv run dvc repro" else []
            said += project.command(*(words[2:] if words[:2] == ["uv", "run"] else words), check=True).stdout
            ran.append(command)
        if command.startswith("git checkout"):
            until = []
        elif "params --from" in command or "humbleyolo init" in command:
            until = ["encode"]  # the rest of the chain runs in test_dvc_runs.py and test_first_detector.py
            for key, value in TINY_LABELLED.items():
                if "--from" in command or key in ("train.epochs", "train.warmup_epochs"):  # ten minutes are long
                    project.set(key, value)
    assert len(ran) == len(others) - 2 - len(ELSEWHERE)
    assert all(word in README for word in CHEAPER)
    assert re.search(r"10 minutes at [\d.]+ s a step", " ".join(said.split()))  # measured by `init`
    assert (project.path / "dvc_plots/index.html").stat().st_size > 10_000


def test_the_files_that_it_names_exist():
    for target in re.findall(r"\]\(([^)]+)\)|<img src=\"([^\"]+)\"", README):
        target = target[0] or target[1]
        assert (ROOT / target).is_file(), target


def test_the_table_of_results_is_that_of_the_committed_run():
    file = ROOT / "data/evaluation/metrics.json"
    if not file.is_file():
        pytest.skip("no run is committed")
    metrics = json.loads(file.read_text(encoding="utf-8"))
    columns = ["ap", "ap50", "ap75", "ar100", "mean_iou"]
    rows = {"all": metrics, **metrics["per_class"]}
    table = "".join(
        f"| {name} | {' | '.join(f'{row[column]:.3f}' for column in columns)} |\n" for name, row in rows.items()
    )
    assert table in README, f"the table should be\n{table}"
