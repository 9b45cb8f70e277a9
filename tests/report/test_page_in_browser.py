"""The report in a real browser, without a network: it shows no name as code, and every control does what it says."""

import itertools
import json
import re

import evaluated_project
import pytest
from evaluated_project import make_project, run
from PIL import Image

pytest.importorskip("playwright", reason="needs playwright, of the group dev")
import browser as chrome

pytestmark = pytest.mark.skipif(chrome.CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

NAMES = ["chat", "rat", "<script>document.title='run'</script>", "<img src=x onerror=document.title='run'>"]
IMAGES = 60


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("report"), names=NAMES, images=IMAGES)
    return run(project) / "report.html"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A report of images larger than it holds, with long names, and a threshold that rounds to 0.40."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluated_project, "THRESHOLD", 0.4012)
        names = ["WWWWWWWWWWWWWWWW", "a long name of a class", "cat"]
        project = make_project(tmp_path_factory.mktemp("photographs"), names=names, images=8, height=900, width=600)
    return run(project, images=1, cells=1, mistakes=1) / "report.html"


@pytest.fixture(scope="module")
def data(report):
    html = report.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="gallery-data">(.*?)</script>', html, re.DOTALL).group(1))


@pytest.fixture(scope="module")
def browser():
    with chrome.chromium() as browser:
        yield browser


# To load a page in a window that is there takes a third of the time that a new window does.


@pytest.fixture(scope="module")
def desk_window(browser):
    window = chrome.offline(browser)
    yield window.new_page()
    window.close()


@pytest.fixture
def desk(desk_window):
    """A window on a desk."""
    desk_window.set_viewport_size({"width": 1100, "height": 900})
    desk_window.emulate_media(media="screen", color_scheme="light")
    return desk_window


@pytest.fixture(scope="module")
def phone_window(browser):
    window = chrome.offline(browser, is_mobile=True, has_touch=True)
    yield window.new_page()
    window.close()


@pytest.fixture
def phone(phone_window):
    """A window on a phone."""
    phone_window.set_viewport_size({"width": 390, "height": 800})
    return phone_window


@pytest.fixture
def page(desk, report):
    """Load the report, and fail where anything is asked of a network or told to the console."""
    told, asked = [], []
    listeners = {
        "console": lambda message: told.append(message.text),
        "pageerror": lambda error: told.append(str(error)),
        "request": lambda request: asked.append(request.url),
    }
    for event, listener in listeners.items():
        desk.on(event, listener)
    desk.goto(report.as_uri())
    yield desk
    for event, listener in listeners.items():
        desk.remove_listener(event, listener)
    assert told == []
    assert {url for url in asked if not url.startswith("data:")} == {report.as_uri()}


def choose(page, name, label):
    page.get_by_label(name, exact=True).select_option(label=label)


def slide(page, value):
    page.locator("#least").evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


def counted(page):
    """Return (images, detections, shown) as the line over the gallery says."""
    words = page.locator("#shown").inner_text()
    return tuple(int(number) for number in re.findall(r"(\d+)(?: of \d+ images| detections| shown)", words))


def wrong(detection, data):
    return data["kinds"][detection[6]] not in ("correct", "unjudged")


def test_names_are_shown_and_not_run(page):
    assert page.title() == f"Report on {IMAGES} test images"
    assert page.locator("#by-class th[scope=row]").all_inner_texts() == NAMES
    assert page.locator("img[src=x]").count() == 0


def test_a_press_on_a_heading_sorts_and_another_turns_the_order(page):
    for heading, column in (("objects", 1), ("AP", 3)):
        place = page.locator("#by-class thead th").all_inner_texts().index(heading)
        assert place == column
        page.get_by_role("button", name=heading, exact=True).click()

        def values(place=place):
            return [
                float(words.replace(",", ""))
                for words in page.locator(f"#by-class tbody tr > :nth-child({place + 1})").all_inner_texts()
            ]

        assert values() == sorted(values(), reverse=True)
        assert page.locator("#by-class th[aria-sort=descending]").inner_text() == heading
        page.get_by_role("button", name=heading, exact=True).press("Enter")
        assert values() == sorted(values())
        assert page.locator("#by-class th[aria-sort=ascending]").inner_text() == heading
    page.get_by_role("button", name="class", exact=True).click()
    assert page.locator("#by-class th[scope=row]").all_inner_texts()[-2:] == ["chat", "rat"]


def test_the_slider_redraws_the_boxes(page, data):
    drawn = []
    for least in (0.0, 0.4, 0.7, 1.0):
        slide(page, least)
        everything = sum(detection[5] >= least for image in data["images"] for detection in image["d"])
        assert counted(page) == (IMAGES, everything, 24)
        first = sum(detection[5] >= least for image in data["images"][:24] for detection in image["d"])
        boxes = page.locator("#gallery .box:not(.truth)").count()
        assert boxes == first
        drawn.append(boxes)
        assert page.locator("#least-words").inner_text() == ("0.4" if least == 0.4 else f"{least:.2f}")
    assert drawn == sorted(drawn, reverse=True)
    assert drawn[-1] == 0
    page.locator("#least").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#least-words").inner_text() == "0.99"


