"""The pages of reports and of their index, in a browser that has no network."""

import csv
import io
import json
import re
import shutil
from itertools import pairwise

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bottleneck_lab.published.index import write_index
from bottleneck_lab.records import files
from bottleneck_lab.report.write import write_report

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
SWITCHES = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-dev-shm-usage",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)


def start(profile):
    """A browser without a network; skips the test where there is none."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.add_argument(f"--user-data-dir={profile}")
    for switch in SWITCHES:
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(60)
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    return driver


def resize(driver, width, height=900):
    """The page in a window of `width` CSS pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(driver, scheme):
    """The colours that the reader's system asks for: light or dark."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def asked_for(driver):
    """Every address that was asked for since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}


ACCURACIES = {"t=2, bottlenecks": 0.9, "t=2, nowhere": 0.8, "t=4, bottlenecks": 0.85}


def outcome(run):
    return {
        "accuracy": ACCURACIES.get(run.variant, 0.7) + run.seed / 1000,
        "measures": {"below_zero": 0.5, "lost_int8": 0.01 * run.seed},
    }


def epochs(run):
    return [
        {"epoch": epoch, "accuracy": 0.3 * epoch, "measures": {"below_zero": 0.5, "lost_int8": 0.1}}
        for epoch in (1, 2)
    ]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = start(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(leave_runs_in, tmp_path_factory):
    """The folder of a report beside an index of it, which no test may change."""
    folder = leave_runs_in(tmp_path_factory.mktemp("pages"), outcome, epochs)
    write_report(folder)
    write_index(folder.parent)
    return folder


@pytest.fixture
def page(driver, report):
    """The page as it first opens; nothing that a test does there may raise an error or leave the page."""
    yield from opened(driver, report / "report.html")


@pytest.fixture
def index(driver, report):
    yield from opened(driver, report.parent / "index.html")


def opened(driver, path):
    resize(driver, 1600)
    prefer(driver, "light")
    driver.get("about:blank")
    driver.get_log("browser")
    asked_for(driver)
    driver.get(path.as_uri())
    driver.execute_script("for (const fold of document.querySelectorAll('details')) fold.open = true;")
    yield driver
    assert driver.get_log("browser") == []
    asked = asked_for(driver)
    assert path.as_uri() in asked
    assert all(url.startswith(("file:///", "data:", "about:blank")) for url in asked)


def column(page, name, table="table-1"):
    """The cells of a column as they are read."""
    heads = [head.text.split("\n")[0] for head in page.find_elements(By.CSS_SELECTOR, f"#{table} thead th")]
    at = heads.index(name) + 1
    cells = page.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr > :nth-child({at})")
    return [cell.text for cell in cells]


def sorter(page, name, table="table-1"):
    buttons = page.find_elements(By.CSS_SELECTOR, f"#{table} thead button")
    return next(button for button in buttons if button.text == name)


def head_of(button):
    return button.find_element(By.XPATH, "..")


def test_a_click_sorts_numbers_as_numbers_and_another_turns_them_round(page):
    button = sorter(page, "held-out accuracy")
    before = [float(text.split()[0]) for text in column(page, "held-out accuracy")]
    button.click()
    assert [float(text.split()[0]) for text in column(page, "held-out accuracy")] == sorted(before)
    assert head_of(button).get_attribute("aria-sort") == "ascending"
    button.click()
    assert [float(text.split()[0]) for text in column(page, "held-out accuracy")] == sorted(before)[::-1]
    assert head_of(button).get_attribute("aria-sort") == "descending"
    parameters = sorter(page, "parameters")
    parameters.click()
    counts = [int(text.replace(",", "")) for text in column(page, "parameters")]
    assert counts == sorted(counts)
    assert head_of(button).get_attribute("aria-sort") is None  # one column at a time


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE])
def test_the_keyboard_sorts_as_well(page, key):
    names = column(page, "variant")
    button = sorter(page, "variant")
    button.send_keys(key)
    button.send_keys(key)
    assert column(page, "variant") == sorted(names, reverse=True)
    assert names != sorted(names, reverse=True)


def test_cells_without_a_number_stay_at_the_end(page):
    button = sorter(page, "paper (ImageNet)")
    for _ in range(2):
        button.click()
        assert column(page, "paper (ImageNet)")[-1] == "-"
        assert "%" in column(page, "paper (ImageNet)")[0]


