import tomllib
from importlib import metadata

import pytest
from repository import ROOT

from humbleyolo.process.extras import how_to_install

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_installed_by_uv_or_by_its_packages(extra: str) -> None:
    """No package index has humbleyolo: `pip install 'humbleyolo[video]'` finds nothing."""
    packages = " ".join(f"'{package}'" for package in sorted(EXTRAS[extra]))
    assert how_to_install(extra) == f"`uv sync --extra {extra}`, outside a clone with `pip install {packages}`"


def test_without_metadata_the_command_of_a_clone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert how_to_install("video") == "`uv sync --extra video`"


def test_no_page_or_message_installs_humbleyolo_from_an_index() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("src/**/*.py")]
    assert len(pages) > 100
    assert [path.name for path in pages if "pip install 'humbleyolo" in path.read_text(encoding="utf-8")] == []
