"""DVC's experiments of runs that were made elsewhere: a commit that DVC lists, beside the last one.

DVC finds an experiment by its git reference, `refs/exps/<first two digits of the commit>/<the others>/<name>`. It is
written by git alone: no lock of the project, and no file of the working tree, is touched.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from humbleyolo.process.git import git


@dataclass(frozen=True)
class Snapshot:
    """The project as it is when a search begins.

    Attributes:
        root: The project's folder.
        head: Its last commit.
        tree: Git's hash of the files that it keeps, as they are now.
    """

    root: Path
    head: str
    tree: str

    @classmethod
    def take(cls, root: Path) -> "Snapshot":
        """Return the project as it is now; no file of it is touched.

        Raises:
            UserError: If it is no git repository with a commit, or if git does not know who commits.
        """
        head = git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            git(root, "var", who)  # else it would refuse the first commit, after hours of work
        with tempfile.TemporaryDirectory(prefix="humbleyolo-snapshot-") as folder:
            index = shutil.copy(root / git(root, "rev-parse", "--git-path", "index").strip(), folder)
            git(root, "add", "--update", ":/", GIT_INDEX_FILE=index)
            return cls(root.resolve(), head, git(root, "write-tree", GIT_INDEX_FILE=index).strip())

    def write_archive(self, path: Path) -> None:
        """Write the files of the project's folder into a tar archive."""
        git(self.root, "archive", "--format=tar", f"--output={path}", self.tree)

    def has(self, name: str) -> bool:
        """Tell if there is an experiment of this name."""
        return bool(git(self.root, "for-each-ref", self._reference(name)))

    def save(self, name: str, files: Mapping[str, bytes], message: str) -> None:
        """Save an experiment: these files of the project's folder changed, and all others as they were."""
        inside = git(self.root, "rev-parse", "--show-prefix").strip()
        common = ["--git-dir", git(self.root, "rev-parse", "--absolute-git-dir").strip()]
        with tempfile.TemporaryDirectory(prefix="humbleyolo-experiment-") as folder:
            tree, index = Path(folder) / "tree", {"GIT_INDEX_FILE": f"{folder}/index"}
            for path, content in files.items():
                (tree / inside / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / inside / path).write_bytes(content)
            git(tree, *common, "read-tree", self.tree, **index)
            paths = [f"{inside}{path}" for path in files]
            git(tree, *common, "--work-tree", ".", "add", "--force", "--", *paths, **index)
            written = git(tree, *common, "write-tree", **index).strip()
        commit = git(self.root, "commit-tree", written, "-p", self.head, "-m", message).strip()
        git(self.root, "update-ref", self._reference(name), commit)

    def _reference(self, name: str) -> str:
        return f"refs/exps/{self.head[:2]}/{self.head[2:]}/{name}"
