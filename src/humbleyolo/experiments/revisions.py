"""Results of `evaluate` at a git revision or in a DVC experiment, from DVC's cache or remote."""

import tempfile
from pathlib import Path, PurePosixPath

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.fs import GitFileSystem
from dvc.repo import Repo
from dvc.scm import SCM

from humbleyolo.dataset.archive import Archive
from humbleyolo.errors import UserError
from humbleyolo.evaluation.result_files import read_detections, read_metrics
from humbleyolo.experiments.comparison import Run
from humbleyolo.metrics.tables import TruthTable

_FILES = ("test.zip", "detections.json", "metrics.json")


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
            with Archive(Path(folder) / "test.zip") as archive:
                categories, truths = archive.categories, TruthTable.from_archive(archive)
                file_names = tuple(image.file_name for image in archive.truths())
            detections = read_detections(Path(folder) / "detections.json", truths.image_count, len(categories))
            (threshold,) = read_metrics(Path(folder) / "metrics.json", "threshold")
            return Run(name, categories, truths, detections, threshold, file_names)
        except UserError as error:
            raise UserError(f"{name}: {str(error).replace(folder + '/', '')}") from None
        except (DvcException, OSError) as error:
            raise UserError(
                f"{name}: its results cannot be read ({error}); commit dvc.lock after `dvc repro`, and use "
                "`dvc pull` or the machine that it ran on to have what it names"
            ) from None


def _open(revision: str | None) -> DVCFileSystem:
    """Open a revision of the project, which may lie in a folder of a repository: DVC would look at the top alone."""
    if revision is None:
        return DVCFileSystem()
    scm = SCM(".")
    inside = Path(Repo.find_root()).resolve().relative_to(Path(scm.root_dir).resolve())
    files = GitFileSystem(scm=scm, rev=revision)
    return DVCFileSystem(Repo(str(PurePosixPath("/", inside.as_posix())), fs=files, scm=scm))


def _fetch(revision: str | None, folder: Path) -> None:
    """Copy the files of a revision that are compared into a folder."""
    files = _open(revision)
    root = Path(files.repo.root_dir)
    stage = files.repo.stage.load_one(str(root / "dvc.yaml"), name="evaluate")
    paths = {Path(one.fs_path).name: Path(one.fs_path) for one in [*stage.deps, *stage.outs]}
    for file in _FILES:
        if file not in paths:
            raise UserError(f"dvc.yaml names no {file} for the stage evaluate")
        files.get_file(str(PurePosixPath(paths[file].relative_to(root))), str(folder / file))
