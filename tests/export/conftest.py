from pathlib import Path

import pytest
from exports import make_data
from stub_models import save_network


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like `data`, with a model and what exports are compared on; do not change it."""
    folder = tmp_path_factory.mktemp("project") / "data"
    folder.mkdir()
    make_data(save_network(tmp_path_factory.mktemp("network") / "model"), folder)
    return folder