def test_the_gallery_filters_by_class_and_kind_of_mistake(page, data):
    least = 0.4

    def expected(label, kind):
        found = [
            [one for one in image["d"] if one[5] >= least and label in (None, one[4])] for image in data["images"]
        ]
        missed = [
            any(data["fates"][truth[5]] == "missed" and label in (None, truth[4]) for truth in image["t"])
            for image in data["images"]
        ]
        if kind == "any mistake":
            return sum(a or any(wrong(one, data) for one in own) for a, own in zip(missed, found, strict=True))
        if kind == "missed":
            return sum(missed)
        return sum(any(data["kinds"][one[6]] == kind for one in own) for own in found)

    numbers = []
    for kind in ("any mistake", "missed", "localisation", "classification", "correct"):
        choose(page, "Showing", kind)
        for label in (None, 0, 2):
            choose(page, "Class", "all" if label is None else NAMES[label])
            assert counted(page)[0] == expected(label, kind), (kind, label)
            numbers.append(counted(page)[0])
    assert max(numbers) > min(numbers)
    choose(page, "Showing", "missed")
    choose(page, "Class", "all")
    assert page.locator("#gallery li").count() == page.locator("#gallery li:has(.missed)").count() > 0


def test_the_order_is_the_worst_first_or_the_archive_s(page, data):
    files = page.locator("#gallery .file")
    assert files.all_inner_texts() == [image["name"] for image in data["images"][:24]]
    choose(page, "Order", "as in the archive")
    assert files.all_inner_texts() == sorted(image["name"] for image in data["images"])[:24]


def test_more_images_are_shown_on_request(page):
    page.get_by_role("button", name="Show more").click()
    assert counted(page)[2] == 48
    page.get_by_role("button", name="Show more").click()
    assert counted(page)[2] == IMAGES
    assert not page.get_by_role("button", name="Show more").is_visible()


def test_cells_show_the_confidence_and_which_are_responsible(page, data):
    assert page.locator("#gallery .cell").count() == 0
    page.get_by_label("cells and their confidence").check()
    images = data["images"][:24]
    assert page.locator("#gallery .cell").count() == sum(len(image["cells"]) for image in images)
    assert page.locator("#gallery .own").count() == sum(len(image["own"]) for image in images)
    assert page.locator("#gallery .dot").count() == sum(len(image["t"]) for image in images)
    assert page.locator("#gallery .cell").first.get_attribute("fill-opacity") == f"{0.0075 * images[0]['cells'][0]:g}"
    page.get_by_label("ground truth", exact=True).uncheck()
    assert page.locator("#gallery .truth").count() == 0


def test_an_image_opens_by_the_keyboard_and_closes_with_escape(page, data):
    page.locator("#gallery .open").first.focus()
    page.keyboard.press("Enter")
    large = page.get_by_role("dialog")
    assert large.is_visible()
    assert large.get_by_role("heading").inner_text() == data["images"][0]["name"]
    image = data["images"][0]
    shown = [one for one in image["d"] if one[5] >= 0.4]
    rows = large.locator("tbody tr").all_inner_texts()
    assert len(rows) == len(shown) + len(image["t"])
    assert f"{shown[0][5]:.3f}" in rows[0]
    assert data["kinds"][shown[0][6]] in rows[0]
    page.keyboard.press("Escape")
    assert not large.is_visible()
    assert page.evaluate("document.activeElement.className") == "open"


def test_values_are_read_off_charts_with_pointer_and_keys(page):
    chart = page.locator("#chart-thresholds")
    words = page.locator("figure:has(#chart-thresholds) .readout")
    chart.scroll_into_view_if_needed()
    chart.hover()
    assert re.fullmatch(r"at 0\.\d+: precision [\d.]+, recall [\d.]+, F1 [\d.]+", words.inner_text())
    page.mouse.move(0, 0)
    assert words.inner_text() == ""
    chart.focus()
    page.keyboard.press("Home")
    assert words.inner_text().startswith("at 0: ")
    page.keyboard.press("ArrowRight")
    assert words.inner_text().startswith("at 0.01: ")
    page.locator("#chart-ious").focus()
    page.keyboard.press("ArrowRight")
    assert re.fullmatch(r"0 to 0\.05: \d+", page.locator("figure:has(#chart-ious) .readout").inner_text())


def test_curves_of_a_class_appear_on_request(page):
    choose(page, "Also show one class", "rat")
    assert page.locator("#chart-precision-recall .line:not([hidden])").count() == 2
    assert page.locator("#chart-thresholds .line:not([hidden])").count() == 6
    choose(page, "Also show one class", "none")
    assert page.locator("#chart-thresholds .line:not([hidden])").count() == 3


