from pathlib import Path

import pytest
from stub_models import save_network


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network of random weights; do not change it."""
    return save_network(tmp_path_factory.mktemp("network") / "data/model")
