"""The files of a folder that count to DVC: the second opinion is DVC itself."""

from pathlib import Path

import pytest
from dvc.fs import localfs
from dvc.ignore import DvcIgnoreFilter
from hypothesis import example, given
from hypothesis import strategies as st

from humbleyolo.errors import UserError
from humbleyolo.storage.dvc_files import dvc_files

FILES = [
    ".git/index", ".hg/a", "a", "b.txt", "deep/.git", "deep/a", "deep/b.txt", "deep/c/a", "deep/c/d.txt", "ä b",
    ".hidden", "own/.dvc/config", "own/a", "__pycache__/a",
]  # fmt: skip
LAB = "data/lab"


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def of_dvc(folder: Path, root: Path) -> set[str]:
    return {
        Path(file).relative_to(folder).as_posix()
        for file in DvcIgnoreFilter(localfs, str(root)).find(localfs, str(folder))
    }


def of_ours(folder: Path, project: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in dvc_files(folder, project)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("project")
    write(path, ".dvc/config", "other/.dvc/config", "other/a", *(f"{LAB}/{name}" for name in FILES))
    (path / LAB / "link").symlink_to(path / LAB / "deep")
    return path


def test_a_clone_within_counts_without_its_git_folder(root: Path) -> None:
    assert of_ours(root / LAB, root) == {
        "a", "b.txt", "deep/a", "deep/b.txt", "deep/c/a", "deep/c/d.txt", "ä b", ".hidden", "__pycache__/a",
    }  # fmt: skip


PARTS = st.lists(
    st.sampled_from(["a", "b.txt", "*.txt", "deep", "c", "**", "data", "lab", "?", "[ab]*", "*"]),
    min_size=1,
    max_size=3,
)
LINES = st.builds(
    lambda negated, anchored, parts, folder: f"{negated}{anchored}{'/'.join(parts)}{folder}",
    st.sampled_from(["", "", "!"]), st.sampled_from(["", "/"]), PARTS, st.sampled_from(["", "/"]),
)  # fmt: skip
RULES = st.lists(LINES | st.sampled_from(["", "# a remark", "  a  ", "\\#a", "!.git", ".dvcignore"]), max_size=5)


@given(above=RULES, beside=RULES)
@example(above=["*.txt", "!deep/b.txt"], beside=[])
@example(above=["**/"], beside=[])
@example(above=[], beside=["*/"])
@example(above=["/data"], beside=["!lab"])
@example(above=["/data/lab/deep/"], beside=["!/lab/deep/c"])
def test_rules_hold_as_dvc_has_them(root: Path, above: list[str], beside: list[str]) -> None:
    (root / ".dvcignore").write_text("\n".join(above))
    (root / "data/.dvcignore").write_text("\n".join(beside))
    for folder in (root / LAB, root / LAB / "deep", root / LAB / "own", root / "other"):
        assert of_ours(folder, root) == of_dvc(folder, root)


@given(above=RULES)
def test_rules_hold_for_a_project_below_the_root_of_dvc(root: Path, above: list[str]) -> None:
    (root / ".dvcignore").write_text("\n".join(above))
    (root / "data/.dvcignore").unlink(missing_ok=True)
    assert of_ours(root / LAB, root / "data") == of_dvc(root / LAB, root)


def test_a_folder_outside_the_project_counts_whole(root: Path, tmp_path: Path) -> None:
    write(tmp_path, *FILES)
    (root / ".dvcignore").write_text("a\n")
    assert of_ours(tmp_path, root) == of_dvc(tmp_path, root) == set(FILES)


def test_without_dvc_the_rules_are_those_beside_the_project(tmp_path: Path) -> None:
    write(tmp_path, "lab/.git/index", "lab/a", "lab/b")
    (tmp_path / ".dvcignore").write_text("b\n")
    assert of_ours(tmp_path / "lab", tmp_path) == {"a"}


def test_a_line_that_is_no_pattern_is_named(tmp_path: Path) -> None:
    write(tmp_path, "lab/a")
    (tmp_path / ".dvcignore").write_text("a\n!\n")
    with pytest.raises(UserError, match=r"^\.dvcignore:2: '!' is no pattern"):
        list(dvc_files(tmp_path / "lab", tmp_path))
