#!/usr/bin/env python3
"""Every HTML report, opened in a real browser: content, both themes, no network, no errors.

SAGEJIT_SCREENSHOTS names a directory that gets a picture of each page in each theme.
"""

import json
import os
import pathlib
import struct
import unittest
import zlib

from browser import Browser, find_browser
from command_line import ROOT, TestCase, main

# What overflows the page to the right, or is drawn outside its picture.
OVERFLOW = """(() => {
  const found = [];
  if (document.documentElement.scrollWidth > window.innerWidth) found.push("the page");
  for (const table of document.querySelectorAll("table")) {
    if (table.scrollWidth > table.parentElement.clientWidth + 1) {
      found.push("a table: " + table.textContent.slice(0, 80));
    }
  }
  for (const svg of document.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const inner = text.getBoundingClientRect();
      if (inner.left < box.left - 1 || inner.right > box.right + 1 ||
          inner.top < box.top - 1 || inner.bottom > box.bottom + 1) {
        found.push(text.textContent);
      }
    }
  }
  return found;
})()"""

# Texts of a picture that lie over one another by more than a few pixels.
OVERLAPS = """(() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg")) {
    const boxes = [...svg.querySelectorAll("text")].map(
        text => [text.textContent, text.getBoundingClientRect()]);
    for (let i = 0; i < boxes.length; ++i) for (let j = 0; j < i; ++j) {
      const a = boxes[i][1], b = boxes[j][1];
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 3 && height > 4) found.push(boxes[i][0] + " / " + boxes[j][0]);
    }
  }
  return found;
})()"""

