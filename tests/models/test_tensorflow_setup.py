"""TensorFlow and Keras as every command starts them: a person's folders are not read, and nothing is left there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from humbleyolo.models import tensorflow_setup

COMMAND = """
import os, sys
from humbleyolo.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    import keras
    from keras.src.backend.config import keras_home
    print(ended.code, os.environ["KERAS_HOME"], keras_home(), keras.config.floatx(), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("told", ["nothing", "a folder"])
def test_keras_has_no_folder_and_a_command_leaves_none(told: str, network_folder: Path, tmp_path: Path) -> None:
    home, own = tmp_path / "home", tmp_path / "own"
    for folder in (home, own):
        folder.mkdir()
    (own / "keras.json").write_text(json.dumps({"floatx": "float16"}))
    Image.new("RGB", (80, 48), "red").save(tmp_path / "a.png")
    environment = os.environ | {"HOME": str(home), "KERAS_HOME": str(own)}
    if told == "nothing":
        del environment["KERAS_HOME"]
    command = [sys.executable, "-c", COMMAND, "predict", "a.png", "--model", str(network_folder)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    *_, last = done.stderr.splitlines()
    file = tensorflow_setup.__file__
    assert last == f"0 {file} {file} float32"
    assert Path(file).is_file()  # so that nothing can be made or read below it
    assert json.loads(done.stdout)["images"]
    assert not list(home.iterdir())
    assert [path.name for path in own.iterdir()] == ["keras.json"]
