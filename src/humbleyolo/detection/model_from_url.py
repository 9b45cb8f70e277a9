"""A model from a git repository, fetched through DVC."""

import re
from contextlib import closing, suppress
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.models.selection import NAME as SELECTION

_MODEL = "data/model"  # in every repository of this kind
_FILES = ("model.json", "weights.npz")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:|.*\.git/?$", re.IGNORECASE)


def is_remote(model: str) -> bool:
    """Return whether a model is named by a git URL: `https://...`, `git@host:...`, or anything ending in `.git`."""
    return _URL.match(model) is not None


def fetch_model(url: str, revision: str | None, folder: Path) -> Path:
    """Fetch `data/model` of a git repository, from its DVC remote or cache, into an existing folder.

    The selection that its evaluation measured comes along if there is one.

    `revision` is a branch, tag or commit; None: the repository's HEAD. `folder` is that for the model's own folder,
    which is returned.

    Raises:
        UserError: If the repository, the revision or the model cannot be had.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    model = folder / "model"
    model.mkdir()
    at = f"{url} at {revision}" if revision else url
    try:
        with closing(DVCFileSystem(url, rev=revision)) as system:
            for name in _FILES:
                system.get_file(f"{_MODEL}/{name}", str(model / name))
            with suppress(OSError, DvcException):  # without it, the defaults are used and said to be
                system.get_file(f"{_MODEL}/{SELECTION}", str(model / SELECTION))
    except FileNotFoundError as error:
        raise UserError(
            f"{at}: has no {_MODEL}/{name} that can be fetched ({error}); train and `dvc push` it there, or name "
            "another revision"
        ) from None
    except (DvcException, SCMError, OSError) as error:
        raise UserError(f"{at}: cannot be fetched: {error.__cause__ or error}") from None
    return model