# The least contrast between a text and what is behind it, by the formula of WCAG 2.
CONTRAST = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const luminance = text => {
    const [r, g, b] = rgb(text).map(x => (x /= 255) <= 0.03928 ? x / 12.92
                                                             : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const back = getComputedStyle(document.body).backgroundColor;
  let least = ratio(getComputedStyle(document.body).color, back);
  for (const label of document.querySelectorAll("text.label")) {
    if (label.classList.contains("on-heat")) continue;
    let behind = back;
    if (label.classList.contains("on-colour")) {
      behind = getComputedStyle(label.previousElementSibling).fill;
    }
    least = Math.min(least, ratio(getComputedStyle(label).fill, behind));
  }
  return least;
})()"""


def png_colours(content):
    """The set of colours of an 8-bit RGB or RGBA picture, without decoding filters by row twice."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    position, data, header = 8, b"", None
    while position < len(content):
        (length,) = struct.unpack_from(">I", content, position)
        kind = content[position + 4 : position + 8]
        body = content[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            data += body
        position += 12 + length
    return header[:2], len(set(zlib.decompress(data)))


@unittest.skipUnless(find_browser(), "no Chromium is installed: apt-get install chromium-headless-shell")
class Reports(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser(find_browser())

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def check_page(self, path, contains, figures):
        """Opens the page in both themes; returns its data."""
        backgrounds = {}
        for theme in ("light", "dark"):
            with self.subTest(page=path.name, theme=theme):
                browser = self.browser
                browser.open(path, theme)
                self.assertEqual(browser.console, [])
                # Nothing but the file itself, and the empty icon that stands in it.
                others = [url for url in browser.requests if not url.startswith("data:")]
                self.assertEqual(others, [f"file://{path}"])
                text = browser.evaluate("document.body.innerText")
                for part in contains:
                    self.assertIn(part, text)
                self.assertEqual(browser.evaluate("document.querySelectorAll('svg').length"), figures)
                self.assertEqual(browser.evaluate(OVERFLOW), [])
                self.assertEqual(browser.evaluate(OVERLAPS), [])
                self.assertGreater(browser.evaluate(CONTRAST), 4.5)
                backgrounds[theme] = browser.evaluate("getComputedStyle(document.body).backgroundColor")
                picture = browser.screenshot()
                size, variety = png_colours(picture)
                self.assertGreaterEqual(size[0], 1000)
                self.assertGreater(variety, 20)
                directory = os.environ.get("SAGEJIT_SCREENSHOTS")
                if directory:
                    name = pathlib.Path(directory) / f"{path.stem}-{theme}.png"
                    name.write_bytes(picture)
        self.assertEqual(backgrounds["light"], "rgb(255, 255, 255)")
        self.assertNotEqual(backgrounds["dark"], backgrounds["light"])
        data = self.browser.evaluate("document.getElementById('data').textContent")
        return json.loads(data)

    def test_inspect(self):
        page = self.path("inspect.html")
        value = self.succeed_json(
            *("inspect", "--config", self.config(), "--target", "sm_89", "--html", page)
        )
        data = self.check_page(
            page, ["thread-d64", "GeForce RTX 4090", "Which lane holds which score"], figures=7
        )
        self.assertEqual(data["inspections"], value["inspections"])

    def test_inspect_diff(self):
        page = self.path("diff.html")
        other = self.config("sage-vt-d64")
        self.succeed(
            *("inspect", "--diff", self.config(), other, "--target", "sm_89", "--html", page)
        )
        data = self.check_page(page, ["What differs", "config/pv/type"], figures=3)
        self.assertIn({"field": "config/pv/type", "a": "fp16", "b": "int8"}, data["differences"])

    def test_calibrate(self):
        layer = self.path("layer.safetensors")
        self.succeed(
            *("make-input", "--distribution", "attention_sink", "--shape", "1,2,2,128,128,64"),
            *("-o", layer),
        )
        page = self.path("calibrate.html")
        arguments = ("calibrate", "--config", self.config(), "--input", layer, "--device", "host")
        value = self.succeed_json(*arguments, "--html", page)
        data = self.check_page(
            page, ["What each layer takes", "Times are estimates", "Left out"], figures=3
        )
        del value["schema_version"]
        self.assertEqual(data, value)

    def test_bench(self):
        page = self.path("bench.html")
        value = self.succeed_json(
            *("bench", "--config", self.config(), "--device", "host", "--iterations", "1"),
            *("--shape", "1,1,1,64,64,64", "1,2,1,64,128,64", "--html", page),
        )
        data = self.check_page(page, ["thread-d64", "the host device"], figures=1)
        self.assertEqual(data["rows"], value["rows"])

    def test_bench_of_an_h200(self):
        """Kept rows of a real GPU: many, with speeds that differ by little."""
        rows = ROOT / "docs" / "benchmarks" / "rows"
        page = self.path("bench-h200.html")
        value = self.succeed_json(
            *("bench", "--from", rows / "h200-2026-11-25-fp8.jsonl", rows / "h200-2026-11-25-wgmma.jsonl"),
            *("--html", page),
        )
        self.assertEqual(len(value["rows"]), 18)
        data = self.check_page(page, ["NVIDIA H200", "thread-d128-fp8", "of peak"], figures=1)
        self.assertEqual(data["rows"], value["rows"])

    def test_tune(self):
        page = self.path("tune.html")
        environment = {"SAGEJIT_CACHE_DIR": str(self.path("cache"))}
        value = self.succeed_json(
            *("tune", "--config", self.config(), "--device", "host", "--target", "sm_89"),
            *("--shape", "4,32,32,4096,4096,64", "--html", page),
            env=environment,
        )
        data = self.check_page(page, ["winner", "Estimates by the analytic model"], figures=1)
        self.assertEqual(data["results"], value["results"])

    def test_tune_of_several(self):
        """What each pair takes is told first."""
        page = self.path("tune-several.html")
        self.succeed(
            *("tune", "--config", self.config(), "--device", "host", "--target", "sm_89"),
            *("--shape", "4,32,32,4096,4096,64", "1,16,4,2560,5120,64", "--html", page),
            env={"SAGEJIT_CACHE_DIR": str(self.path("cache"))},
        )
        self.check_page(page, ["Winners", "1×16/4×2560/5120×64"], figures=2)

    def test_hostile_names(self):
        """A name cannot add markup, a script or a request."""
        name = "</script><img src=http://127.0.0.1:9/x onerror=console.log(1)><!--"
        config = self.write_config("hostile", name=name, target="sm_89")
        page = self.path("hostile.html")
        self.succeed("inspect", "--config", config, "--html", page)
        data = self.check_page(page, [name], figures=7)
        self.assertEqual(data["inspections"][0]["name"], name)


if __name__ == "__main__":
    main()
