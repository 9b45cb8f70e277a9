"""Results of `evaluate` at a git revision or in a DVC experiment, from DVC's cache or remote."""

import tempfile
from contextlib import closing
from pathlib import Path, PurePosixPath

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.fs import GitFileSystem
from dvc.repo import Repo
from dvc.scm import SCM, RevError, resolve_rev
from dvc_data.index import DataIndexDirError

from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.archived_split import ENDING, ArchivedSplit
from humbleyolo.errors import UserError
from humbleyolo.evaluation.result_files import read_detections, read_metrics
from humbleyolo.experiments.comparison import Run
from humbleyolo.metrics.tables import TruthTable

_FILES = ("detections.json", "metrics.json")
_SPLIT, _BEFORE = "test", "test.zip"  # the archives of the test split; once it was one file


def read_run(revision: str | None) -> Run:
    """Read the ground truth of the test split, the detections and the threshold of a revision.

    The stage `evaluate` in `dvc.yaml` of that revision names the files; None stands for those as they are now.

    Raises:
        UserError: If there is no such revision, or its results are missing or damaged.
    """
    name = "the working tree" if revision is None else revision
    with tempfile.TemporaryDirectory() as folder:
        try:
            _fetch(revision, Path(folder))
            with ArchivedSplit(Path(folder) / _SPLIT) as archive:
                categories, truths = archive.categories, TruthTable.from_archive(archive)
                file_names = tuple(image.file_name for image in archive.truths())
            detections = read_detections(Path(folder) / "detections.json", truths.image_count, len(categories))
            (threshold,) = read_metrics(Path(folder) / "metrics.json", "threshold")
            return Run(name, categories, truths, detections, threshold, file_names)
        except UserError as error:
            first, *more = (line.replace(f"{folder}/", "") for line in error.lines)
            raise UserError(f"{name}: {first}", *more) from None
        except RevError:
            fix = "give a folder that `score --output` wrote, or a commit, branch, tag or DVC experiment"
            raise UserError(f"{name}: no such folder, and no revision that git knows; {fix}") from None
        except (DvcException, OSError) as error:
            raise UserError(
                f"{name}: its results cannot be read ({error}); commit dvc.lock after `dvc repro`, and use "
                "`dvc pull` or the machine that it ran on to have what it names"
            ) from None


def is_revision(name: str) -> bool:
    """Tell if git, or DVC's experiments, know a name in this folder."""
    try:
        with closing(SCM(".")) as scm:
            resolve_rev(scm, name)
    except DvcException:  # unknown, or there is no repository
        return False
    return True


def _open(revision: str | None) -> DVCFileSystem:
    """Open a revision of the project, which may lie in a folder of a repository: DVC would look at the top alone."""
    if revision is None:
        return DVCFileSystem()
    scm = SCM(".")
    inside = Path(Repo.find_root()).resolve().relative_to(Path(scm.root_dir).resolve())
    files = GitFileSystem(scm=scm, rev=revision)
    return DVCFileSystem(Repo(str(PurePosixPath("/", inside.as_posix())), fs=files, scm=scm))


def _fetch(revision: str | None, folder: Path) -> None:
    """Copy the files of a revision that are compared into a folder, and its test split's archives beside them."""
    files = _open(revision)
    root = Path(files.repo.root_dir)
    stage = files.repo.stage.load_one(str(root / "dvc.yaml"), name="evaluate")
    named = [PurePosixPath(Path(one.fs_path).relative_to(root)) for one in [*stage.deps, *stage.outs]]
    copied = {file: path for path in named for file in _FILES if path.name == file}
    for path in named:
        if path.name == _BEFORE:
            copied[f"{_SPLIT}/{ALL}{ENDING}"] = path
        elif path.name == _SPLIT:  # of the archives, or of the arrays
            copied |= {f"{_SPLIT}/{one.name}": one for one in _archives(files, path)}
    (folder / _SPLIT).mkdir()
    for file in (*_FILES, _SPLIT):
        if not any(name.startswith(file) for name in copied):
            if splits := [str(path) for path in named if path.name == file]:
                raise FileNotFoundError(f"{' and '.join(splits)} hold no archive")
            raise UserError(f"dvc.yaml names no {file} for the stage evaluate")
    for file, path in copied.items():
        files.get_file(str(path), str(folder / file))


def _archives(files: DVCFileSystem, folder: PurePosixPath) -> list[PurePosixPath]:
    try:
        found = files.find(str(folder))
    except DataIndexDirError:  # no DvcException, and it says nothing of why
        raise FileNotFoundError(f"{folder} is in no cache or remote here") from None
    return [one for one in map(PurePosixPath, found) if one.suffix == ENDING]
