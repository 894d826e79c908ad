#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The portal in headless Chromium: browser_test.py XPCS_PORTAL SCREENSHOTS. Exit 77: not here."""
import pathlib
import shutil
import sys
import urllib.parse

try:
    from selenium import webdriver
    from selenium.common.exceptions import (NoSuchElementException, StaleElementReferenceException,
                                            WebDriverException)
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select, WebDriverWait
except ImportError:
    print("skipped: python3-selenium is not installed")
    sys.exit(77)
import portal_site

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")
if not DRIVER or not CHROMIUM:
    print("skipped: chromium and chromium-driver are not installed")
    sys.exit(77)

PATIENCE = 60  # seconds; a machine that runs other tests beside this one may need them


class Visitor:
    """A browser at the portal."""

    def __init__(self, base, pictures):
        options = webdriver.ChromeOptions()
        # --disable-dev-shm-usage: containers often have little shared memory, and a page then dies of it.
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--window-size=1300,1000", "--force-prefers-reduced-motion"):
            options.add_argument(argument)
        options.binary_location = CHROMIUM
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.browser = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.base, self.pictures = base, pictures

    def go(self, path=""):
        self.browser.get(urllib.parse.urljoin(self.base, path))

    def one(self, selector):
        return self.found(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.one(selector).text

    def follow(self, words):
        self.found(By.LINK_TEXT, words).click()

    def found(self, how, what):
        """Waited for: after a click the next page may not be there yet."""
        return WebDriverWait(self.browser, PATIENCE).until(lambda browser: browser.find_element(how, what), what)

    def wait(self, condition, seconds=PATIENCE):
        # While a page changes, what was found a moment ago may be gone.
        WebDriverWait(self.browser, seconds, ignored_exceptions=[
            NoSuchElementException, StaleElementReferenceException]).until(lambda _: condition())

    def shot(self, name):
        self.browser.save_screenshot(str(self.pictures / f"{name}.png"))

    def tell(self):
        """What there is to see where a test fails; a browser that died must not hide why."""
        try:
            print("at", self.browser.current_url, "title", repr(self.browser.title))
            print("text", repr(self.text("body")[:2000]))
            print("browser", self.browser.get_log("browser"), flush=True)
            self.shot("failed")
        except WebDriverException as error:
            print("and the browser does not answer:", error, flush=True)

    def dark(self, on):
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]})

    def phone(self, on):
        if on:
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
        else:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def sign_in(self, name, password):
        self.go("login")
        self.one("[name=name]").send_keys(name)
        self.one("[name=password]").send_keys(password)
        self.one("main button").click()

    def no_errors(self):
        """Nothing that the browser refused or that a script tripped over; a form that was refused is meant."""
        bad = [e["message"] for e in self.browser.get_log("browser")
               if e["level"] == "SEVERE" and " 401 " not in e["message"] and " 403 " not in e["message"]]
        assert not bad, bad


def search_and_facets(visitor):
    visitor.go()
    assert visitor.text("#total") == "3 runs", visitor.text("#total")
    visitor.shot("search")
    field = visitor.one("input[type=search]")
    field.send_keys("warm", Keys.ENTER)
    visitor.wait(lambda: visitor.text("#total") == "1 run")
    assert "q=warm" in visitor.browser.current_url
    visitor.go()
    visitor.follow("demo")
    visitor.wait(lambda: visitor.text("#total") == "2 runs")
    picture = visitor.one(".run img")
    visitor.wait(lambda: int(picture.get_property("naturalWidth")) >= 400)
    visitor.follow("Trends of this experiment")
    visitor.wait(lambda: len(visitor.all("#trend-tau circle")) == 2)
    visitor.shot("trends")


def hostile_text(visitor):
    visitor.go()
    assert "broken" not in visitor.browser.title
    assert portal_site.HOSTILE[:60] in visitor.text(".runs")
    visitor.one(".runs").find_element(By.PARTIAL_LINK_TEXT, "<script>").click()
    visitor.wait(lambda: visitor.all("#main pre"))
    assert visitor.text("h1").startswith("<script>document.title")
    assert "broken" not in visitor.browser.title.split("·")[1]
    assert not visitor.all("main img[src=x]")
    visitor.one("summary").click()
    assert "<script>document.title" in visitor.text("pre")
    width = visitor.browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"a long name pushes the page {width} px beyond the window"
    visitor.shot("hostile")
    for link in [a.get_attribute("href") for a in visitor.all("table a")]:
        visitor.browser.get(link)
        assert visitor.text("h1") == "Not found", link
    visitor.browser.get_log("browser")  # the browser notes each file that was not given


