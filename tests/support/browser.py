"""Headless Chromium for the tests of the report, and the program that takes its picture.

python tests/support/browser.py data/render/report.html docs/report.png
"""

import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = [
    "--no-sandbox",  # which root may not use
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
]
_WAIT_MS = 120_000  # for what comes at once, unless the machine is busy


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium; nothing is downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, timeout=_WAIT_MS)
        yield browser
        browser.close()


def window(browser: Browser, width: int = 1100, height: int = 900, **settings: object) -> BrowserContext:
    """Return a browser window that waits long before it gives up."""
    context = browser.new_context(viewport={"width": width, "height": height}, **settings)
    context.set_default_timeout(_WAIT_MS)
    return context


def offline(browser: Browser, width: int = 1100, height: int = 900, **settings: object) -> BrowserContext:
    """Return a browser window that has no network."""
    return window(browser, width, height, offline=True, **settings)


def take_picture(browser: Browser, report: Path, picture: Path) -> None:
    """Write what a reader sees first of a report, and of its images, as a small PNG."""
    context = offline(browser, width=1000, height=800)
    page = context.new_page()
    page.goto(report.absolute().as_uri())
    parts = []
    for anchor, height in (("numbers", 400), ("curves", 435), ("images", 560)):
        page.locator(f"#{anchor}-title").evaluate("title => window.scrollTo(0, title.offsetTop - 8)")
        shown = page.screenshot(clip={"x": 0, "y": 0, "width": 1000, "height": height})
        parts.append(Image.open(io.BytesIO(shown)).convert("RGB"))
    context.close()
    whole = Image.new("RGB", (1000, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    whole.save(picture, "PNG", optimize=True)


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("needs Chromium: apt-get install chromium")
    with chromium() as started:
        take_picture(started, Path(sys.argv[1]), Path(sys.argv[2]))
