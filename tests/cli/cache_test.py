#!/usr/bin/env python3
"""sagejit cache, on a cache that the stub NVRTC fills."""

import os
import time

from command_line import BAD_INPUT, FAILED, USAGE, TestCase, main, sagejit


class Cache(TestCase):
    def setUp(self):
        super().setUp()
        self.cache = self.path("cache")
        self.env = {"SAGEJIT_CACHE_DIR": str(self.cache)}

    def fill(self):
        """Three entries, the oldest first."""
        for index, (name, target) in enumerate(
            [("thread-d64", "sm_90"), ("thread-d64", "sm_80"), ("thread-d64-causal", "sm_90")]
        ):
            self.succeed("compile", "--config", self.config(name), "--target", target, env=self.env)
            for path in self.entries():
                if time.time() - path.stat().st_mtime < 3600:
                    old = time.time() - (10.5 - index) * 86400
                    os.utime(path, (old, old))
        entries = sorted(self.entries(), key=lambda path: path.stat().st_mtime)
        self.assertEqual(len(entries), 3)
        return entries

    def entries(self):
        return sorted(self.cache.glob("v1/*/*/*.cubin-entry"))

    def action(self, *arguments):
        return self.succeed_json("cache", *arguments, env=self.env)

    def test_path(self):
        self.assertEqual(self.action("path")["directory"], str(self.cache))
        self.assertEqual(self.succeed("cache", "path", env=self.env).stdout, f"{self.cache}\n")
        self.assertFalse(self.cache.exists())  # telling makes nothing

    def test_empty(self):
        self.assertEqual(self.action("ls")["entries"], [])
        self.assertEqual(self.action("verify")["checked"], 0)
        self.assertEqual(self.action("prune")["removed"], 0)
        self.assertEqual(self.action("clear")["removed"], 0)
        self.assertFalse(self.cache.exists())

    def test_ls(self):
        entries = self.fill()
        before = [path.stat().st_mtime for path in entries]
        listed = self.action("ls")
        self.assertEqual(listed["bytes"], sum(path.stat().st_size for path in entries))
        self.assertEqual([item["arch"] for item in listed["entries"]], ["sm_80", "sm_90", "sm_90"])
        self.assertEqual({item["file"] for item in listed["entries"]}, {p.name for p in entries})
        for item in listed["entries"]:
            self.assertIs(item["ok"], True)
            self.assertEqual(item["nvrtc"], "13.99.1")
            self.assertIn("attention", item["entries"])
            self.assertRegex(item["used"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        text = self.succeed("cache", "ls", env=self.env)
        self.assertEqual(len([line for line in text.stdout.splitlines() if " ok" in line]), 3)
        # Listing is not using.
        self.assertEqual([path.stat().st_mtime for path in entries], before)

    def test_verify(self):
        good, damaged, misplaced = self.fill()
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
        content = good.read_bytes()
        misplaced.write_bytes(content)
        result = sagejit("cache", "verify", "--json", env=self.env)
        self.assertEqual(result.returncode, FAILED, result.stderr)
        value = self.parse(result.stdout)
        self.assertEqual(value["checked"], 3)
        problems = {item["file"]: item["problem"] for item in value["bad"]}
        self.assertEqual(set(problems), {damaged.name, misplaced.name})
        self.assertIn("checksum", problems[damaged.name])
        self.assertIn("another key", problems[misplaced.name])
        self.assertTrue(damaged.exists())
        self.assertEqual(self.action("verify", "--quarantine")["quarantined"], 2)
        self.assertEqual(self.entries(), [good])
        self.assertEqual(len(list(self.cache.glob("tmp/*.bad"))), 2)
        self.assertEqual(self.action("verify")["bad"], [])

    def test_prune(self):
        oldest, middle, newest = self.fill()
        stale, fresh = self.cache / "tmp" / "stale.tmp", self.cache / "tmp" / "fresh.tmp"
        for path in (stale, fresh):
            path.write_bytes(b"x")
        os.utime(stale, (time.time() - 7200,) * 2)
        self.assertEqual(self.action("prune")["kept"], 3)
        self.assertFalse(stale.exists())
        self.assertTrue(fresh.exists())
        value = self.action("prune", "--max-bytes", newest.stat().st_size + middle.stat().st_size)
        self.assertEqual((value["removed"], value["kept"]), (1, 2))
        self.assertFalse(oldest.exists())
        self.assertEqual(self.action("prune", "--older-than", "10")["kept"], 2)
        # The middle one was used nine and a half days ago.
        self.assertEqual(self.action("prune", "--older-than", "9")["kept"], 1)
        self.assertTrue(newest.exists())
        self.assertEqual(self.action("prune", "--max-bytes", "0")["kept"], 0)

    def test_clear(self):
        self.fill()
        (self.cache / "tmp" / "fresh.tmp").write_bytes(b"x")
        (self.cache / "not-ours").write_bytes(b"x")
        self.assertEqual(self.action("clear")["removed"], 3)
        self.assertEqual(self.entries(), [])
        self.assertEqual(list((self.cache / "tmp").iterdir()), [])
        self.assertTrue((self.cache / "not-ours").exists())

    def test_record_of_nvrtc_is_no_entry(self):
        self.fill()
        record = self.cache / "nvrtc.json"
        self.assertEqual(len(self.action("ls")["entries"]), 3)
        record.write_text("bad")
        self.assertEqual(self.action("verify", "--quarantine")["checked"], 3)
        self.assertEqual(self.action("prune", "--max-bytes", "0")["removed"], 3)
        self.assertTrue(record.exists())
        self.assertEqual(self.action("clear")["removed"], 0)
        self.assertFalse(record.exists())

    def test_share(self):
        self.fill()
        shared = self.path("shared")
        self.assertEqual(self.action("share", "--output", shared)["entries"], 3)
        self.fail_with(BAD_INPUT, "cache", "share", "--output", shared, env=self.env,
                       contains="exists already")
        env = {"SAGEJIT_CACHE_DIR": str(self.path("own")),
               "SAGEJIT_SHARED_CACHE_DIR": str(shared)}

        def compile(target="sm_90", warnings=0):
            result = self.succeed("compile", "--config", self.config("thread-d64"), "--target",
                                  target, "--json", env=env)
            self.assertEqual(result.stderr.count("warning"), warnings, result.stderr)
            return self.parse(result.stdout)["from_cache"]

        before = self.files()
        self.assertIs(compile(), True)
        files = self.files()
        files.pop(str(self.path("own") / "nvrtc.json"))
        self.assertEqual(files, before)  # neither copied nor touched
        self.assertIs(compile("sm_80"), True)
        self.assertIs(compile("sm_89"), False)  # not in it

        names = {path.name for path in shared.glob("sm_90/*/*")}
        for entry in shared.glob("sm_90/*/*"):
            entry.write_bytes(entry.read_bytes()[:-1] + b"!")
        self.assertEqual(len(names), 2)
        self.assertIs(compile(warnings=1), False)
        self.assertIs(compile(), True)  # from its own, by now
        for entry in shared.glob("sm_80/*/*"):
            entry.unlink()
        env["SAGEJIT_CACHE_DIR"] = str(self.path("another"))
        self.assertIs(compile("sm_80", warnings=1), False)
        (shared / "manifest.json").write_text("{")
        self.assertIs(compile(warnings=1), False)
        shared.chmod(0o777)
        env["SAGEJIT_CACHE_DIR"] = str(self.path("third"))
        self.assertIs(compile(warnings=1), False)
        env["SAGEJIT_SHARED_CACHE_DIR"] = str(self.path("absent"))
        self.assertIs(compile("sm_87", warnings=1), False)

    def test_usage(self):
        for arguments in ([], ["drop"], ["ls", "--max-bytes", "1"], ["prune", "--older-than", "-1"],
                          ["prune", "--max-bytes", "1k"], ["ls", "--quarantine"],
                          ["share"], ["ls", "--output", "x"]):
            self.fail_with(USAGE, "cache", *arguments, env=self.env)
        self.cache.mkdir()
        self.cache.chmod(0o777)
        for action in ("ls", "verify", "prune", "clear"):
            self.fail_with(BAD_INPUT, "cache", action, env=self.env, contains="others")


if __name__ == "__main__":
    main()