def run_and_zoom(visitor):
    visitor.go("?q=cold")
    visitor.follow("cold")
    visitor.wait(lambda: visitor.all("iframe.report"))
    frame = visitor.one("iframe.report")
    visitor.browser.switch_to.frame(frame)
    visitor.wait(lambda: len(visitor.all("#g2-chart circle")) > 20)
    chart = visitor.one("#g2-chart svg")
    visitor.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)

    def ticks():
        return [t.text for t in visitor.all("#g2-chart .axis text")]

    everything = ticks()
    visitor.shot("run")
    ActionChains(visitor.browser).move_to_element_with_offset(chart, -150, -60).click_and_hold().move_by_offset(
        250, 120).release().perform()
    visitor.wait(lambda: ticks() != everything)
    visitor.shot("zoomed")
    ActionChains(visitor.browser).double_click(chart).perform()
    visitor.wait(lambda: ticks() == everything)
    chart.send_keys("+")
    visitor.wait(lambda: ticks() != everything)
    chart.send_keys("0")
    visitor.wait(lambda: ticks() == everything)
    visitor.browser.switch_to.default_content()


def partial_and_bins(visitor):
    """On the report's own page: bins are picked, slices of the run chosen, q told under the cursor."""
    visitor.go("?q=cold")
    visitor.follow("cold")
    visitor.follow("Report on a page of its own")
    visitor.wait(lambda: visitor.one("body").get_attribute("data-ready") == "true")
    assert visitor.one("body").get_attribute("data-failed") is None
    assert not visitor.one("#twotime").is_displayed() and not visitor.one("#band").is_displayed()
    visitor.one("#g2-none").click()
    assert not visitor.all("#g2-chart circle")
    visitor.all("#g2-picker button")[1].click()
    visitor.wait(lambda: len({c.value_of_css_property("fill") for c in visitor.all("#g2-chart circle")}) == 1)
    image = visitor.one("#image-canvas")
    visitor.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", image)
    ActionChains(visitor.browser).move_to_element_with_offset(image, 200, 60).perform()
    visitor.wait(lambda: "q = " in visitor.text("#image-readout"))
    ActionChains(visitor.browser).move_to_element(image).perform()
    visitor.wait(lambda: "masked" in visitor.text("#image-readout"))
    assert len(visitor.all("#partial-chart path[style*=stroke]")) >= 4  # three slices and the whole run
    visitor.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    visitor.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False})
    visitor.wait(lambda: not visitor.one(".bar").is_displayed())
    visitor.shot("report-print")
    width = visitor.browser.execute_script("return document.querySelector('#fit-table').scrollWidth")
    assert width <= 720, f"the table of fits is {width} px wide in print"
    visitor.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    visitor.phone(False)


def two_time(visitor):
    visitor.go("?q=warm")
    visitor.follow("warm")
    visitor.follow("Report on a page of its own")
    visitor.wait(lambda: visitor.one("body").get_attribute("data-ready") == "true")
    canvas = visitor.one("#map-canvas")
    visitor.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    before = visitor.text("#map-readout")
    ActionChains(visitor.browser).move_to_element_with_offset(canvas, 80, -40).perform()
    visitor.wait(lambda: visitor.text("#map-readout") != before)
    held = visitor.text("#map-readout")
    ActionChains(visitor.browser).click().move_by_offset(-120, 60).perform()
    assert visitor.text("#map-readout") == held, "a click holds the cursor"
    canvas.send_keys(Keys.ARROW_RIGHT)
    visitor.wait(lambda: visitor.text("#map-readout") != held)
    assert visitor.all("#cut-chart path") and len(visitor.all("#age-chart circle")) > 10
    assert len(visitor.all("#map-pane .axes .tick")) >= 6
    Select(visitor.one("#map-bin")).select_by_index(1)
    visitor.wait(lambda: "bin" in visitor.text("#map-bin") or "3:" in visitor.text("#map-bin"))
    visitor.shot("two-time")


def compare(visitor):
    visitor.go("?experiment=demo")
    visitor.one("#choose [type=submit], #choose button").click()
    assert "two runs" in visitor.text("#choose-note")
    for box in visitor.all("input[name=run]"):
        box.click()
    visitor.one("#choose [type=submit], #choose button").click()
    visitor.wait(lambda: len(visitor.all("#compare-chart circle")) > 20)
    assert len(visitor.all("[data-run-name]")) == 2
    colours = {c.value_of_css_property("fill") for c in visitor.all("#compare-chart circle")}
    assert len(colours) == 2, colours
    Select(visitor.one("#compare-bin")).select_by_index(2)
    visitor.one("#compare-normalise").click()
    visitor.wait(lambda: "baseline" in visitor.text("#compare-chart"))
    visitor.shot("compare")


def looks(visitor):
    """Pages on a phone and in the dark: pictures to look at, and nothing wider than the window."""
    run = visitor.go("?q=cold") or visitor.one(".run a").get_attribute("href")
    for name, path in (("search", ""), ("run", run), ("trends", "experiment?name=demo"), ("sign-in", "login")):
        visitor.go(path)
        visitor.dark(True)
        visitor.shot(f"{name}-dark")
        paper = visitor.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert sum(int(v) for v in paper[4:-1].split(",")) < 150, paper
        visitor.dark(False)
        visitor.phone(True)
        visitor.shot(f"{name}-phone")
        width = visitor.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390, f"{name}: {width} px wide on a phone"
        visitor.phone(False)


