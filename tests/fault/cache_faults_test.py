#!/usr/bin/env python3
"""What becomes of the cache, and of the user's run, when files, disks and processes fail.

Compiles with the stub NVRTC, so that a run takes milliseconds. Failing system calls come from a
preloaded library (io_shim.c), dying processes from real SIGKILLs.
"""

import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))

from command_line import (  # noqa: E402
    NO_DEVICE, OK, SAGEJIT, Problem, TestCase, main, sagejit, write_other_nvrtc)

SHIM = os.environ["SAGEJIT_IO_SHIM"]

# Every call of a store that changes something on the disk, in order.
WRITE_STEPS = ["openat", "write", "fsync", "linkat", "unlinkat"]


class CacheFaults(TestCase):
    def setUp(self):
        super().setUp()
        self.cache = self.path("cache")
        self.log = self.path("compilations")

    def environment(self, **more):
        return {"SAGEJIT_CACHE_DIR": str(self.cache), "SAGEJIT_STUB_NVRTC_LOG": str(self.log), **more}

    def shim(self, **settings):
        return {"LD_PRELOAD": SHIM, "SAGEJIT_SHIM_PATH": str(self.cache)} | {
            f"SAGEJIT_SHIM_{name.upper()}": value for name, value in settings.items()
        }

    def run_compile(self, config="thread-d64", target="sm_90", **environment):
        return sagejit("compile", "--config", self.config(config), "--target", target, "--json",
                       env=self.environment(**environment))

    def compile(self, *arguments, warnings=0, **environment):
        """Whether the kernel came from the cache. It must come, whatever fails."""
        result = self.run_compile(*arguments, **environment)
        self.assertEqual(result.returncode, OK, result.stderr)
        self.assertEqual(result.stderr.count("sagejit: warning: "), warnings, result.stderr)
        return self.parse(result.stdout)["from_cache"]

    def compilations(self):
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def entries(self):
        return sorted(self.cache.glob("v1/sm_*/*/*.cubin-entry"))

    def entry(self):
        (entry,) = self.entries()
        return entry

    def temporary_files(self):
        return sorted(self.cache.glob("tmp/*"))

    # --- Processes that die ------------------------------------------------------------------

    def test_killed_at_each_write_step(self):
        self.assertIs(self.compile(**self.shim(log=str(self.path("calls")))), False)
        calls = self.path("calls").read_text().split()
        for step in WRITE_STEPS:
            self.assertIn(step, calls)
        for step in WRITE_STEPS:
            for when in ("", "+"):
                with self.subTest(step + when):
                    shutil.rmtree(self.cache)
                    killed = self.run_compile(**self.shim(kill=step + when))
                    self.assertEqual(killed.returncode, -signal.SIGKILL)
                    self.assertEqual(killed.stdout, "")
                    is_stored = step + when in ("linkat+", "unlinkat", "unlinkat+")
                    self.assertIs(self.compile(), is_stored)
                    self.assertIs(self.compile(), True)
                    self.entry()
                    # What was left behind goes with the first store after an hour.
                    old = time.time() - 3700
                    for left in self.temporary_files():
                        os.utime(left, (old, old))
                    self.assertIs(self.compile("thread-d64-causal"), False)
                    self.assertEqual(self.temporary_files(), [])

    def test_64_processes(self):
        environment = {**os.environ, **self.environment(SAGEJIT_STUB_NVRTC_MS="100")}
        command = [SAGEJIT, "compile", "--config", self.config(), "--target", "sm_90", "--json"]
        processes = [
            subprocess.Popen(list(map(str, command)), env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
            for _ in range(64)
        ]
        for process in processes:
            out, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, OK, err)
            self.assertEqual(err, b"")
            self.parse(out.decode())
        self.entry()
        self.assertEqual(self.temporary_files(), [])
        self.assertTrue(1 <= self.compilations() <= 64)
        self.assertIs(self.compile(), True)

    # --- Files that are bad ------------------------------------------------------------------

    def test_damaged_entries(self):
        self.assertIs(self.compile(), False)
        path, good = self.entry(), self.entry().read_bytes()
        middle = len(good) // 2
        for name, bad in {
            "empty": b"",
            "truncated": good[:-1],
            "half": good[:middle],
            "zeroed": bytes(len(good)),
            "zeros at the end": good[:-4096] + bytes(4096),
            "first bit": bytes([good[0] ^ 1]) + good[1:],
            "middle bit": good[:middle] + bytes([good[middle] ^ 64]) + good[middle + 1:],
            "last bit": good[:-1] + bytes([good[-1] ^ 128]),
            "longer": good + b"\0",
        }.items():
            with self.subTest(name):
                path.write_bytes(bad)
                before = self.compilations()
                self.assertIs(self.compile(warnings=1), False)
                self.assertIs(self.compile(), True)
                self.assertEqual(self.compilations(), before + 1)
                self.assertEqual(path.read_bytes(), good)

    def test_entry_of_another_architecture(self):
        self.assertIs(self.compile(), False)
        sm_90 = self.entry()
        shutil.rmtree(sm_90.parents[1])
        self.assertIs(self.compile(target="sm_80"), False)
        sm_80 = self.entry()
        sm_90.parent.mkdir(parents=True, mode=0o700)
        sm_90.parents[1].chmod(0o700)
        shutil.copy(sm_80, sm_90)
        self.assertIs(self.compile(warnings=1), False)
        self.assertIs(self.compile(), True)

    def test_changed_circumstances_miss(self):
        self.assertIs(self.compile(), False)
        self.assertIs(self.compile(), True)
        other = self.path("libnvrtc.so.13")
        write_other_nvrtc(other, "13.99.2")
        self.assertIs(self.compile(SAGEJIT_NVRTC=str(other)), False)
        self.assertIs(self.compile(NVRTC_APPEND_FLAGS="-lineinfo"), False)
        self.assertEqual(len(self.entries()), 3)
        self.assertIs(self.compile(), True)

    # --- Directories that are not ours -------------------------------------------------------

    def check_ignored(self):
        self.assertIs(self.compile(warnings=1), False)
        self.assertIs(self.compile(warnings=1), False)

    def test_directory_that_others_may_write(self):
        self.cache.mkdir()
        self.cache.chmod(0o777)
        self.check_ignored()
        self.assertEqual(list(self.cache.iterdir()), [])
        self.cache.chmod(0o700)
        self.assertIs(self.compile(), False)
        (self.cache / "v1" / "sm_90").chmod(0o770)  # further down
        self.assertIs(self.compile(warnings=2), False)  # neither read nor written

    def test_symbolic_links(self):
        real = self.path("real")
        real.mkdir(mode=0o700)
        self.cache.symlink_to(real)
        self.check_ignored()
        self.assertEqual(list(real.iterdir()), [])
        self.cache.unlink()
        self.assertIs(self.compile(), False)
        entry = self.entry()
        moved = entry.rename(self.path("moved"))
        entry.symlink_to(moved)
        self.assertIs(self.compile(warnings=1), False)
        self.assertFalse(entry.is_symlink())
        shutil.move(self.cache / "v1", self.path("v1"))
        (self.cache / "v1").symlink_to(self.path("v1"))
        self.assertIs(self.compile(warnings=2), False)

    def test_foreign_owner(self):
        self.assertIs(self.compile(), False)
        try:
            os.chown(self.entry(), os.geteuid() + 1, -1)
        except PermissionError:
            self.skipTest("giving files away takes root")
        self.assertIs(self.compile(warnings=1), False)
        self.assertIs(self.compile(), True)
        os.chown(self.cache, os.geteuid() + 1, -1)
        self.check_ignored()

    # --- Disks that fail ---------------------------------------------------------------------

    def test_errors_while_storing(self):
        for call, number in [
            ("write", errno.ENOSPC), ("openat", errno.ENOSPC), ("fsync", errno.ENOSPC),
            ("write", errno.EIO), ("fsync", errno.EIO), ("write", errno.EDQUOT),
            ("openat", errno.EROFS), ("openat", errno.EACCES), ("openat", errno.ESTALE),
            ("mkdirat", errno.EROFS), ("mkdirat", errno.EACCES), ("mkdirat", errno.ENOSPC),
            ("mkdir", errno.EROFS), ("mkdir", errno.ENOSPC),
        ]:
            with self.subTest(call=call, error=errno.errorcode[number]):
                shutil.rmtree(self.cache, ignore_errors=True)
                self.assertIs(
                    self.compile(warnings=1, **self.shim(fail=f"{call}={number}")), False)
                self.assertEqual(self.entries(), [])
                self.assertEqual(self.temporary_files(), [])
                self.assertIs(self.compile(), False)
                self.assertIs(self.compile(), True)

    def test_errors_while_remembering_nvrtc(self):
        self.assertIs(self.compile(), False)
        record = self.cache / "nvrtc.json"
        for call, number in [
            ("openat", errno.EROFS), ("write", errno.ENOSPC), ("fsync", errno.EIO),
            ("renameat", errno.EACCES), ("mkdirat", errno.EROFS),
        ]:
            with self.subTest(call=call, error=errno.errorcode[number]):
                record.unlink(missing_ok=True)
                shutil.rmtree(self.cache / "tmp")
                self.assertIs(self.compile(**self.shim(fail=f"{call}={number}")), True)
                self.assertFalse(record.exists())
                self.assertEqual(self.temporary_files(), [])
                self.assertIs(self.compile(), True)
                self.assertTrue(record.exists())

    def test_file_systems_without_links(self):
        for number in (errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            shutil.rmtree(self.cache, ignore_errors=True)
            self.assertIs(self.compile(**self.shim(fail=f"linkat={number}")), False)
            self.assertIs(self.compile(), True)
        shutil.rmtree(self.cache)
        both = f"linkat={errno.EROFS},renameat={errno.EROFS}"
        self.assertIs(self.compile(warnings=1, **self.shim(fail=both)), False)
        self.assertEqual(self.temporary_files(), [])

    def test_clean_up_that_fails(self):
        self.assertIs(self.compile(warnings=1, **self.shim(fail=f"unlinkat={errno.EIO}")), False)
        self.assertIs(self.compile(), True)

    def test_errors_while_reading_leave_a_good_entry(self):
        self.assertIs(self.compile(), False)
        good = self.entry().read_bytes()
        for call in ("openat_read", "read"):
            for number in (errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOMEM):
                with self.subTest(call=call, error=errno.errorcode[number]):
                    fail = self.shim(fail=f"{call}={number}")
                    self.assertIs(self.compile(warnings=1, **fail), False)
                    self.assertEqual(self.entry().read_bytes(), good)
                    self.assertIs(self.compile(), True)
        self.assertEqual(self.temporary_files(), [])

    def test_no_directory_at_all(self):
        self.path("file").write_text("")
        self.cache = self.path("file") / "cache"
        self.check_ignored()

    # --- Libraries that are missing ----------------------------------------------------------

    def test_missing_libraries_are_named(self):
        def error(*arguments, **environment):
            result = sagejit(*arguments, "--json", env=self.environment(**environment))
            self.assertEqual(result.returncode, NO_DEVICE, result.stderr + result.stdout)
            return self.parse(result.stdout)["error"]

        compile_it = ("compile", "--config", self.config(), "--target", "sm_90")
        absent = error(*compile_it, SAGEJIT_NVRTC="/nonexistent/libnvrtc.so.13")
        self.assertEqual(absent["code"], "no_nvrtc")
        self.assertIn("/nonexistent/libnvrtc.so.13: no such file", absent["message"])
        builtins = error(*compile_it, SAGEJIT_STUB_NVRTC_PROBE="7")
        self.assertEqual(builtins["code"], "no_nvrtc")
        self.assertIn("libnvrtc-builtins.so.13.99 was not found beside it", builtins["message"])
        self.assertTrue(builtins["fix"])
        run = ("run", "--config", self.config(), "--device", "cuda:0", "--output", self.path("o"),
               "--input", Problem(head_dim=64).write(self.path("i")))
        driver = error(*run, SAGEJIT_LIBCUDA="/nonexistent/libcuda.so.1")
        self.assertEqual(driver["code"], "no_driver")
        self.assertIn("/nonexistent/libcuda.so.1: no such file", driver["message"])


if __name__ == "__main__":
    main()
