"""Check a clone that has no data: `check_clone.py [BASE]`.

Compare `dvc.lock` with what `dvc repro` would write, by hashes alone. Compare parameters and metrics with those of
the commit BASE. Without BASE that is HEAD^: the target of a merge, or the commit before.
Print Markdown; within GitHub Actions it is the job's summary too. Git and DVC are needed, TensorFlow is not.

Exit code: 0, 1 if somebody forgot `dvc repro` or to commit its outputs, 2 if the check cannot be made.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ABSENT = {"deleted", "not in cache"}  # DVC's words for data that a clone does not have
SHOWN = 5  # reasons per stage


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command and return its result, output included."""
    try:
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")  # noqa: S603 - git, DVC
    except FileNotFoundError:
        fail(f"{command[0]} is not there; `uv run --only-group dvc python .ci/check_clone.py` brings DVC")


def fail(text: str) -> Any:
    """End with exit code 2."""
    print(f"error: {text}", file=sys.stderr)
    raise SystemExit(2)


def find_stale() -> dict[str, list[str]]:
    """Return the changes since `dvc.lock` was written, by the stage that they would run."""
    status = run("dvc", "status", "--json")
    if status.returncode:
        fail(f"dvc status: {status.stderr.strip()}")
    stale = {stage: list(changes(entries)) for stage, entries in json.loads(status.stdout).items()}
    stale = {stage: reasons for stage, reasons in stale.items() if reasons}
    dry = run("dvc", "repro", "--allow-missing", "--dry")  # stops at the first stage whose data it misses
    for stage in re.findall(r"^Running stage '(\S+)'", dry.stdout, re.MULTILINE):
        stale.setdefault(stage, ["is not in dvc.lock"])
    failed = re.search(r"failed to reproduce '(\S+)'", dry.stderr)
    if failed:
        stale.setdefault(failed[1], ["its inputs in dvc.lock are not what the stages before it wrote"])
    elif dry.returncode:
        fail(f"dvc repro --allow-missing --dry: {dry.stderr.strip()}")
    return stale


def kept_by_git(path: str) -> bool:
    """Check if git and not DVC keeps a stage's output; git ignores the outputs that DVC keeps."""
    return run("git", "check-ignore", "--quiet", path).returncode == 1


def changes(entries: list[Any]) -> Iterator[str]:
    """Yield the changes that `dvc status` reports for a stage, except missing data."""
    for entry in entries:
        if isinstance(entry, str):  # the command or the stage itself
            yield entry
            continue
        for kind, paths in entry.items():
            for path, what in paths.items():
                if isinstance(what, dict):  # a file of parameters
                    yield from (f"{path}: {key} {state}" for key, state in what.items())
                elif what not in ABSENT or (what == "deleted" and kind == "changed outs" and kept_by_git(path)):
                    yield f"{path}: {what}"


def shorten(reasons: list[str]) -> list[str]:
    """Return the first reasons, and the number of the others."""
    return reasons[:SHOWN] + ([f"{len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else [])


def compare(kind: str, base: str) -> str:
    """Return DVC's table of differences from a commit, or `None.` without differences."""
    done = run("dvc", kind, "diff", "--md", base)
    if done.returncode:
        fail(f"dvc {kind} diff {base}: {done.stderr.strip()}")
    rows = done.stdout.strip().splitlines()
    return "\n".join(rows) if len(rows) > 2 else "None."


def report(stale: dict[str, list[str]], base: str) -> str:
    """Return the Markdown."""
    lines = [
        "### `dvc.lock`",
        "",
        "Fits the code and the parameters." if not stale else "Run `uv run dvc repro` and commit what it writes:",
        "",
        *(f"- `{stage}`: {'; '.join(shorten(reasons))}" for stage, reasons in stale.items()),
    ]
    for kind, title in (("params", "Parameters"), ("metrics", "Metrics")):
        lines += ["", f"### {title} that differ from `{base}`", "", compare(kind, base)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def main() -> None:
    """Check, print, and exit."""
    base = sys.argv[1] if len(sys.argv) > 1 else "HEAD^"
    found = run("git", "rev-parse", "--verify", "--quiet", "--short", f"{base}^{{commit}}")
    if found.returncode:
        fail(f"{base}: no such commit here; name another, or fetch it (`fetch-depth: 2` of actions/checkout)")
    stale = find_stale()
    text = report(stale, base)
    print(text, end="")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    if stale:
        print(f"error: dvc.lock is out of date: {', '.join(stale)}; see above", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
