"""Measure the chain on a cluster of this machine beside the process pool: python benchmarks/cluster.py [--workers 2].

Clones the last commit twice, and runs `dvc repro` without any cache in both. The first runs in processes of this
machine, the second on a scheduler and workers on loopback, each in a folder of its own. Prints the seconds of each
stage and of all, the cost of the cluster in percent, and if the outputs are the committed bytes. With --stages, only
those are run: the first ones, such as generate and encode. The exit code is 0 if all bytes are equal. The
working tree must be that commit: workers have its code.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))  # the cluster of the tests


def clone(folder: Path) -> Path:
    """Clone the last commit, with a cache of its own."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    dvc(folder, "cache", "dir", "--local", ".dvc/cache")
    return folder


def dvc(folder: Path, *arguments: str, address: str | None = None) -> str:
    """Run DVC with this environment's programs, and return what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "DASK_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    if address:
        environment["DASK_SCHEDULER_ADDRESS"] = address
    ran = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if ran.returncode:
        raise SystemExit(f"dvc {' '.join(arguments)} failed\n{ran.stdout}\n{ran.stderr}")
    return ran.stdout + ran.stderr


def run(folder: Path, stages: list[str], address: str | None = None) -> tuple[float, dict[str, float]]:
    """Run the chain; return its seconds, and those that each stage says."""
    started = time.perf_counter()
    said = dvc(
        folder, "repro", "--force", "--no-run-cache", *(["--single-item", *stages] if stages else []), address=address
    )
    seconds = time.perf_counter() - started
    if address:
        print("\n".join(re.findall(r"^work runs on .*$", said, re.MULTILINE)))
    own = re.findall(r"^Running stage '(\w+)'|into \S+ in ([\d.]+) s", said, re.MULTILINE)
    names = [name for name, _ in own if name]
    return seconds, dict(zip(names, (float(number) for _, number in own if number), strict=True))


def main() -> int:
    """Print the comparison, and return the exit code."""
    from cluster import loopback_cluster

    from humbleyolo.experiments.dvc_lock import differing_outputs, read_lock, read_params

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stages", nargs="*", default=[])
    parsed = parser.parse_args()
    committed = read_lock((ROOT / "dvc.lock").read_text(encoding="utf-8"), "dvc.lock")
    equal = True
    with tempfile.TemporaryDirectory(prefix="humbleyolo-cluster-") as folder:
        pool, cluster = clone(Path(folder) / "pool"), clone(Path(folder) / "cluster")
        here, stages = run(pool, parsed.stages)
        with loopback_cluster(Path(folder) / "processes", parsed.workers) as started:
            there, others = run(cluster, parsed.stages, started.address)
        for name, seconds in stages.items():
            print(f"{name}: {seconds:.1f} s in processes, {others[name]:.1f} s on {parsed.workers} workers")
        print(f"all: {here:.1f} s, {there:.1f} s: {100 * (there / here - 1):+.1f} %")
        for place in (pool, cluster):
            built = read_lock((place / "dvc.lock").read_text(encoding="utf-8"), "dvc.lock")
            differ = differing_outputs(committed, built, str(read_params(place)["dataset"]["inputs"]))
            equal &= not differ
            print(f"{place.name}: {'the committed bytes' if not differ else f'other bytes: {differ}'}")
    return 0 if equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
