"""The last line of a process that waits in native code, said by another."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import ctypes, sys
from pathlib import Path
from humbleyolo.process.last_words import last_words
with last_words(float(sys.argv[1]), "nobody came", [Path(sys.argv[2])]):
    print("begun", flush=True)
    ctypes.PyDLL(None).usleep(int(sys.argv[3]))  # no other thread of Python runs meanwhile
"""


@pytest.mark.parametrize(("after_s", "waits_us", "said"), [(0.1, 900_000, "error: nobody came\n"), (60, 1000, "")])
def test_a_line_is_said_and_files_are_removed_only_if_it_takes_too_long(
    after_s: float, waits_us: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "token").touch()
    arguments = [str(after_s), str(tmp_path / "token"), str(waits_us)]
    for _ in range(5):  # the other process may take longer to start than the wait on a busy machine
        done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
        if done.stderr or not said:
            break
        arguments[2] = str(2 * int(arguments[2]))
    assert done.stderr == said
    assert (tmp_path / "token").exists() == (not said)


def test_nothing_is_said_for_a_process_that_was_killed(tmp_path: Path) -> None:
    """And its standard error is not held open, for which whoever reads it would wait."""
    command = [sys.executable, "-c", SCRIPT, "60", str(tmp_path / "token"), "60000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"begun\n"
        waiting.kill()
        assert waiting.stderr is not None
        assert waiting.stderr.read() == b""
