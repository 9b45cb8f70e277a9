"""What is compared between machines: libraries inside of libraries and variables too."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from PIL import features

from humbleyolo.process.shard_runner import differences
from humbleyolo.process.versions import describe_installation


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    describe_installation.cache_clear()
    yield
    describe_installation.cache_clear()


def test_the_libraries_that_pillow_brings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    here = describe_installation()
    assert here["pillow's libjpeg_turbo"] == features.version("libjpeg_turbo")
    monkeypatch.setattr(features, "version", lambda name: None if name == "libjpeg_turbo" else "1")
    describe_installation.cache_clear()
    assert "pillow's libjpeg_turbo none (here" in differences(here, describe_installation())


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("ONEDNN_MAX_CPU_ISA", "variables ONEDNN_MAX_CPU_ISA=1 (here none)"),
        ("TF_XLA_FLAGS", "variables TF_XLA_FLAGS=1 (here none)"),
        ("TF_VAR_password", ""),  # Terraform's
        ("OMP_NUM_THREADS", ""),  # Dask's nanny sets it
        ("TF_ENABLE_ONEDNN_OPTS", ""),  # and this package this
    ],
)
def test_variables_that_choose_other_code_are_compared(
    variable: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith(("TF_", "ONEDNN_", "OMP_")):
            monkeypatch.delenv(name)
    here = describe_installation()
    monkeypatch.setenv(variable, "1")
    describe_installation.cache_clear()
    assert differences(here, describe_installation()) == told


def test_a_worker_describes_itself_without_tensorflow() -> None:
    code = (
        "import sys; from humbleyolo.process.versions import describe_installation; describe_installation()\n"
        "assert 'tensorflow' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
