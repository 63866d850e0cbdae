from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import typer
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from typer.testing import CliRunner

from bottleneck_lab.cli.instruments.explore import explore
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.collapse.explorer import explorer_page
from bottleneck_lab.manifold.activations import activation_named
from bottleneck_lab.manifold.decoders import affine_error, moments, pseudo_inverse_errors
from bottleneck_lab.manifold.distances import effective_rank, principal_variances
from bottleneck_lab.manifold.embedding import calibrated, paper_matrix, pre_activations
from bottleneck_lab.manifold.invertibility import collapsed_in_theory, recovery
from bottleneck_lab.manifold.shapes import circle, grid, spiral

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
PAPER = "#n=2&seed=0&paper=1"

app = typer.Typer()
app.command()(explore)


def test_the_page_is_one_file_that_asks_for_nothing():
    page = explorer_page()
    assert len(page.encode()) < 300_000
    assert re.findall(r"https?:[^\"' )]*", page) == ["https://arxiv.org/abs/1801.04381"]
    assert '<a href="https://arxiv.org/abs/1801.04381"' in page  # followed only by those who click it
    for ask in ("@import", "url(", "src=", "import(", "fetch(", "XMLHttpRequest", "sendBeacon", "<iframe"):
        assert ask not in page
    assert "default-src 'none'" in page  # and the browser is told to refuse, should one slip in


def test_the_command_writes_the_page(tmp_path):
    out = tmp_path / "new" / "page.html"
    result = CliRunner().invoke(app, ["--out", str(out)])
    assert result.exit_code == 0
    assert "page.html" in "".join(result.stdout.split())  # however the terminal folds it
    assert out.read_text(encoding="utf-8") == explorer_page()


def test_a_place_that_cannot_be_written_to_gets_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path, tmp_path / "file" / "page.html"):
        result = CliRunner().invoke(app, ["--out", str(out)])
        assert isinstance(result.exception, LabError)
        assert str(result.exception).startswith(f"--out {out}: ")


