"""Clicks through the page of a batch in a headless Chromium: browser.py PAGE EXPECTED SCREENSHOTS.

Every check ends the program when it fails. Times are printed, not judged: the machine may be busy."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
ROWS = ".datasets tbody button.name"


class Look:
    """A page that is open, and everything it asked for or complained about."""

    def __init__(self, browser: Browser, path: Path, size: Any, scheme: Any = "light") -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        self.page: Page = context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"cannot load {request.url}"))
        began = time.monotonic()
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("tbody tr")
        self.seconds = time.monotonic() - began

    def is_clean(self, below: Path) -> None:
        assert not self.complaints, self.complaints[:4]
        foreign = [url for url in self.requests if not url.startswith(below.as_uri() + "/")]
        assert not foreign, foreign


def look(browser: Browser, page_path: Path, expected: dict[str, Any], screenshots: Path) -> None:
    results = page_path.parents[2]
    opened = Look(browser, page_path, DESK)
    page = opened.page
    print(f"{expected['datasets']} datasets usable {opened.seconds:.2f} s after the page was asked for")
    assert opened.requests == [page_path.as_uri()], "nothing but the page itself is asked for"
    page.screenshot(path=screenshots / "light.png")
    see_structure(page, expected)
    search(page, expected)
    filter_and_sort(page, expected)
    keyboard(page, expected)
    explanation(page, expected, screenshots)
    gallery(opened)
    opened.is_clean(results)

    for name, size, scheme in (("dark", DESK, "dark"), ("phone", PHONE, "light"), ("phone-dark", PHONE, "dark")):
        other = Look(browser, page_path, size, scheme)
        wide = other.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{name} is {wide} wide"
        other.page.screenshot(path=screenshots / f"{name}.png")
        other.is_clean(results)

    every = Look(browser, page_path.parents[1] / "index.html", DESK)
    every.page.screenshot(path=screenshots / "batches.png")
    every.page.get_by_role("link", name="spring").click()
    every.page.wait_for_selector(ROWS)
    every.page.get_by_role("link", name="All batches").click()
    expect(every.page.get_by_role("heading", name="Batches")).to_be_visible()
    every.is_clean(results)


def see_structure(page: Page, expected: dict[str, Any]) -> None:
    """What a screen reader is told."""
    expect(page.get_by_role("heading", level=1, name="spring")).to_be_visible()
    for heading in ("Failures", "Progress", "Time and memory", "Datasets", "Previews"):
        expect(page.get_by_role("heading", level=2, name=heading, exact=True)).to_be_visible()
    expect(page.get_by_role("table", name="Datasets")).to_be_visible()
    for state, count in expected["states"].items():
        expect(page.get_by_role("button", name=f"{state} {count:,}").first).to_be_visible()
    # the limits of the memory bins are drawn
    for limit in ("1.75 GiB", "7 GiB", "14 GiB", "56 GiB"):
        expect(page.locator("svg text", has_text=limit).first).to_be_attached()
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select, a, svg, img")]
        .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.alt || e.labels?.length)).length""")
    assert unnamed == 0, f"{unnamed} controls have no name"


def said(page: Page) -> str:
    return page.locator("#datasets ~ div .said").inner_text()


def search(page: Page, expected: dict[str, Any]) -> None:
    name = expected["failed"][7]
    box = page.get_by_role("searchbox", name="search")
    box.fill(name.upper())
    assert page.locator(ROWS).all_inner_texts() == [name]
    box.fill("no such thing")
    expect(page.get_by_text("No dataset is like this.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    assert said(page) == f"1–100 of {expected['datasets']:,} datasets", said(page)
    page.get_by_role("button", name="Next").click()
    assert said(page).startswith("101–200 of "), said(page)
    page.get_by_role("button", name="Previous").click()


def filter_and_sort(page: Page, expected: dict[str, Any]) -> None:
    errors = expected["states"]["error"]
    page.get_by_role("button", name=f"error {errors:,}").click()
    assert f" of {errors:,} datasets, of " in said(page), said(page)
    page.get_by_label("state", exact=True).select_option("")
    page.get_by_label("instrument", exact=True).select_option("cos")
    assert f" of {expected['instruments']['cos']:,} datasets" in said(page), said(page)
    page.get_by_role("button", name="Show all").click()
    # a reason in the table of failures shows the datasets that failed for it
    line = page.locator(".reasons tbody tr").first
    count = line.locator("td").first.inner_text()
    line.locator("th button").click()
    assert f" of {count} dataset" in said(page), said(page)
    page.get_by_role("button", name="Show all").click()
    head = page.locator(".datasets th.c-seconds")
    head.get_by_role("button").click()
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    longest = page.locator(".datasets td.c-seconds").first.inner_text()
    assert " h " in longest, longest
    page.locator(".datasets th.c-name button").click()


def keyboard(page: Page, expected: dict[str, Any]) -> None:
    """From the search to an explanation without a pointer."""
    name = expected["failed"][3]
    page.locator("body").press("/")
    page.keyboard.type(name)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.dataset") == name:
            break
    button = page.locator(ROWS)
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    expect(page.locator(".story")).to_be_visible()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "false"
    page.get_by_role("button", name="Show all").click()


def explanation(page: Page, expected: dict[str, Any], screenshots: Path) -> None:
    name = expected["failed"][0]
    page.goto(page.url.split("#")[0] + f"#{name}")
    story = page.locator(".story")
    expect(story).to_be_visible()
    text = expected["hostile"].replace("{}", name)
    assert story.locator(".said-by").text_content() == text, story.locator(".said-by").text_content()
    assert page.locator(".said-by *").count() == 0, "a hostile text became markup"
    expect(story.get_by_text("What to do:")).to_be_visible()
    expect(story.get_by_text("DARKFILE a_drk.fits -> b_drk.fits")).to_be_visible()
    log = story.get_by_role("link", name="process.txt").get_attribute("href") or ""
    assert log.startswith("../../data/") and log.endswith(f"/{name}/logs/process.txt"), log
    page.screenshot(path=screenshots / "explanation.png")
    page.get_by_role("button", name="Show all").click()


def gallery(opened: Look) -> None:
    page = opened.page
    page.get_by_label("state", exact=True).select_option("processed")
    page.locator("#previews").scroll_into_view_if_needed()
    first = page.locator(".gallery img").first
    first.scroll_into_view_if_needed()
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=first.element_handle())
    others = [url for url in opened.requests if not url.endswith("_drz_thumb.png") and not url.startswith(page.url.split("#")[0])]
    assert not others, others
    # of thousands of previews so many are shown at first
    assert page.locator(".gallery img").count() == 48


def main() -> None:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        sys.exit(f"no browser: none of {', '.join(PROGRAMS)} is on the PATH")
    page, expected, screenshots = map(Path, sys.argv[1:4])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        print(f"Chromium {browser.version}")
        look(browser, page.resolve(), json.loads(expected.read_text()), screenshots)
        browser.close()


if __name__ == "__main__":
    main()