@pytest.mark.parametrize("allowed", [True, False])
def test_a_table_is_copied_as_csv_in_the_order_that_is_shown(page, allowed):
    if not allowed:
        page.execute_script("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))")
    page.execute_script(
        "document.addEventListener('copy', () => { window.copied = document.activeElement.value; });"
        "if (arguments[0]) navigator.clipboard.writeText = async text => { window.copied = text; };",
        allowed,
    )
    sorter(page, "held-out accuracy").click()
    shown = column(page, "variant")
    page.find_element(By.CSS_SELECTOR, "[data-copies=table-1]").click()
    copied = page.execute_async_script(
        "const done = arguments[0];"
        "const look = () => window.copied ? done(window.copied) : setTimeout(look, 20); look();"
    )
    rows = list(csv.reader(io.StringIO(copied)))
    assert [row[0] for row in rows[1:]] == shown
    assert rows[0][:2] == ["variant", "held-out accuracy"]
    assert {len(row) for row in rows} == {len(rows[0])}
    by_name = {row[0]: row for row in rows}
    first = dict(zip(rows[0], by_name["t=2, bottlenecks"], strict=True))
    assert first["held-out accuracy"] == "90.1"
    assert float(first["95 % interval low"]) < 90.1 < float(first["95 % interval high"])