class Browser:
    """The page in headless Chromium."""

    def __init__(self, driver, url):
        self.driver, self.url = driver, url

    def open(self, address=""):
        self.driver.get("about:blank")
        self.driver.get(self.url + address)
        self.settle()

    def settle(self):
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def __getitem__(self, element_id):
        return self.driver.find_element(By.ID, element_id)

    def press(self, element_id, *keys):
        self[element_id].send_keys(*keys)
        self.settle()

    def choose(self, value):
        self.driver.find_element(By.CSS_SELECTOR, f"input[value={value}]").click()
        self.settle()

    def shown(self):
        return self.driver.execute_script("return explorer.shown()")

    def value(self, element_id):
        return float(self[element_id].get_attribute("data-value"))

    def picture(self, element_id):
        return self.driver.execute_script(
            "return document.getElementById(arguments[0]).toDataURL()", element_id
        )

    def resize(self, width, height=900):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        self.settle()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    page = tmp_path_factory.mktemp("explorer") / "collapse.html"
    page.write_text(explorer_page(), encoding="utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    for switch in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    ):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.set_script_timeout(60)
        yield Browser(driver, page.as_uri())
    finally:
        driver.quit()


@pytest.fixture
def browser(chromium):
    """The page as it first opens; nothing a test does there may raise an error or touch the network."""
    chromium.open()
    chromium.resize(1600)
    chromium.prefer("light")
    chromium.driver.get_log("browser")
    chromium.driver.get_log("performance")
    chromium.open()
    yield chromium
    assert chromium.driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in chromium.driver.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert chromium.url in asked
    assert asked <= {chromium.url, "about:blank", "data:,"}


def measured_by_python(shown):
    points, matrix, bias = (np.array(shown[name]) for name in ("points", "matrix", "bias"))
    activation = activation_named(shown["state"]["activation"])
    z = pre_activations(points, matrix, bias)
    of = moments(points, activation.apply(z))
    pinv_error, scaled_error = pseudo_inverse_errors(of, matrix, bias)
    return {
        "collapsed": 1 - recovery(matrix, z, activation).unique.mean(),
        "pinvError": pinv_error,
        "scaledError": scaled_error,
        "affineError": affine_error(of),
        "effectiveRank": effective_rank(principal_variances(of.code_covariance)),
    }


NUMBERS = {
    "collapsed": "collapsed",
    "pinv-error": "pinvError",
    "scaled-error": "scaledError",
    "affine-error": "affineError",
    "rank": "effectiveRank",
}


@pytest.mark.parametrize(
    "address",
    [
        PAPER,
        "#n=3&seed=0&paper=1",
        "#n=2&seed=5&shape=circle",
        "#n=5&seed=1&bias=0.7&shape=grid",
        "#n=15&seed=2&bias=1&activation=relu6&scale=4",
        "#n=30&seed=3&shape=gaussian",
        "#n=4&seed=4&activation=leaky_relu",
    ],
)
def test_the_numbers_are_those_of_the_manifold_module(browser, address):
    browser.open(address)
    shown = browser.shown()
    for name, expected in measured_by_python(shown).items():
        assert shown["measures"][name] == pytest.approx(float(expected), rel=1e-6, abs=1e-7), name
    for element, name in NUMBERS.items():
        assert browser.value(element) == shown["measures"][name]


def test_points_and_embedding_are_those_of_the_manifold_module(browser):
    shapes = {"spiral": spiral(1000), "circle": circle(1000), "grid": grid(1000)}
    for name, expected in shapes.items():
        browser.choose(name)
        shown = browser.shown()
        assert shown["state"]["paper"]
        assert np.allclose(sorted(shown["points"]), sorted(expected.tolist()), atol=1e-9)
        assert np.allclose(shown["matrix"], calibrated(paper_matrix(2), expected))


@pytest.mark.parametrize("dim", [2, 3])
def test_the_papers_panels_come_out_as_in_the_paper(browser, dim):
    browser.press(f"paper-{dim}", Keys.ENTER)
    shown = browser.shown()
    points, matrix = spiral(1000), paper_matrix(dim)
    z = pre_activations(points, matrix, np.zeros(dim))
    lost = ~recovery(matrix, z, activation_named("relu")).unique
    assert shown["lost"] == lost.tolist()
    assert browser.value("collapsed") == lost.mean()
    assert np.allclose(shown["output"], np.maximum(z, 0) @ np.linalg.pinv(matrix).T, atol=1e-9)
    largest = {2: 63.7, 3: 63.3}  # the outermost points of the paper's figure
    assert np.linalg.norm(shown["output"], axis=1).max() == pytest.approx(largest[dim], rel=0.02)


def test_theorem_1_is_the_closed_form(browser):
    in_page = browser.driver.execute_script("return [...Array(29).keys()].map(k => explorer.theorem1(k + 2))")
    assert in_page == [collapsed_in_theory(dim, 2) for dim in range(2, 31)]
    assert [in_page[dim - 2] for dim in (2, 3, 5)] == [0.75, 0.5, 0.1875]
    browser.open("#n=15")
    assert browser.value("theory") == 16 / 2**15
    assert browser["theory"].text == "0.049 %"


def test_moving_the_slider_changes_picture_and_numbers(browser):
    panels = ("input", "output", "affine", "curve")
    before = [browser.picture(panel) for panel in panels]
    numbers = [browser[number].text for number in (*NUMBERS, "theory")]
    browser.press("n", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert browser["n-text"].text == "4"
    assert browser["theory"].text == "31.3 %"
    for panel, old in zip(panels, before, strict=True):
        assert browser.picture(panel) != old
    for number, old in zip((*NUMBERS, "theory"), numbers, strict=True):
        assert browser[number].text != old


@pytest.mark.parametrize("slider", ["seed", "bias"])
def test_another_matrix_or_bias_is_another_picture(browser, slider):
    browser.open("#n=3&seed=7")
    before = browser.picture("output"), browser.shown()["measures"]
    browser.press(slider, Keys.ARROW_RIGHT)
    changed = browser.picture("output"), browser.shown()["measures"]
    browser.press(slider, Keys.ARROW_LEFT)
    assert before[0] != changed[0]
    assert before[1] != changed[1]
    assert before == (browser.picture("output"), browser.shown()["measures"])


def test_one_more_channel_leaves_the_others_as_they_are(browser):
    browser.open("#n=4&seed=9")
    four = np.array(browser.shown()["matrix"])
    browser.press("n", Keys.ARROW_RIGHT)
    five = np.array(browser.shown()["matrix"])
    assert np.allclose(five[:4] / five[0, 0], four / four[0, 0])


def test_the_address_keeps_the_picture(browser):
    browser.press("n", *[Keys.ARROW_RIGHT] * 3)
    browser.press("bias", *[Keys.ARROW_RIGHT] * 4)
    browser.press("next", Keys.SPACE)
    browser.choose("relu6")
    browser.press("scale", Keys.ARROW_RIGHT)
    browser.choose("gaussian")
    WebDriverWait(browser.driver, 10).until(lambda driver: "shape=gaussian" in driver.current_url)
    shown, picture = browser.shown(), browser.picture("output")
    expected = {"n": 5, "seed": 1, "bias": 0.4, "shape": "gaussian", "activation": "relu6", "scale": 1.5}
    assert shown["state"] == expected | {"paper": False}
    assert "5 channels, ReLU6:" in browser["status"].get_attribute("textContent")
    browser.open("#" + browser.driver.current_url.partition("#")[2])
    again = browser.shown()
    assert again.pop("draws")["count"] == 1
    assert shown.pop("draws")["count"] == 1  # another setting is another mean
    assert again == shown
    assert browser.picture("output") == picture


def test_an_address_that_makes_no_sense_is_put_right(browser):
    browser.open("#n=99&seed=-4&bias=a&shape=torus&activation=&scale=1e9&paper=1")
    expected = {"n": 30, "seed": 0, "bias": 0, "shape": "spiral", "activation": "relu", "scale": 10}
    assert browser.shown()["state"] == expected | {"paper": False}


def test_the_mean_over_many_matrices_comes_to_theorem_1(browser):
    browser.open("#n=3&bias=0.5&shape=circle")
    for draws in (101, 201):
        browser.press("more", Keys.ENTER)
        WebDriverWait(browser.driver, 60).until(
            lambda _, draws=draws: browser.shown()["draws"]["count"] == draws
        )
    mean, error = (browser.shown()["draws"][name] for name in ("mean", "error"))
    assert 0 < error < 0.05
    assert abs(mean - 0.5) < 5 * error
    assert browser.value("mean") == mean
    assert "201 random T" in browser["draws"].text


def test_the_papers_own_matrix_is_not_one_of_the_random_ones(browser):
    assert browser["mean"].text == "none yet"
    browser.press("next", Keys.ENTER)
    assert browser.shown()["draws"]["count"] == 1
    browser.press("paper-2", Keys.ENTER)
    assert browser.shown()["draws"]["count"] == 1
    browser.press("bias", Keys.ARROW_RIGHT)  # another setting, of which nothing was drawn
    assert browser.shown()["state"]["paper"]
    assert browser["mean"].text == "none yet"


def test_what_theory_says_depends_on_the_activation(browser):
    browser.choose("leaky_relu")
    assert browser.value("collapsed") == browser.value("theory") == 0
    assert not browser["scale-row"].is_displayed()
    browser.choose("relu6")
    assert browser["theory-name"].text == "Theorem 1, at least"
    assert browser["scale-row"].is_displayed()


@pytest.mark.parametrize("width", [400, 800, 1200, 1400, 1600])
@pytest.mark.parametrize("address", ["", "#n=30&seed=3&bias=2&activation=relu6&scale=10&shape=gaussian"])
def test_nothing_overflows(browser, width, address):
    browser.resize(width)
    browser.open(address)
    too_wide = browser.driver.execute_script(
        """
        const right = document.documentElement.clientWidth, found = [];
        if (document.documentElement.scrollWidth > right) found.push("page");
        for (const element of document.querySelectorAll("main, main *, header, header *")) {
            const box = element.getBoundingClientRect(), own = getComputedStyle(element);
            if (!box.width) continue;
            if (box.right > right + 0.5 || box.left < -0.5) found.push(element.outerHTML.slice(0, 80));
            if (own.display === "inline" || !element.clientWidth) continue;
            if (element.scrollWidth > element.clientWidth + 1) found.push(element.outerHTML.slice(0, 80));
        }
        return found;
        """
    )
    assert too_wide == []
    for panel in ("input", "output", "affine", "curve"):
        assert browser[panel].rect["width"] > 0.3 * min(width, 500)


def test_dark_is_dark(browser):
    def brightness():
        colour = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    light, picture = brightness(), browser.picture("input")
    browser.prefer("dark")
    assert brightness() < 60 < 200 < light
    assert browser.picture("input") != picture


def test_all_can_be_reached_by_keyboard_and_has_a_name(browser):
    names = browser.driver.execute_script(
        "return [...document.querySelectorAll('input, button')]"
        ".map(control => control.labels?.[0]?.textContent || control.textContent)"
    )
    assert all(name.strip() for name in names)
    reached = set()
    for _ in range(12):
        active = browser.driver.switch_to.active_element
        active.send_keys(Keys.TAB)
        element = browser.driver.switch_to.active_element
        reached.add(element.get_attribute("id") or element.get_attribute("name"))
    assert {"n", "seed", "next", "bias", "activation", "shape", "paper-2", "paper-3", "more"} <= reached
    for panel in ("input", "output", "affine", "curve"):
        assert browser[panel].get_attribute("aria-label")
