#!/usr/bin/env python3
"""sagejit inspect: configs, cubins, bundles, comparisons, with and without a disassembler."""

import json
import os
import pty
import re
import unittest

from command_line import BAD_INPUT, NO_DEVICE, SAGEJIT, USAGE, TestCase, main, sagejit

# A directory without programs: no disassembler is found, wherever the machine has one.
WITHOUT_TOOLS = {"PATH": "/nonexistent", "CUDA_HOME": "/nonexistent", "CUDA_PATH": "/nonexistent"}


def has_nvrtc():
    return sagejit("compile", "--config", "/nonexistent").returncode == BAD_INPUT and json.loads(
        sagejit("doctor", "--json").stdout
    )["nvrtc"]["ok"]


NVRTC = has_nvrtc()


class Inspect(TestCase):
    def inspect(self, *arguments, **options):
        (inspection,) = self.succeed_json("inspect", *arguments, **options)["inspections"]
        return inspection

    def attention(self, inspection):
        return next(k for k in inspection["kernels"] if k["entry"] == "attention")

    @unittest.skipUnless(NVRTC, "no NVRTC")
    def test_the_main_loop_has_the_plans_matrix_products(self):
        """Found in the machine code of every generation of encodings."""
        for target in ("sm_80", "sm_90", "sm_120"):
            for name in ("thread-d64", "sage-vb-d128"):
                with self.subTest(config=name, target=target):
                    inspection = self.inspect("--config", self.config(name), "--target", target)
                    loop = self.attention(inspection)["instructions"]
                    self.assertEqual(loop["of"], "main_loop")
                    plan = inspection["plan"]["attention"]
                    keys = plan["tile_k"]
                    # m16n8k32 for int8, m16n8k16 for fp16.
                    qk = plan["m_tiles"] * keys // 8 * plan["head_dim_padded"] // 32
                    pv = plan["m_tiles"] * plan["head_dim_v_padded"] // 8 * keys
                    integer = inspection["config"]["pv"]["type"] == "int8"
                    names = loop["mnemonics"]
                    self.assertEqual(names["IMMA"], qk + (pv // 32 if integer else 0))
                    self.assertEqual(names.get("HMMA", 0), 0 if integer else pv // 16)
                    self.assertEqual(loop["kinds"]["spill"], 0)
                    self.assertEqual(loop["kinds"]["unknown"], 0)
                    self.assertEqual(sum(loop["kinds"].values()), loop["instructions"])

    @unittest.skipUnless(NVRTC, "no NVRTC")
    def test_config(self):
        inspection = self.inspect("--config", self.config(), "--target", "sm_89")
        self.assertEqual([k["entry"] for k in inspection["kernels"]], ["statistics", "quantize", "attention"])
        attention = self.attention(inspection)
        plan = inspection["plan"]
        self.assertEqual(attention["threads"], plan["attention"]["threads"])
        self.assertEqual(attention["dynamic_shared_bytes"], plan["shared_memory"]["bytes"])
        self.assertEqual(attention["spill_bytes"], 0)
        occupancy = attention["occupancy"]
        self.assertGreaterEqual(occupancy["ctas"], 1)
        warps = occupancy["ctas"] * attention["threads"] // 32
        self.assertEqual(occupancy["warps"], warps)
        self.assertLessEqual(attention["registers"] * attention["threads"] * occupancy["ctas"], 65536)
        estimate = inspection["estimate"]
        self.assertEqual(estimate["shape"]["len_k"], 4096)
        self.assertEqual(estimate["operations"], 4 * 32 * 4096 * 4096 * 64)
        # Q and K in int8, V and O in fp16.
        self.assertAlmostEqual(estimate["bytes"], 32 * 4096 * 64 * 6, delta=1)
        times = estimate["milliseconds"]
        self.assertLess(times["tensor"], times["attention"])
        self.assertLess(times["attention"], times["whole_call"])

    @unittest.skipUnless(NVRTC, "no NVRTC")
    def test_shape(self):
        arguments = ("--config", self.config(), "--target", "sm_80")
        longer = self.inspect(*arguments, "--shape", "1,32,32,8192,8192,64")["estimate"]
        usual = self.inspect(*arguments)["estimate"]
        for name in ("tensor", "exponential", "vector"):
            ratio = longer["milliseconds"][name] / usual["milliseconds"][name]
            self.assertAlmostEqual(ratio, 4)
        error = self.fail_with(
            BAD_INPUT, "inspect", *arguments, "--shape", "1,1,1,8,8,128", error="invalid_argument"
        )
        self.assertIn("--shape", error["where"])

    @unittest.skipUnless(NVRTC, "no NVRTC")
    def test_cubin(self):
        cubin = self.path("kernel.cubin")
        self.succeed("compile", "--config", self.config(), "--target", "sm_90", "-o", cubin)
        inspection = self.inspect(cubin)
        self.assertEqual(inspection["target"], "sm_90")
        self.assertIsNone(inspection["plan"])
        from_config = self.inspect("--config", self.config(), "--target", "sm_90")
        for kernel in from_config["kernels"]:
            other = next(k for k in inspection["kernels"] if k["entry"] == kernel["entry"])
            self.assertEqual(other["registers"], kernel["registers"])
            self.assertEqual(other["threads"], kernel["threads"])
            self.assertEqual(other["instructions"], kernel["instructions"])
        damaged = bytearray(cubin.read_bytes())
        for position in (0x28, 0x3E, len(damaged) // 2):
            damaged[position] ^= 0xFF
            cubin.write_bytes(damaged)
            result = sagejit("inspect", cubin)
            self.assertIn(result.returncode, (0, BAD_INPUT))
            cubin.write_bytes(damaged[: len(damaged) // 2])
            self.fail_with(BAD_INPUT, "inspect", cubin, error="invalid_input")
        self.fail_with(USAGE, "inspect", cubin, "--target", "sm_90")

    @unittest.skipUnless(NVRTC, "no NVRTC")
    def test_bundle(self):
        """Says of each kernel what inspecting its config says."""
        bundle = self.path("kernels.sjb")
        self.succeed("build", "--config", self.config(), "--target", "sm_80", "sm_89", "-o", bundle)
        inspections = self.succeed_json("inspect", bundle)["inspections"]
        self.assertEqual([i["target"] for i in inspections], ["sm_80", "sm_89"])
        for inspection in inspections:
            target = inspection["target"]
            from_config = self.inspect("--config", self.config(), "--target", target)
            for field in ("kernels", "plan", "estimate"):
                self.assertEqual(inspection[field], from_config[field])
            alone = self.inspect(bundle, "--target", target)
            self.assertEqual(alone, inspection)
        self.fail_with(BAD_INPUT, "inspect", bundle, "--target", "sm_120", contains="sm_120")
        self.fail_with(BAD_INPUT, "inspect", "--diff", bundle, bundle)
        self.succeed("inspect", "--diff", bundle, self.config(), "--target", "sm_89")

    @unittest.skipUnless(NVRTC, "no NVRTC")
    def test_disassembler(self):
        """One that is installed is asked; one that fails is told of."""
        cubin = self.path("kernel.cubin")
        self.succeed("compile", "--config", self.config(), "--target", "sm_80", "-o", cubin)
        tools = self.path("bin")
        tools.mkdir()
        nvdisasm = tools / "nvdisasm"

        def install(script):
            nvdisasm.write_text(f"#!/bin/sh\n{script}\n")
            nvdisasm.chmod(0o755)

        path = {**WITHOUT_TOOLS, "PATH": f"{tools}:/usr/bin:/bin"}
        install(
            "test \"$1\" = -c && test -s \"$2\" || exit 3\n"
            "printf '\\t.section\\t.text.attention,\"ax\"\\n.L_x_0:\\n'\n"
            "printf '  /*0000*/  HMMA.16816.F32 R0, R1 ;\\n  /*0010*/ @P0 BRA `(.L_x_0) ;\\n'"
        )
        inspection = self.inspect(cubin, env=path)
        self.assertEqual(inspection["read_by"], str(nvdisasm))
        loop = self.attention(inspection)["instructions"]
        self.assertEqual(loop["mnemonics"], {"BRA": 1, "HMMA": 1})
        install("echo broken; exit 1")
        inspection = self.inspect(cubin, env=path)
        self.assertIn("opcodes", inspection["read_by"])
        self.assertTrue(any("broken" in note for note in inspection["notes"]))
        self.assertGreater(self.attention(inspection)["instructions"]["kinds"]["tensor"], 40)

    def test_without_nvrtc(self):
        environment = {"SAGEJIT_NVRTC": "/nonexistent/libnvrtc.so", "SAGEJIT_CACHE_DIR": str(self.path("c"))}
        inspection = self.inspect("--config", self.config(), "--target", "sm_89", env=environment)
        self.assertIn("NVRTC was not found", " ".join(inspection["notes"]))
        attention = self.attention(inspection)
        self.assertIsNone(attention["spill_bytes"])
        self.assertIsNone(attention["instructions"])
        self.assertIsNotNone(attention["occupancy"])
        self.assertIsNotNone(inspection["estimate"])

    @unittest.skipUnless(NVRTC, "no NVRTC")
    def test_diff(self):
        other = self.config("sage-vt-d64")
        arguments = ("inspect", "--diff", self.config(), other, "--target", "sm_89")
        value = self.succeed_json(*arguments)
        fields = {d["field"]: (d["a"], d["b"]) for d in value["differences"]}
        self.assertEqual(fields["config/pv/type"], ("fp16", "int8"))
        self.assertIn("attention/loop/tensor", fields)
        self.assertEqual(value["a"]["name"], "thread-d64")
        table = self.succeed(*arguments).stdout.splitlines()
        self.assertEqual(len(table), len(fields) + 1)
        self.assertTrue(all(len(line) <= 100 for line in table))
        same = self.succeed("inspect", "--diff", other, other, "--target", "sm_89")
        self.assertEqual(same.stdout, "no differences\n")
        self.fail_with(USAGE, "inspect", "--diff", other)
        self.fail_with(USAGE, "inspect", "--diff", other, other, "--config", other)

    def test_text_and_colour(self):
        arguments = ("inspect", "--config", self.config(), "--target", "sm_89")
        plain = self.succeed(*arguments).stdout
        self.assertNotIn("\x1b", plain)
        self.assertTrue(all(len(line) <= 100 for line in plain.splitlines()), plain)
        self.assertIn("limited by", plain)
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            with self.subTest(environment=environment):
                shown = self.in_terminal(*arguments, env={"TERM": "xterm", **environment})
                self.assertEqual("\x1b[1m" in shown, coloured)
                self.assertEqual(re.sub(r"\x1b\[[0-9;]*m", "", shown), plain)

    def in_terminal(self, *arguments, env):
        """What sagejit writes when its stdout is a terminal."""
        reading, writing = pty.openpty()
        try:
            environment = {k: v for k, v in {"NO_COLOR": "", **env}.items()}
            result = sagejit(*arguments, stdout=writing, env=environment)
            self.assertEqual(result.returncode, 0, result.stderr)
            os.close(writing)
            writing = -1
            content = b""
            while True:
                try:
                    part = os.read(reading, 65536)
                except OSError:
                    break
                if not part:
                    break
                content += part
            return content.decode().replace("\r\n", "\n")
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)

    def test_html(self):
        page = self.path("page.html")
        value = self.succeed_json("inspect", "--config", self.config(), "--target", "sm_80", "--html", page)
        content = page.read_text()
        data = re.search(r'id="data">\n(.*)\n</script>', content, re.DOTALL).group(1)
        self.assertEqual(json.loads(data)["inspections"], value["inspections"])

    def test_refused(self):
        config = self.config()
        self.fail_with(USAGE, "inspect")
        self.fail_with(USAGE, "inspect", config, config)
        self.fail_with(BAD_INPUT, "inspect", self.path("none"), error="io")
        self.fail_with(BAD_INPUT, "inspect", self.directory, error="io")
        for content in (b"\x7fELF", b"\x89SJB", b"{}", b""):
            self.path("odd").write_bytes(content)
            with self.subTest(content=content):
                self.fail_with(BAD_INPUT, "inspect", self.path("odd"))
        own = self.write_config()
        self.fail_with(BAD_INPUT, "inspect", own, "--html", own, error="invalid_argument")


if __name__ == "__main__":
    main()
