"""The README's first command, on a Python that refuses `pip install`: Debian's, Ubuntu's, Homebrew's (PEP 668)."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from documents import blocks
from repository import ROOT

FIRST = blocks((ROOT / "README.md").read_text(encoding="utf-8"))[0].splitlines()[0]


@pytest.fixture
def managed_python(tmp_path):
    """A copy of this interpreter, whose standard library holds EXTERNALLY-MANAGED."""
    library = Path(sysconfig.get_path("stdlib"))
    if not (library / "ensurepip").is_dir() or os.name != "posix":
        pytest.skip("needs a Python that makes virtual environments with pip")
    copy = tmp_path / "managed"
    (copy / "bin").mkdir(parents=True)
    (copy / "lib" / library.name).mkdir(parents=True)
    shutil.copy(Path(sys._base_executable).resolve(), copy / "bin/python3")
    for source, target in ((library.parent, copy / "lib"), (library, copy / "lib" / library.name)):
        for entry in source.iterdir():
            if entry.name not in {library.name, "EXTERNALLY-MANAGED"}:
                (target / entry.name).symlink_to(entry)
    (copy / "lib" / library.name / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=Use apt.\n")
    return copy / "bin"


@pytest.fixture
def wheels(tmp_path):
    """A folder with a wheel of the name `uv`, so that nothing is fetched."""
    files = {
        "uv-0.0.1.data/scripts/uv": "#!python\nprint('uv runs')\n",
        "uv-0.0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 0.0.1\n",
        "uv-0.0.1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/uv-0.0.1-py3-none-any.whl", "w") as wheel:
        for name, text in (*files.items(), ("uv-0.0.1.dist-info/RECORD", record)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            wheel.writestr(entry, text)
    return tmp_path / "wheels"


@pytest.mark.slow
def test_it_brings_uv_where_the_system_s_python_refuses_pip(managed_python, wheels, tmp_path):
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{managed_python}:/usr/bin:/bin",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_CONFIG_FILE": os.devnull,
    }
    clone = tmp_path / "clone"
    clone.mkdir()

    def run(line):
        return subprocess.run(
            ["bash", "-c", line], cwd=clone, env=environment, capture_output=True, text=True, timeout=300
        )

    refused = run("python3 -m pip install uv")
    assert "externally-managed-environment" in refused.stderr
    done = run(f"{FIRST} && uv run pytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("uv runs\n")


def test_what_it_makes_is_ignored_by_git_and_dvc():
    assert ".uv/bin" in FIRST
    assert "/.uv/" in (ROOT / ".gitignore").read_text().splitlines()
    assert "/.uv" in (ROOT / ".dvcignore").read_text().splitlines()


def test_ci_overrides_nothing_that_a_reader_would_meet():
    assert "BREAK_SYSTEM_PACKAGES" not in (ROOT / ".ci/run").read_text()
