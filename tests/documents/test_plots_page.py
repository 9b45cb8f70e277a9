"""DVC's plots: they need no network, and Chromium draws all of them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import plots_page
import pytest
import vl_convert
from dvc_render.vega import VegaRenderer
from repository import ROOT
from ruamel.yaml import YAML

PLOTS = YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]


def skip_with_another_version():
    pinned = re.search(r'name = "vl-convert-python"\nversion = "([^"]+)"', (ROOT / "uv.lock").read_text())
    if not pinned or not pinned[1].startswith(vl_convert.__version__):
        pytest.skip("needs the version of vl-convert-python in uv.lock")


@pytest.mark.slow
def test_the_page_is_what_the_package_makes():
    skip_with_another_version()
    assert plots_page.PAGE.read_text(encoding="utf-8") == plots_page.page(), (
        "run `python tests/support/plots_page.py`"
    )


def test_the_page_asks_no_server_for_anything():
    text = plots_page.PAGE.read_text(encoding="utf-8")
    assert "{plot_divs}" in text
    assert "{scripts}" not in text  # DVC would put its links to a server there
    head = text.replace(max(re.findall(r"<script>(.*?)</script>", text, re.DOTALL), key=len), "")
    assert len(head) < 100_000 < len(text)
    assert not re.search(r"https?:|src=|href=|@import|url\(", head)
    config = (ROOT / ".dvc/config").read_text()
    assert f"html_template = {plots_page.PAGE.name}" in config


def test_every_package_in_the_page_is_named_with_its_version_in_the_licences():
    skip_with_another_version()
    (module,) = Path(vl_convert.__file__).parent.glob("vl_convert*.so")
    held = set(re.findall(rb"/npm/([a-z0-9.-]+)@(\d+\.\d+\.\d+)/", module.read_bytes()))
    licences = (ROOT / ".dvc/plots_page.LICENSE.txt").read_text(encoding="utf-8")
    # Of older Vega-Lite, and of pages that change while they are looked at.
    elsewhere = {"clone", "fast-deep-equal", "fast-json-stable-stringify", "lodash.debounce"}
    checked = 0
    for name, version in sorted((name.decode(), version.decode()) for name, version in held):
        other_vega_lite = name == "vega-lite" and not version.startswith(plots_page.VEGA_LITE)
        if name not in elsewhere and not other_vega_lite:
            assert f"{name} {version}" in licences
            checked += 1
    assert checked > 50


def test_each_template_that_is_named_exists():
    named = {options["template"] for plot in PLOTS for options in plot.values() if "template" in options}
    own = {file.stem: json.loads(file.read_text()) for file in (ROOT / ".dvc/plots").iterdir()}
    assert named == set(own)
    for template in own.values():
        assert template["data"] == {"values": "<DVC_METRIC_DATA>"}


def test_what_is_undefined_is_not_drawn_as_0():
    template = (ROOT / ".dvc/plots/by_field.json").read_text(encoding="utf-8")
    fields = {"X": "threshold", "X_LABEL": "x", "Y": "dvc_inferred_y_value", "Y_LABEL": "y", "TITLE": "title"}
    for name, text in fields.items():
        template = template.replace(f"<DVC_METRIC_{name}>", text)
    rows = [
        {"threshold": x, "dvc_inferred_y_value": y, "field": "precision", "rev": "workspace", "class": ""}
        for x, y in (("0.1", "0.5"), ("0.2", "1.0"), ("0.3", ""))  # as DVC reads them from a table
    ]

    def drawn(values):
        chart = {**json.loads(template), "data": {"values": values}}
        picture = vl_convert.vegalite_to_svg(chart, vl_version=plots_page.VEGA_LITE)
        return re.sub(r"(clip|gradient_)\d+", "", picture)  # numbered from picture to picture

    assert drawn(rows) == drawn(rows[:2])
    assert drawn(rows[:2]) != drawn(rows[:1])


def colours(picture, role):
    """Return the colours of outlines in an SVG, in the groups whose class holds a word."""
    groups = [one for one in ET.fromstring(picture).iter() if role in one.get("class", "")]
    return {path.get("stroke") for group in groups for path in group} - {None}


@pytest.mark.parametrize("title", [title for plot in PLOTS for title in plot if title != "Confusion"])
def test_every_colour_has_its_legend(title):
    (options,) = (plot[title] for plot in PLOTS if title in plot)
    ((file, named),) = options["y"].items()
    fields, y = [named] if isinstance(named, str) else named, "dvc_inferred_y_value"
    rows = [
        {"x": place, y: place * (number + 1), "field": field, "rev": rev, "filename": file}
        for place in range(3) for number, field in enumerate(fields) for rev in ("HEAD", "workspace")
    ]  # fmt: skip
    filled = VegaRenderer(
        rows, title, x="x", y=y, template=options.get("template"), template_dir=str(ROOT / ".dvc/plots"),
        revs_with_datapoints=["HEAD", "workspace"],
        anchors_y_definitions=[{"filename": file, "field": field} for field in fields],
        **{key: options.get(key, title) for key in ("title", "x_label", "y_label")},
    ).get_filled_template()  # fmt: skip
    picture = vl_convert.vegalite_to_svg(filled, vl_version=plots_page.VEGA_LITE)
    lines, legends = colours(picture, "mark-line"), colours(picture, "role-legend-symbol")
    assert len(lines) == (len(fields) if "template" in options else 2)  # of a revision each
    assert lines <= legends
    labels = set(re.findall(r">(\w+)</text>", picture))
    assert labels >= {"HEAD", "workspace", *(fields if len(fields) > 1 else ())}


@pytest.mark.slow
def test_chromium_draws_every_plot_without_a_network(project, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium")
    project.dvc("plots", "show")
    page = project.path / "dvc_plots/index.html"
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--enable-logging=stderr",
            "--dump-dom", page.as_uri(),
        ],
        capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    assert not [line for line in said if "Uncaught" in line or "ERR_" in line or "rror:" in line]
    drawn = re.findall(r"<(?:canvas|svg)[^>]*\bmarks\b", done.stdout)
    assert len(drawn) == len(PLOTS) + 1  # and the empty one that the page hides