def viewer_cannot_submit(visitor):
    visitor.sign_in(portal_site.VIEWER, "not the password")
    visitor.wait(lambda: visitor.all("[role=alert]"))
    assert "wrong" in visitor.text("[role=alert]")
    visitor.shot("wrong-password")
    visitor.sign_in(portal_site.VIEWER, portal_site.PASSWORD)
    visitor.wait(lambda: "vera (viewer)" in visitor.text("header"))
    visitor.go("?q=cold")
    visitor.follow("cold")
    assert not visitor.browser.find_elements(By.LINK_TEXT, "Reprocess")
    number = visitor.browser.current_url.rsplit("/", 1)[1]
    visitor.go(f"reprocess?run={number}")
    assert "Only operators" in visitor.text("main")
    visitor.shot("not-allowed")
    # Not through the form either: the answer to a submission by hand, with the viewer's own token.
    status = visitor.browser.execute_async_script("""
        const done = arguments[1], body = new URLSearchParams({run: arguments[0], suffix: "again",
          csrf: document.querySelector("[name=csrf]").value});
        fetch("/reprocess/submit", {method: "POST", body}).then(r => done(r.status));""", number)
    assert status == 403, status
    visitor.one("header button").click()


def field(visitor, name, text):
    node = visitor.one(f"[name={name}]")
    node.clear()
    node.send_keys(text)


def reprocess(visitor, root):
    visitor.sign_in(portal_site.OPERATOR, portal_site.PASSWORD)
    visitor.wait(lambda: "otto (operator)" in visitor.text("header"))
    visitor.go("?experiment=demo")
    watching = visitor.browser.current_window_handle
    box = visitor.one("input[name=run]")
    box.click()
    kept = box.get_attribute("value")
    visitor.browser.switch_to.new_window("tab")
    visitor.go("?q=cold")
    visitor.follow("cold")
    visitor.follow("Reprocess")
    field(visitor, "suffix", "../../up")
    visitor.one("form[action='/reprocess/preview'] button").click()
    visitor.wait(lambda: visitor.all("[role=alert]"))
    assert not visitor.all("#script")
    field(visitor, "suffix", "again")
    visitor.one("form[action='/reprocess/preview'] button").click()
    visitor.wait(lambda: visitor.all("#script"))
    assert "xpcs-corr" in visitor.text("#script")
    assert not list(root.glob("cold_again/**/*_results.hdf")), "submitted before it was asked for"
    visitor.shot("job-script")
    visitor.one("#submit").click()
    visitor.wait(lambda: visitor.all("#job-state"))
    visitor.wait(lambda: visitor.text("#job-state") in ("done", "failed"), 90)
    visitor.shot("job")
    assert visitor.text("#job-state") == "done", visitor.text("#job-log")
    visitor.wait(lambda: visitor.one("[data-job-run]").is_displayed())
    visitor.one("[data-job-run]").click()
    visitor.wait(lambda: visitor.all("iframe.report"))
    assert "cold_again" in visitor.text("h1")
    visitor.shot("reprocessed")
    visitor.browser.close()
    visitor.browser.switch_to.window(watching)
    # The page that was open all the time shows it by itself, and keeps what was chosen on it.
    visitor.wait(lambda: visitor.text("#total") == "3 runs")
    assert visitor.one("#news").is_displayed()
    assert [box.get_attribute("value") for box in visitor.all("input[name=run]:checked")] == [kept]
    assert visitor.browser.find_element(By.LINK_TEXT, "cold_again")
    visitor.shot("appeared")
    visitor.go("?q=warm")
    visitor.one("input[name=run]").click()
    visitor.browser.find_element(By.XPATH, "//button[.='Reprocess chosen']").click()
    visitor.wait(lambda: visitor.all("[name=suffix]"))
    assert "warm" in visitor.text("h1")
    Select(visitor.one("[name=deployment]")).select_by_value("local")
    field(visitor, "suffix", "short")
    field(visitor, "end", "800")
    visitor.one("form[action='/reprocess/preview'] button").click()
    visitor.wait(lambda: visitor.all("#script"))
    assert "--end-frame=800" in visitor.text("#script") or "--end-frame 800" in visitor.text("#script")
    visitor.shot("options")
    visitor.go("jobs")
    visitor.wait(lambda: visitor.text("[data-job-state]") == "done")
    visitor.shot("jobs")


def main():
    portal, pictures = sys.argv[1], pathlib.Path(sys.argv[2])
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / "failed.png").unlink(missing_ok=True)
    with portal_site.site(portal) as (address, root):
        visitor = Visitor(address, pictures)
        try:
            for case in (search_and_facets, hostile_text, run_and_zoom, partial_and_bins, two_time, compare, looks,
                         viewer_cannot_submit):
                print(case.__name__, flush=True)
                case(visitor)
                visitor.no_errors()
            print("reprocess", flush=True)
            reprocess(visitor, root)
            visitor.no_errors()
        except BaseException:
            visitor.tell()
            raise
        finally:
            visitor.browser.quit()


main()