def test_everything_is_reached_by_tab_and_has_a_name(page):
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, a, [tabindex='0'], summary")]
            .filter((node) => !node.getAttribute("aria-label") && !node.textContent.trim())
            .filter((node) => !(node.labels || []).length)
            .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#numbers"


def test_the_slider_says_the_threshold_of_the_words_until_it_is_moved(desk, photographs):
    desk.goto(photographs.as_uri())
    said = desk.locator("#least-words")
    assert desk.locator("header b").inner_text() == said.inner_text() == "0.401"
    desk.locator("#least").press("ArrowRight")
    assert said.inner_text() == "0.41"
    desk.locator("#least").press("ArrowLeft")
    assert said.inner_text() == "0.401"


@pytest.mark.parametrize("width", [390, 1280])
def test_thumbnails_have_no_label_over_another_and_a_click_shows_a_sharp_picture_as_a_whole(desk, photographs, width):
    desk.set_viewport_size({"width": width, "height": 800})
    desk.goto(photographs.as_uri())
    labels = desk.locator("#gallery svg").evaluate_all(
        "all => all.map((one) => [...one.querySelectorAll('.tag')].map((tag) => {"
        " const box = tag.getBBox(); return [box.x, box.y, box.x + box.width, box.y + box.height]; }))"
    )
    assert max(map(len, labels)) > 1
    for one, other in (pair for image in labels for pair in itertools.combinations(image, 2)):
        apart = max(one[0] - other[2], other[0] - one[2], one[1] - other[3], other[1] - one[3])
        assert apart > -1  # pixels of the image; antialiasing
    desk.locator("#gallery .open").first.click()
    picture = desk.locator("#large img")
    held, shown, high = picture.evaluate("node => [node.naturalWidth, node.width, node.height]")
    assert (held, shown <= 1.5 * held, high < 0.75 * 800) == (427, True, True)  # of render.report_px 640
    assert all(tag.bounding_box()["height"] > 11 for tag in desk.locator("#large .tag").all())


def test_a_table_that_is_wider_than_a_phone_says_that_it_scrolls(phone, report):
    phone.goto(report.as_uri())
    phone.evaluate(
        "() => Promise.all([...document.querySelectorAll('details:not([open])')].map((one) => new Promise((told) => {"
        " one.addEventListener('toggle', told, { once: true }); one.open = true; })))"
    )
    tables = phone.locator(".wide").evaluate_all(
        "all => all.map((one) => { one.scrollLeft = 1e6; const last = one.querySelector('tr').lastElementChild;"
        " const told = getComputedStyle(one, '::before').content.includes('scroll');"
        " return [one.scrollWidth > one.clientWidth + 1, told, last.getBoundingClientRect().right <= 390]; })"
    )
    assert {told for wider, told, _ in tables if wider} == {True}
    assert {told for wider, told, _ in tables if not wider} == {False}
    assert all(reached for _, _, reached in tables)


@pytest.mark.parametrize("width", [390, 320, 768])
def test_a_phone_needs_no_sideways_scrolling(phone, report, width):
    phone.set_viewport_size({"width": width, "height": 800})
    phone.goto(report.as_uri())
    assert phone.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page, scheme):
    page.emulate_media(color_scheme=scheme)
    colours = page.evaluate(
        """() => {
            const style = getComputedStyle(document.documentElement);
            return Object.fromEntries(["--paper", "--card", "--ink", "--faint", "--c0", "--c1"].map(
                (name) => [name, style.getPropertyValue(name).trim()]));
        }"""
    )

    def luminance(colour):
        digits = colour.lstrip("#")
        digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for ground in ("--paper", "--card"):
        for ink in ("--ink", "--faint", "--c0", "--c1"):
            light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, ink)  # WCAG 2.2, 1.4.3


def test_it_prints_with_its_details_and_without_its_controls(page):
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert not page.locator("nav").is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details[open]").count() == page.locator("details").count() > 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_without_scripts_the_numbers_and_charts_are_there(browser, report):
    window = chrome.offline(browser, java_script_enabled=False)
    page = window.new_page()
    page.goto(report.as_uri())
    assert page.locator("#filters").is_hidden()
    assert page.locator(".tile").count() == 8
    assert page.locator(".chart").count() == 7
    assert page.get_by_text("need scripts").is_visible()
    window.close()


@pytest.mark.slow
def test_the_picture_of_the_readme_is_taken(browser, report, tmp_path):
    chrome.take_picture(browser, report, tmp_path / "report.png")
    with Image.open(tmp_path / "report.png") as picture:
        assert picture.width == 1000
    assert (tmp_path / "report.png").stat().st_size < 300_000
