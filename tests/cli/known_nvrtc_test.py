#!/usr/bin/env python3
"""When NVRTC is opened, and that a kernel from the cache is always of the NVRTC there is now.

The stub NVRTC writes down each time it is opened, and its version with it. Copies of it with other
versions take the place of upgrades.
"""

import json
import os
import pathlib
import shutil
import time

from command_line import NO_DEVICE, Problem, TestCase, main, sagejit, write_other_nvrtc

STUB = pathlib.Path(os.environ["SAGEJIT_NVRTC"])
OLD, NEW = "13.99.1", "13.99.2"  # versions of the stub and of a copy

# A library that has just been changed is opened and not put on record.
SETTLED_SECONDS = 3.2


class KnownNvrtc(TestCase):
    def setUp(self):
        super().setUp()
        self.cache, self.log = self.path("cache"), self.path("opened")
        self.record = self.cache / "nvrtc.json"

    def compile(self, config="thread-d64", **environment):
        """Whether the kernel came from the cache, and the versions of NVRTC that were opened."""
        return self.opened_by("compile", "--config", self.config(config), "--target", "sm_90",
                              **environment)

    def opened_by(self, *arguments, **environment):
        self.log.unlink(missing_ok=True)
        environment = {"SAGEJIT_CACHE_DIR": str(self.cache),
                       "SAGEJIT_STUB_NVRTC_OPENED": str(self.log), **environment}
        result = self.succeed(*arguments, "--json", env=environment)
        self.assertNotIn("warning", result.stderr)
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return self.parse(result.stdout).get("from_cache"), [line.split()[1] for line in lines]

    def other_nvrtc(self, *folders):
        path = self.path("/".join(folders)) / "libnvrtc.so.13"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_other_nvrtc(path, NEW)
        return path

    def linked_nvrtc(self, folder):
        """The stub under another path, as it has been since it was built."""
        path = self.path(folder) / "libnvrtc.so.13"
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(STUB)
        return path

    def test_a_hit_opens_none(self):
        self.assertEqual(self.compile(), (False, [OLD]))
        self.assertEqual(self.compile(), (True, []))
        self.assertEqual(self.compile("thread-d64-causal"), (False, [OLD]))
        self.assertEqual(self.compile("thread-d64-causal"), (True, []))
        source = Problem(head_dim=64).write(self.path("i"))
        run = ("run", "--config", self.config(), "--device", "cuda:0", "--input", source,
               "--output", self.path("o"))
        build = ("build", "--config", self.config(), "--target", "sm_90", "-o", self.path("b.sjb"))
        for verb in (run, build):
            self.opened_by(*verb)
            self.assertEqual(self.opened_by(*verb)[1], [])

    def test_a_bundle_of_hits_tells_what_made_them(self):
        def build():
            options = ("--config", self.config(), "--target", "sm_90", "-o", self.path("b.sjb"),
                       "--depfile", self.path("b.d"))
            opened = self.opened_by("build", *options)[1]
            return opened, self.path("b.sjb").read_bytes(), self.path("b.d").read_text()

        first, second = build(), build()
        self.assertEqual((first[0], second[0]), ([OLD], []))
        self.assertEqual(first[1:], second[1:])
        self.assertIn(str(STUB), second[2])

    def test_replaced_library(self):
        path = self.linked_nvrtc("toolkit")
        there = {"SAGEJIT_NVRTC": str(path)}
        self.assertEqual(self.compile(**there), (False, [OLD]))
        self.assertEqual(self.compile(**there), (True, []))
        other = self.other_nvrtc("upgrade")
        os.replace(other, path)
        self.assertEqual(self.compile(**there), (False, [NEW]))
        self.assertEqual(self.compile(**there), (True, [NEW]))  # not settled yet
        time.sleep(SETTLED_SECONDS)
        self.assertEqual(self.compile(**there), (True, [NEW]))
        self.assertEqual(self.compile(**there), (True, []))
        # Down again, in place, with the size and the time it had.
        before = path.stat()
        path.write_bytes(STUB.read_bytes())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(path.stat().st_mtime_ns, before.st_mtime_ns)
        self.assertEqual(path.stat().st_size, before.st_size)
        self.assertEqual(self.compile(**there), (True, [OLD]))
        self.assertEqual(self.compile("thread-d64-causal", **there), (False, [OLD]))

    def test_another_library_is_named(self):
        other = {"SAGEJIT_NVRTC": str(self.other_nvrtc("other"))}
        time.sleep(SETTLED_SECONDS)
        self.assertEqual(self.compile(), (False, [OLD]))
        self.assertEqual(self.compile(**other), (False, [NEW]))
        # Both stay on record.
        self.assertEqual(self.compile(), (True, []))
        self.assertEqual(self.compile(**other), (True, []))
        self.assertEqual(len(json.loads(self.record.read_text())["records"]), 2)
        # What is not there is not found, whatever is on record.
        pathlib.Path(other["SAGEJIT_NVRTC"]).unlink()
        gone = sagejit("compile", "--config", self.config(), "--target", "sm_90",
                       env={"SAGEJIT_CACHE_DIR": str(self.cache), **other})
        self.assertEqual(gone.returncode, NO_DEVICE, gone.stderr)

    def search(self, *folders):
        return {"SAGEJIT_NVRTC": "", "LD_LIBRARY_PATH": ":".join(str(self.path(f)) for f in folders)}

    def test_library_path(self):
        self.linked_nvrtc("one")
        two = self.other_nvrtc("two")
        time.sleep(SETTLED_SECONDS)
        one_first, two_first = self.search("one", "two"), self.search("empty", "two", "one")
        self.assertEqual(self.compile(**one_first), (False, [OLD]))
        self.assertEqual(self.compile(**one_first), (True, []))
        self.assertEqual(self.compile(**two_first), (False, [NEW]))
        self.assertEqual(self.compile(**two_first), (True, []))
        self.assertEqual(self.compile(**one_first), (True, []))
        # One appears in front of the one that was found.
        appeared = self.linked_nvrtc("empty")
        self.assertEqual(self.compile(**two_first), (True, [OLD]))
        self.assertEqual(self.compile(**two_first), (True, []))
        # All is as it was before, and that is on record.
        appeared.unlink()
        self.assertEqual(self.compile("thread-d64-causal", **two_first), (False, [NEW]))
        self.assertEqual(self.compile(**two_first), (True, []))
        # And one vanishes.
        two.unlink()
        self.assertEqual(self.compile(**two_first), (True, [OLD]))
        self.assertEqual(self.compile(**two_first), (True, []))

    def test_relative_library_path(self):
        """An empty part is the working directory."""
        self.linked_nvrtc("one")
        search = {"SAGEJIT_NVRTC": "", "LD_LIBRARY_PATH": f":{self.path('one')}"}
        home = os.getcwd()
        self.addCleanup(os.chdir, home)
        (self.path("here")).mkdir()
        self.linked_nvrtc("here").unlink()
        os.chdir(self.path("here"))
        self.assertEqual(self.compile(**search), (False, [OLD]))
        self.assertEqual(self.compile(**search), (True, []))
        write_other_nvrtc(self.path("here") / "libnvrtc.so.13", NEW)
        self.assertEqual(self.compile(**search), (False, [NEW]))

    def test_libraries_for_some_processors(self):
        """Which one the loader takes depends on the processor: NVRTC is asked."""
        self.linked_nvrtc("one")
        search = self.search("one")
        self.assertEqual(self.compile(**search), (False, [OLD]))
        self.assertEqual(self.compile(**search), (True, []))
        better = self.path("one") / "glibc-hwcaps" / "x86-64-v2" / "libnvrtc.so.13"
        better.parent.mkdir(parents=True)
        better.symlink_to(STUB)
        for _ in range(2):
            self.assertEqual(self.compile(**search), (True, [OLD]))
        shutil.rmtree(better.parents[1])
        self.assertEqual(self.compile(**search), (True, []))

    def test_builtins_library(self):
        path = self.linked_nvrtc("toolkit")
        there = {"SAGEJIT_NVRTC": str(path)}
        self.assertEqual(self.compile(**there), (False, [OLD]))
        self.assertEqual(self.compile(**there), (True, []))
        builtins = path.with_name("libnvrtc-builtins.so.13.99")
        builtins.symlink_to(STUB)  # any library
        self.assertEqual(self.compile(**there), (True, [OLD]))
        self.assertEqual(self.compile(**there), (True, []))
        builtins.unlink()
        builtins.write_bytes(b"not a library")
        for _ in range(2):
            self.assertEqual(self.compile(**there), (True, [OLD]))

    def test_flags_of_the_environment(self):
        """NVRTC reads them too, and may refuse what it otherwise knows."""
        flags = {"NVRTC_APPEND_FLAGS": "-lineinfo"}
        self.assertEqual(self.compile(), (False, [OLD]))
        self.assertEqual(self.compile(**flags), (False, [OLD]))
        self.assertEqual(self.compile(**flags), (True, []))
        self.assertEqual(self.compile(), (True, []))

    def test_bad_records(self):
        self.assertEqual(self.compile(), (False, [OLD]))
        good = self.record.read_bytes()

        def replace(bad):
            self.record.unlink()
            self.record.write_bytes(bad)
            self.record.chmod(0o600)

        other_version = good.replace(b"99", b"98")
        self.assertNotEqual(other_version, good)
        for name, spoil in {
            "empty": lambda: replace(b""),
            "truncated": lambda: replace(good[:-20]),
            "zeroed": lambda: replace(bytes(len(good))),
            "another version": lambda: replace(other_version),
            "another schema": lambda: replace(good.replace(b'version": 1', b'version": 2')),
            "writable by others": lambda: self.record.chmod(0o666),
            "a link": lambda: (self.record.rename(self.path("moved")),
                               self.record.symlink_to(self.path("moved"))),
            "a pipe": lambda: (self.record.unlink(), os.mkfifo(self.record)),
        }.items():
            with self.subTest(name):
                spoil()
                self.assertEqual(self.compile(), (True, [OLD]))
                self.assertFalse(self.record.is_symlink())
                self.assertEqual(self.record.stat().st_mode & 0o777, 0o600)
                self.assertEqual(self.record.read_bytes(), good)
                self.assertEqual(self.compile(), (True, []))
        self.assertEqual(list((self.cache / "tmp").iterdir()), [])
        self.record.unlink()
        self.record.mkdir()  # cannot be replaced
        for _ in range(2):
            self.assertEqual(self.compile(), (True, [OLD]))
        self.assertEqual(list((self.cache / "tmp").iterdir()), [])


if __name__ == "__main__":
    main()
