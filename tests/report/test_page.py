"""The page as it is written: parsed, it holds what it should, and nothing in it can run or be fetched."""

import base64
import csv
import hashlib
import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import evaluated_project
import pytest
from evaluated_project import make_project, run
from markupsafe import Markup
from repository import ROOT

from humbleyolo.dataset.summary import SplitCounts
from humbleyolo.evaluation.next_steps import Advice
from humbleyolo.report.number_format import UNDEFINED, cut, gain, metric, number, printable
from humbleyolo.report.page import _count_words, _value, script_json
from humbleyolo.report.page_contents import _flat

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\" onload=\"alert(1)' onclick='alert(1)",
    "&lt;b&gt; &amp; {{ 7 * 7 }} {% raw %}",
    "]]>\\u003c",
    "\u202egnp.exe",
    "עכבר",
    "🐀" * 200,
    "a\u2028b\x00c",
]
VOID = {"meta", "link", "input", "br", "img"}


class Page(HTMLParser):
    """Elements with their attributes, and the text inside each `script` and `style`."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.raw, self.text, self.open = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.append((self.open[-1], data))
        else:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("hostile"), names=HOSTILE, images=24)
    return (run(project) / "report.html").read_bytes().decode("utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_elements_are_closed_in_their_order(page):
    assert page.open == []


def test_nothing_runs_but_the_page_s_own_script(html, page):
    assert len(page.all("script")) == 2  # the data, and the script
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert not [tag for tag, _ in page.elements if tag in ("iframe", "object", "embed", "link", "base")]
    assert not [1 for _, attributes in page.elements if "style" in attributes]  # the policy would drop it
    assert html.count("<!--") == 0
    assert html.lower().count("<script") == html.lower().count("</script") == 2


def test_the_policy_allows_exactly_the_style_and_the_script_that_are_there(page):
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": rules["style-src"],
        "script-src": rules["script-src"],
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    contents = {}
    for tag, content in page.raw:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        contents.setdefault(tag, []).append(f"'sha256-{digest}'")
    assert contents["style"] == [rules["style-src"]]
    assert contents["script"][1] == rules["script-src"]


def test_nothing_is_fetched(html, page):
    for _, attributes in page.elements:
        for key in ("src", "href", "action", "data", "srcset", "poster", "xlink:href"):
            assert attributes.get(key, "#").startswith("#")
    text = re.sub(r"http://www\.w3\.org/2000/svg|sha256-[\w+/=]*", "", html)  # a name, and hashes in base 64
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r'"src":"data:[^"]*"', "", text).replace("// ", ""))
    assert "@import" not in html
    assert "url(" not in html


def test_every_name_is_there_as_text(page):
    text = "".join(page.text)
    data = json.loads(next(content for tag, content in page.raw if tag == "script"))
    for name in HOSTILE:
        assert printable(name) in text
    assert data["names"] == [printable(name) for name in HOSTILE]


def test_anchors_labels_and_ids_belong_together(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for key in ("for", "aria-labelledby"):
            assert attributes.get(key) is None or attributes[key] in ids
    for link in page.all("a"):
        assert link["href"][1:] in ids
    script = (ROOT / "src/humbleyolo/report/script.js").read_text(encoding="utf-8")
    for wanted in re.findall(r'find\("([\w-]+)"\)', script):
        assert wanted in ids


def test_a_screen_reader_finds_language_headings_and_names(page):
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table"))
    charts = [svg for svg in page.all("svg") if svg.get("class", "").startswith("chart")]
    assert charts
    assert all(svg["role"] == "img" and svg["aria-label"] and svg["tabindex"] == "0" for svg in charts)
    decoration = [svg for svg in page.all("svg") if not svg.get("class", "").startswith("chart")]
    assert all(svg["aria-hidden"] == "true" for svg in decoration)


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_in_another_process(evaluated):
    first = run(evaluated, "first")
    code = (
        "import sys; sys.path[:0] = ['tests/support', '.']\n"
        "from pathlib import Path; from evaluated_project import run; "
        f"run(Path({str(evaluated)!r}), 'second')"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        env={"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
    )
    names = ["cells.png", "gallery.png", "mistakes.png", "report.html"]
    assert sorted(path.name for path in first.iterdir()) == names
    for name in names:
        assert (first / name).read_bytes() == (evaluated / "second" / name).read_bytes(), name


def test_the_page_says_what_the_files_say(evaluated):
    page = Page((run(evaluated) / "report.html").read_text("utf-8"))
    text = " ".join("".join(page.text).split())
    metrics = json.loads((evaluated / "evaluation/metrics.json").read_text())
    with (evaluated / "evaluation/intervals.csv").open(newline="") as file:
        intervals = {row["metric"]: (row["low"], row["high"]) for row in csv.DictReader(file)}
    low, high = map(float, intervals["ap"])
    assert low < metrics["ap"] < high
    for words in (
        "Report on 12 test images",
        f"AP {metrics['ap']:.3f} {low:.3f} to {high:.3f}",
        f"{metrics['ap']:.3f} of an AP of 0.970: {100 * metrics['ap'] / 0.97:.1f} %",
        "2 x 4 (this one)",
        "or more, the best on val.",
        "All 12 test images are here",
        "synthetic.min_visible",
        "learning_rate",
        hashlib.sha256(b"weights").hexdigest(),
    ):
        assert words in text, words


def test_the_page_begins_with_the_floor_and_what_to_do_next(evaluated):
    advice = Advice(["under the floor: <b>AP50</b>"], ["first \u202estep", "second"])
    advice.write(evaluated / "evaluation")
    metrics = json.loads((evaluated / "evaluation/metrics.json").read_text())
    numbers = {"floor_one_box_ap": 0.111, "floor_ap50": 0.222, "floor_recall": 0.333, "any_class_f1": 0.444}
    (evaluated / "evaluation/metrics.json").write_text(json.dumps(metrics | numbers))
    text = " ".join("".join(Page((run(evaluated) / "report.html").read_text("utf-8")).text).split())
    head, body = text.split("NumbersCeiling")
    assert "Warning: under the floor: <b>AP50</b> What to do next first \ufffdstepsecond" in head
    for row in ("this model", "floor: one box0.111", "floor: a box per class"):
        assert row in body
    assert "0.222" in body
    assert "0.333" in body
    assert "0.444" in body


def test_the_page_says_how_wrong_the_confidence_is_and_at_which_iou_it_judges(tmp_path, monkeypatch):
    sections = evaluated_project.settings()
    at_60 = sections["evaluate"].model_copy(update={"match_iou": 0.6})
    monkeypatch.setattr(evaluated_project, "settings", lambda **changes: {**sections, "evaluate": at_60})
    page = Page((run(make_project(tmp_path)) / "report.html").read_text(encoding="utf-8"))
    metrics = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    errors = [metric(metrics[f"calibration_error_{of}"]) for of in ("iou", "right")]
    text = " ".join("".join(page.text).split())
    assert f"Calibration error: {errors[0]} from the IoU, {errors[1]} from being right" in text
    assert "Precision and recall at IoU 0.6" in text
    assert "AP at IoU 0.6meaning" in text
    assert "boxes that match at IoU 0.6 but fit badly" in text


@pytest.mark.parametrize("include_val", [False, True])
def test_curves_of_a_val_that_was_learned_say_so(evaluated, monkeypatch, include_val):
    sections = evaluated_project.settings()
    train = sections["train"].model_copy(update={"include_val": include_val})
    monkeypatch.setattr(evaluated_project, "settings", lambda **changes: {**sections, "train": train})
    text = "".join(Page((run(evaluated) / "report.html").read_text(encoding="utf-8")).text)
    told = "; val was learned too" * include_val
    for title in ("Loss, epoch by epoch", "AP on val, epoch by epoch"):
        assert text.count(f"{title}{told}") == 1
    threshold = "a careful one, since val was learned too" if include_val else "the best on val"
    assert f"or more, {threshold}." in " ".join(text.split())
    assert ("val was learned too" in text) == include_val


def test_counts_of_the_data_are_in_words_and_without_exponents():
    counts = SplitCounts(["a_b.c"])
    counts.add([[0.0, 0.0, 2000.0, 3000.0]], [0])
    words = [_count_words(key) for key in _flat(counts.as_dict())]
    assert "objects of class a_b.c" in words
    assert not [text for text in words if re.search(r"[_.]", text.replace("a_b.c", ""))]
    shown = {6e6: "6,000,000", 0.5: "0.5", 1e-5: "1e-05", 9999.0: "9999", 12345: "12,345"}
    assert {value: _value(value) for value in shown} == shown


def test_json_in_a_script_element_is_whole_and_harmless():
    values = {"a": ["</script>", "<!--", "&amp;", "\u2028", "\ud800", 1.5, None]}
    text = script_json(values)
    assert isinstance(text, Markup)
    assert not set("<>&") & set(text)
    assert text.isascii()
    assert json.loads(text) == values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, UNDEFINED),
        (0, "0"),
        (1234567, "1,234,567"),
        (0.5, "0.5"),
        (1.0, "1"),
        (0.12345, "0.123"),
        (0.00012, "0.00012"),
        (-0.25, "-0.25"),
        (True, "yes"),
    ],
)
def test_numbers_are_short(value, words):
    assert number(value) == words


def test_metrics_have_three_decimals_and_counts_none():
    assert [metric(value) for value in (0.9, 1.0, 12345, None)] == ["0.900", "1.000", "12,345", UNDEFINED]


def test_a_gain_is_never_shown_as_none_where_there_is_one():
    values = (0.0, -0.0, 0.00004, 0.00006, 0.0049, -0.01, None)
    expected = ["0.0000", "0.0000", "under 0.0001", "0.0001", "0.0049", "-0.0100", UNDEFINED]
    assert [gain(value) for value in values] == expected


def test_a_long_name_is_cut():
    assert [cut(text, 4) for text in ("", "abcd", "abcde")] == ["", "abcd", "abc\N{HORIZONTAL ELLIPSIS}"]


def test_what_cannot_be_shown_is_replaced():
    assert printable("a\x00\x1b\u202e\ud800\uffffb") == "a" + "\ufffd" * 5 + "b"
    for harmless in ("עכבר", "👩\u200d🔬", "naïve", "<b>"):
        assert printable(harmless) == harmless


def test_all_counts_of_the_data_have_commas(tmp_path):
    path = make_project(tmp_path, images=2) / "dataset/summary.json"
    summary = json.loads(path.read_text())
    summary["train"]["images"] = 5321
    path.write_text(json.dumps(summary))
    html = (run(tmp_path) / "report.html").read_text("utf-8")
    assert ">5,321<" in html
    assert ">5321<" not in html
