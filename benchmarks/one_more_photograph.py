"""Measure `dvc repro encode` after one more photograph: python -m benchmarks.one_more_photograph [--images 10000].

For each number of `--archive-images` it makes JPEG photographs of 320 x 240 pixels in a clone of the last commit. It
runs `generate` and `encode` under DVC, with a cache of its own; then again with nothing changed, and with one
photograph more. Prints the seconds of each, those of a core in brackets, and the files and GB that came to the cache,
which `dvc push` would move. With --jpeg-quality, `encode` keeps JPEGs.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.cluster import clone, dvc
from benchmarks.large_folder import add_photographs, write_params

INPUTS = "data/labelled/photographs"


def repro(project: Path) -> str:
    """Run the two stages; return seconds, and those of a core."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    dvc(project, "repro", "encode")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    core = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{time.perf_counter() - started:.1f} ({core:.1f})"


def cached(project: Path) -> dict[Path, int]:
    """Return the bytes of each file of the cache."""
    return {path: path.stat().st_size for path in (project / ".dvc/cache/files").rglob("*") if path.is_file()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--archive-images", type=int, nargs="+", default=[10**9, 1000])
    parser.add_argument("--jpeg-quality", type=int, default=0)
    options = parser.parse_args()
    print("| `archive_images` | First run, s | Nothing changed, s | One more, s | New in the cache: files, GB |")
    print("|---" * 5 + "|", flush=True)
    for most in options.archive_images:
        with tempfile.TemporaryDirectory(prefix="humbleyolo-more-") as folder:
            project = clone(Path(folder) / "clone")
            (project / INPUTS).parent.mkdir(parents=True, exist_ok=True)
            add_photographs(project / INPUTS, range(options.images))
            write_params(project, options.jpeg_quality, inputs=INPUTS, archive_images=most)
            times = [repro(project), repro(project)]
            before = cached(project)
            add_photographs(project / INPUTS, range(options.images, options.images + 1))
            times.append(repro(project))
            new = [size for path, size in cached(project).items() if path not in before]
            print(f"| {most:,} | {' | '.join(times)} | {len(new):,}, {sum(new) / 1e9:.2f} |", flush=True)


if __name__ == "__main__":
    main()