@pytest.mark.parametrize("width", [400, 800, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("where", ["page", "index"])
def test_nothing_is_wider_than_the_window(request, width, scheme, where):
    page = request.getfixturevalue(where)
    resize(page, width)
    prefer(page, scheme)
    wide = page.execute_script("""
        const scrolls = e => e.closest(".scroll");
        return [...document.body.querySelectorAll("*")]
          .filter(e => !(e.closest("svg") && e.tagName !== "svg") && e.tagName !== "CAPTION")
          .filter(e => !scrolls(e) || e.matches(".scroll"))
          .filter(e => e.getBoundingClientRect().right > innerWidth + .5).map(e => e.outerHTML.slice(0, 80));
    """)
    assert wide == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


def test_every_figure_has_its_size_its_words_and_ids_of_its_own(page):
    figures = page.find_elements(By.CSS_SELECTOR, ".drawing:not(.phone) svg")
    assert len(figures) >= 4
    for figure in figures:
        assert figure.get_attribute("role") == "img"
        assert min(float(figure.get_attribute(side)) for side in ("width", "height")) > 100
        assert page.execute_script("return arguments[0].viewBox.baseVal.width", figure) > 100
        assert figure.rect["width"] > 100
        assert figure.find_elements(By.TAG_NAME, "text")
        for name in figure.get_attribute("aria-labelledby").split():
            assert page.execute_script("return document.getElementById(arguments[0]).textContent", name)
    twice = page.execute_script(
        "const ids = [...document.querySelectorAll('[id]')].map(e => e.id);"
        "return ids.filter((id, at) => ids.indexOf(id) !== at)"
    )
    assert twice == []
    sizeless = "img:not([width]), img:not([height]), svg:not([width]), svg:not([height])"
    assert page.find_elements(By.CSS_SELECTOR, sizeless) == []


def test_on_a_phone_figures_are_drawn_anew_and_not_shrunk(page):
    resize(page, 390)
    wide = page.find_elements(By.CSS_SELECTOR, ".drawing:has(+ .phone)")
    narrow = page.find_elements(By.CSS_SELECTOR, ".drawing.phone")
    assert len(wide) == len(narrow) > 0
    assert not any(each.is_displayed() for each in wide)
    page.execute_script("for (const fold of document.querySelectorAll('details')) fold.open = true")
    sizes = page.execute_script("""
        const scale = to => Math.hypot(to.a, to.b);  // some of it is turned
        const size = text => parseFloat(getComputedStyle(text).fontSize) * scale(text.getScreenCTM());
        return [...document.querySelectorAll(".drawing.phone text")].map(size);
    """)
    assert min(sizes) >= 8  # CSS pixels
    resize(page, 1000)
    assert not any(each.is_displayed() for each in narrow)


def luminance(colour):
    """WCAG 2.2's relative luminance of `rgb(r, g, b)`."""
    shares = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(w * s for w, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_the_text_of_figures_can_be_read_in_light_and_dark(page, scheme):
    prefer(page, scheme)
    colours = page.execute_script("""
        const ground = e => {
          for (; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (!colour.startsWith("rgba")) return colour;
          }
          return getComputedStyle(document.body).backgroundColor;
        };
        return [...document.querySelectorAll("p, h1, h2, td, th button, .verdict, figcaption, a, svg text")]
          .filter(e => !e.style.fill)  // on a coloured cell of a map, not on the ground of the page
          .map(e => [getComputedStyle(e)[e.tagName === "text" ? "fill" : "color"], ground(e)]);
    """)
    assert len(colours) > 100
    assert min(contrast(*pair) for pair in colours) >= 4.5  # WCAG AA
    assert (luminance(colours[0][1]) < 0.1) is (scheme == "dark")


def test_the_toggle_turns_the_colours_and_is_kept(page):
    body = "return getComputedStyle(document.body).backgroundColor"
    light = page.execute_script(body)
    page.find_element(By.ID, "theme").click()
    assert luminance(page.execute_script(body)) < 0.1 < luminance(light)
    page.refresh()
    assert luminance(page.execute_script(body)) < 0.1
    page.find_element(By.ID, "theme").send_keys(Keys.ENTER)
    assert page.execute_script(body) == light
    page.execute_script("localStorage.clear()")


def test_headings_are_in_order_and_tables_are_named(page):
    levels = [int(e.tag_name[1]) for e in page.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(next_ <= level + 1 for level, next_ in pairwise(levels))
    tables = page.find_elements(By.TAG_NAME, "table")
    assert all(table.find_element(By.TAG_NAME, "caption").get_attribute("textContent") for table in tables)
    assert page.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


def test_the_index_leads_to_every_report(index, report):
    links = [a.get_attribute("href") for a in index.find_elements(By.CSS_SELECTOR, "tbody a")]
    assert links == [(report / "report.html").as_uri()]
    index.find_element(By.CSS_SELECTOR, "tbody a").click()
    assert index.current_url == links[0]
    assert "Does a grid" in index.find_element(By.TAG_NAME, "h1").text


def test_text_of_an_experiment_is_never_markup(leave_runs, driver):
    folder = leave_runs(outcome, epochs)
    plan = files.read_json(folder / "plan.json")
    plan["ablation"]["question"] = "<script>document.title='x'</script><img src=x onerror=alert(1)> Does it?"
    files.write_json(folder / "plan.json", plan)
    write_report(folder)
    driver.get((folder / "report.html").as_uri())
    assert driver.title.startswith("grid")
    assert "<script>" in driver.find_element(By.TAG_NAME, "h1").text
    assert driver.find_elements(By.CSS_SELECTOR, "h1 *") == []


def test_every_claim_is_on_an_axis_with_its_seeds_and_says_its_numbers(page):
    plots = page.find_elements(By.CSS_SELECTOR, ".forest svg.plot")
    assert len(plots) == 2
    for plot in plots:
        assert "points" in plot.get_attribute("aria-label")
        assert len(plot.find_elements(By.CSS_SELECTOR, ".seed")) == 3
    plots[0].send_keys(Keys.NULL)
    tip = page.find_element(By.ID, "tip")
    assert tip.text == plots[0].get_attribute("aria-label")


def test_a_legend_hides_an_arm_and_arrows_read_the_points_of_the_others(page):
    figure = page.find_element(By.XPATH, "//figure[.//*[@data-key] and .//script]")
    svg, key = figure.find_element(By.TAG_NAME, "svg"), figure.find_element(By.CSS_SELECTOR, "[data-key]")
    name = key.text
    arms = f"[data-arm='{key.get_attribute('data-key')}']"
    read = set()
    for hidden in (False, True):
        if hidden:
            key.send_keys(Keys.ENTER)
            assert not any(arm.is_displayed() for arm in figure.find_elements(By.CSS_SELECTOR, arms))
            assert key.get_attribute("aria-pressed") == "true"
        read = set()
        for _ in range(40):
            svg.send_keys(Keys.ARROW_RIGHT)
            read.add(page.find_element(By.ID, "tip").text)
        assert any(text.startswith(name) for text in read) is not hidden
    assert len(read) > 1


def test_a_link_to_a_folded_section_unfolds_it(page):
    fold = page.find_element(By.CSS_SELECTOR, "#method details")
    page.execute_script("arguments[0].open = false", fold)
    page.find_element(By.CSS_SELECTOR, "nav a[href='#method']").click()
    assert fold.get_attribute("open")
