#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The portal in headless Chromium: browser_test.py XPCS_PORTAL SCREENSHOTS. Exit 77: not here."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    print("skipped: python3-selenium is not installed")
    sys.exit(77)
driver_path, chromium = shutil.which("chromedriver"), shutil.which("chromium")
if not driver_path or not chromium:
    print("skipped: chromium and chromium-driver are not installed")
    sys.exit(77)

HOSTILE = '<script>document.title="broken"</script>"\'><img src=x onerror=alert(1)>' + "x" * 3000


def record(name, experiment, public=True):
    return {"subject": f"globus://c/../../{name}", "visible_to": ["public" if public else "urn:g:1"],
            "id": "metadata",
            "content": {"dc": {"titles": [{"title": name}]},
                        "files": [{"filename": "passwd", "url": f"globus://c/../../{name}/../../etc/passwd",
                                   "mime_type": "text/html", "length": 1}],
                        "project_metadata": {"experiment": experiment, "x": float("nan"),
                                             "start_time": "2026-01-02 03:04:05",
                                             "results": {"contrast": 0.2, "relaxation_time_s": 0.01}}}}


def options():
    chosen = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1000"):
        chosen.add_argument(argument)
    chosen.binary_location = chromium
    return chosen


def visit(browser, base, pictures):
    def shot(name):
        browser.save_screenshot(str(pictures / f"{name}.png"))

    def wait(condition):
        WebDriverWait(browser, 20).until(condition)

    def sign_in(password):
        browser.get(base + "login")
        browser.find_element(By.NAME, "name").send_keys("vera")
        browser.find_element(By.NAME, "password").send_keys(password)
        browser.find_element(By.CSS_SELECTOR, "main button").click()

    browser.get(base)
    assert browser.find_element(By.ID, "total").text == "3 runs"
    assert "broken" not in browser.title
    assert HOSTILE[:60] in browser.find_element(By.CSS_SELECTOR, ".runs").text
    shot("search")
    browser.find_element(By.LINK_TEXT, "demo").click()
    wait(lambda b: b.find_element(By.ID, "total").text == "2 runs")
    browser.find_element(By.LINK_TEXT, "Trends of this experiment").click()
    wait(lambda b: len(b.find_elements(By.CSS_SELECTOR, "#trend-tau circle")) == 2)
    shot("trends")
    browser.get(base + "?q=second")
    assert browser.find_element(By.ID, "total").text == "1 runs"
    browser.find_element(By.LINK_TEXT, "second").click()
    wait(lambda b: b.find_element(By.TAG_NAME, "h1").text == "second")
    shot("run")
    sign_in("not the password")
    wait(lambda b: "wrong" in b.find_element(By.CSS_SELECTOR, "[role=alert]").text)
    sign_in("right password")
    wait(lambda b: "vera (viewer)" in b.find_element(By.TAG_NAME, "header").text)
    browser.get(base + "reprocess?run=1")
    assert "Only operators" in browser.find_element(By.TAG_NAME, "main").text
    shot("not-allowed")


def main():
    portal, pictures = sys.argv[1], pathlib.Path(sys.argv[2])
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        records = [record("first", "demo"), record("second", "demo"), record(HOSTILE, HOSTILE),
                   record("hidden", "demo", public=False)]
        (place / "records.json").write_text(json.dumps(records))
        catalogue, users = str(place / "c.db"), str(place / "users")
        subprocess.run([portal, "ingest", str(place / "records.json"), "--catalogue", catalogue], check=True)
        subprocess.run([portal, "user", "vera", "--auth", users], input="right password\n", text=True, check=True)
        server = subprocess.Popen([portal, "serve", "--catalogue", catalogue, "--root", folder, "--port", "0",
                                   "--auth", users], stdout=subprocess.PIPE, text=True)
        try:
            base = server.stdout.readline().strip()
            browser = webdriver.Chrome(service=Service(driver_path), options=options())
            try:
                visit(browser, base, pictures)
            finally:
                browser.quit()
        finally:
            server.terminate()
            assert server.wait(20) == 0


main()
