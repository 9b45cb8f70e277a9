"""`humbleyolo params --from` and `--update`, as a user calls them."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from params_text import DEFAULT
from repository import ROOT

from humbleyolo.cli import main

BCCD = str(ROOT / "examples/bccd.yaml")
COMMIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "-qam"]
VALIDATION = DEFAULT[DEFAULT.index("  validation:") : DEFAULT.index("  augment:")]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with its parameters and fonts, in git, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(DEFAULT, encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/fonts").symlink_to(ROOT / "data/fonts")
    run(["git", "init", "-q", "-b", "theirs"])
    run(["git", "add", "params.yaml"])
    run([*COMMIT, "Begin"])
    return tmp_path / "params.yaml"


def run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def params(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["params", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


class TestFrom:
    def test_it_says_what_it_changed_in_lines_of_the_screen(
        self, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("hard", "bccd"):
            file.write_text(DEFAULT)
            assert params("--from", os.path.relpath(ROOT / "examples" / f"{name}.yaml")) == 0
            lines = capsys.readouterr().out.splitlines()
            count = int(lines[0].removeprefix("params.yaml: ").split()[0])
            changes = lines[1 : count + 1]
            assert all(" -> " in line and len(line) <= 80 for line in changes)
        assert "  encode.rows: 2 -> 15" in changes
        assert lines[count + 1].startswith("note: dataset.inputs: 'data/labelled/bccd' does not exist")

    def test_twice_is_once(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert params("--from", BCCD) == 0
        once = file.read_bytes(), file.stat().st_ino
        capsys.readouterr()
        assert params("--from", BCCD) == 0
        assert (file.read_bytes(), file.stat().st_ino) == once
        assert capsys.readouterr().out == f"params.yaml: has the values of {BCCD} already; nothing changed\n"

    def test_an_edit_that_stays_is_told(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file.write_text(DEFAULT.replace("\nseed: 1 ", "\nseed: 7 ").replace("  epochs: 20", "  epochs: 30"))
        assert params("--from", BCCD) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert "train.epochs: 30 -> 80" in told
        assert "All other values stay, of which these are not as committed: seed." in told
        assert "`git checkout params.yaml`" in told
        assert "\nseed: 7 " in file.read_text()

    @pytest.mark.parametrize(
        ("example", "told"),
        [
            ("train:\n  epoch: 3\n", "line 2: train.epoch: unknown key; did you mean epochs?"),
            ("train:\n  epochs: 0\n", "train.epochs: 0 is not allowed; allowed: 1 or more"),
            ("train: [", "not YAML"),
            ("", "holds no values"),
        ],
    )
    def test_a_mistake_leaves_the_file_as_it_was(
        self, example: str, told: str, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("mine.yaml").write_text(example)
        assert params("--from", "mine.yaml") == 2
        assert told in capsys.readouterr().err
        assert file.read_text() == DEFAULT

    def test_an_example_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert params("--from", "bcd.yaml") == 2
        assert "bcd.yaml: no such file" in capsys.readouterr().err

    def test_a_read_only_file_is_told_and_stays(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file.chmod(0o444)
        assert params("--from", BCCD) == 2
        assert "params.yaml: cannot be written: it is read-only; `chmod u+w " in capsys.readouterr().err
        assert file.read_text() == DEFAULT

    def test_permissions_and_links_stay(self, file: Path) -> None:
        file.rename("mine.yaml")
        file.symlink_to("mine.yaml")
        Path("mine.yaml").chmod(0o640)
        assert params("--from", BCCD) == 0
        assert file.is_symlink()
        assert stat.S_IMODE(Path("mine.yaml").stat().st_mode) == 0o640
        assert "lambda_coord: 15.0" in file.read_text()

    def test_outside_git_and_for_another_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run(["rm", "-rf", ".git"])
        Path("other.yaml").write_text(DEFAULT.replace("\r", ""))
        assert params("--from", BCCD, "other.yaml") == 0
        assert "other.yaml: 2" in capsys.readouterr().out
        assert Path("params.yaml").read_text() == DEFAULT


class TestUpdate:
    def test_it_adds_what_the_last_commit_has(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file.write_text(DEFAULT.replace(VALIDATION, "").replace("\nseed: 1 ", "\nseed: 7 "))
        assert params() == 2
        assert "train.validation: is missing; `humbleyolo params --update` adds it" in capsys.readouterr().err
        assert params("--update") == 0
        assert file.read_text() == DEFAULT.replace("\nseed: 1 ", "\nseed: 7 ")
        told = capsys.readouterr().out.splitlines()
        assert told[0].startswith("params.yaml: has 1 new key, from params.yaml of commit ")
        assert told[1].startswith("  train.validation: {min_score: 0.01, nms_iou: 0.5, ")
        assert params("--update") == 0
        assert capsys.readouterr().out == "params.yaml: lacks no key; nothing changed\n"

    def test_a_merge_that_dropped_a_key_does_not_hide_it(self, file: Path) -> None:
        """The older file was committed, and stayed in a merge with the newer version."""
        run(["git", "checkout", "-q", "--orphan", "mine"])
        file.write_text(DEFAULT.replace(VALIDATION, ""))
        run([*COMMIT, "Begin without it"])
        merge = ["merge", "-q", "-s", "ours", "--allow-unrelated-histories", "-m", "Keep mine", "theirs"]
        run([*COMMIT[:-2], *merge])
        assert "validation" not in run(["git", "show", "HEAD:params.yaml"])
        assert params("--update") == 0
        assert file.read_text() == DEFAULT

    def test_a_file_kept_elsewhere(self, tmp_path: Path, file: Path) -> None:
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept/mine.yaml").write_text(DEFAULT.replace(VALIDATION, ""))
        assert params("--update", "kept/mine.yaml") == 0
        assert (tmp_path / "kept/mine.yaml").read_text() == DEFAULT

    def test_without_git_a_template_is_named(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run(["rm", "-rf", ".git"])
        file.rename("newer.yaml")
        file.write_text(DEFAULT.replace(VALIDATION, ""))
        assert params("--update") == 2
        assert "--template" in capsys.readouterr().err
        assert params("--update", "--template", "newer.yaml") == 0
        assert file.read_text() == DEFAULT
        assert "from newer.yaml" in capsys.readouterr().out

    def test_options_that_do_not_go_together(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert params("--template", "params.yaml") == 2
        assert "--template: goes with --update alone" in capsys.readouterr().err
        assert params("--update", "--from", BCCD) == 2
