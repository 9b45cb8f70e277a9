"""Measure frames per second of clips: python -m benchmarks.video [--model data/model] [--frames 300].

A clip is made for it, of words that move over noise. It is decoded alone, then with the detector, then with a clip of
the boxes written too. Each figure is the median of three, with the least and the most, and the peak of memory.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SIZES = ((240, 320), (720, 1280))
STEPS = ("decoding", "detection", "detection, a clip written")
_TIMES = 3  # processes per figure


def make_clip(path: Path, height: int, width: int, frames: int) -> None:
    """Write an MP4 whose picture moves by a few pixels a frame."""
    import cv2

    noise = np.random.default_rng(0).integers(0, 60, (height + 64, width + 64, 3), np.uint8)
    for number in range(12):
        place = (width // 4 * (number % 4), height // 3 * (number // 4) + 60)
        cv2.putText(noise, "rat" if number % 2 else "chat", place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (240, 240, 240), 3)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 25, (width, height))
    for number in range(frames):
        top, left = abs(number % 126 - 63), number % 64
        writer.write(np.ascontiguousarray(noise[top : top + height, left : left + width]))
    writer.release()


def run(step: str, clip: Path, model: str) -> Iterator[None]:
    """Do a step, and yield after each frame."""
    from humbleyolo.detection.video.open_video import Video

    if step == STEPS[0]:
        with Video(clip, 10**8, 30.0) as video:
            yield from (None for _ in video.frames(1))
        return
    from humbleyolo.detection.detector import Detector
    from humbleyolo.detection.video.saved_video import SavedVideo

    detector = Detector.load(model, threads=2)
    if step == STEPS[1]:
        yield from (None for _ in detector.stream(clip))
        return
    with SavedVideo(clip.with_name("out.mp4")) as saved:
        for result in detector.stream(clip):
            saved.add(result, 25)
            yield


def measure(step: str, clip: Path, model: str) -> str:
    """Return the frames per second from the tenth on, and the peak of memory, MiB."""
    count, started = 0, 0.0
    for count, _ in enumerate(run(step, clip, model), 1):
        if count == 10:
            started = time.perf_counter()
    seconds = time.perf_counter() - started
    return f"{(count - 10) / seconds} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}"


def main() -> None:
    """Measure every step, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="data/model")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--one", nargs=2, metavar=("STEP", "CLIP"), help="measure this alone")
    given = parser.parse_args()
    if given.one:
        print(measure(given.one[0], Path(given.one[1]), given.model))
        return
    head = ("| Frames | Step | Frames/s | Peak, MiB |", "|---|---|---|---|")
    print(f"load average {os.getloadavg()[0]:.1f}", *head, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for height, width in SIZES:
            clip = Path(folder) / f"{height}.mp4"
            make_clip(clip, height, width, given.frames)
            for step in STEPS:
                command = [sys.executable, __file__, "--model", given.model, "--one", step, clip]
                done = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(_TIMES)]
                rates, peaks = zip(*(map(float, one.stdout.split()) for one in done), strict=True)
                spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
                print(f"| {width} x {height} | {step} | {spread} | {max(peaks):,.0f} |", flush=True)


if __name__ == "__main__":
    main()
