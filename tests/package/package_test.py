"""package_test.py NAME: one test of the installed package. The environment says where things are."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

CMAKE, LIBDIR, VERSION = (os.environ[name] for name in ("CMAKE", "LIBDIR", "VERSION"))
BUILD, SOURCE, STAGE = (
    pathlib.Path(os.environ[name]) for name in ("BUILD_DIR", "SOURCE_DIR", "STAGE")
)
PREFIX = STAGE / "moved"  # the installed tree
# Nothing of the build leads a consumer to what is not installed.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": str(STAGE / "home"),
    "SAGEJIT_CACHE_DIR": os.environ.get("SAGEJIT_CACHE_DIR", str(STAGE / "cache")),
}


def run(*command, fails=False, **environment):
    """Runs a command, prints what it prints and returns it."""
    result = subprocess.run(
        [str(word) for word in command],
        env=ENVIRONMENT | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print("$", *command, "\n" + result.stdout, flush=True)
    if (result.returncode != 0) != fails:
        sys.exit(f"exit status {result.returncode}")
    return result.stdout


def build_example(name, project, *options):
    """Configures and builds a project against the package; returns its build directory."""
    build = STAGE / name
    shutil.rmtree(build, ignore_errors=True)
    run(CMAKE, "-S", project, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_PREFIX_PATH={PREFIX}", f"-DCMAKE_CXX_COMPILER={os.environ['CXX']}",
        f"-DCMAKE_C_COMPILER={os.environ['CC']}", "-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Werror",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror", *options)  # fmt: skip
    run(CMAKE, "--build", build)
    return build


def test_install():
    """Installs, moves the tree, and looks for what must and must not be in it."""
    shutil.rmtree(STAGE, ignore_errors=True)
    installed = STAGE / "installed"
    run(CMAKE, "--install", BUILD, "--prefix", installed)
    installed.rename(PREFIX)
    for path in (
        "bin/sagejit",
        "include/sagejit.h",
        "include/sagejit/sagejit.h",
        "include/sagejit/attention.h",
        "include/sagejit/generator/spec.h",
        f"{LIBDIR}/libsagejit.so",
        f"{LIBDIR}/libsagejit.so.0",
        f"{LIBDIR}/libsagejit.so.{VERSION}",
        f"{LIBDIR}/libsagejit_runtime.a",
        f"{LIBDIR}/cmake/sagejit/sagejitConfig.cmake",
        f"{LIBDIR}/pkgconfig/sagejit.pc",
        "share/man/man1/sagejit.1.gz",
        "share/man/man1/sagejit-tune.1.gz",
        "share/bash-completion/completions/sagejit",
        "share/zsh/vendor-completions/_sagejit",
        "share/fish/vendor_completions.d/sagejit.fish",
        "share/sagejit/configs/schema.json",
    ):
        if not (PREFIX / path).exists():
            sys.exit(f"{path} is not installed")
    # A manual page for each verb that the help offers.
    offered = re.findall(r"^  ([a-z][a-z-]*) {3,}", run(PREFIX / "bin/sagejit", "--help"), re.MULTILINE)
    pages = {path.name for path in (PREFIX / "share/man/man1").iterdir()}
    assert pages == {f"sagejit{name}.1.gz" for name in ["", *("-" + verb for verb in offered)]}, pages
    for shell, name in (("bash", "bash-completion/completions/sagejit"),
                        ("zsh", "zsh/vendor-completions/_sagejit"),
                        ("fish", "fish/vendor_completions.d/sagejit.fish")):  # fmt: skip
        assert (PREFIX / "share" / name).read_text() == run(PREFIX / "bin/sagejit", "completion", shell)
    # No text leads back to where it was built or installed, or to a library the consumer lacks.
    strangers = re.compile("|".join(map(re.escape, (str(BUILD), str(SOURCE), str(installed)))) +
                           r"|\bfmt\b|nlohmann|[Bb]oost")  # fmt: skip
    for path in [*PREFIX.rglob("*.cmake"), *PREFIX.rglob("*.pc"), *PREFIX.rglob("*.h")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if strangers.search(line):
                sys.exit(f"{path}:{number}: {line}")


def test_jit_cpp():
    build = build_example("jit-cpp", SOURCE / "docs/examples/jit-cpp")
    assert "the last output is 0x3c3c" in run(build / "attend")


def has_gpu():
    """Whether the real driver sees one."""
    devices = json.loads(run(PREFIX / "bin/sagejit", "doctor", "--json"))["gpus"]
    return any(device["ok"] for device in devices)


def test_aot_cpp():
    """Kernels compiled with the program; it runs where there is no NVRTC. Without a GPU the stub
    driver loads them and runs nothing."""
    gpu = has_gpu()
    if not gpu:
        ENVIRONMENT["SAGEJIT_NVRTC"] = os.environ["SAGEJIT_STUB_NVRTC"]
    build = build_example("aot-cpp", SOURCE / "docs/examples/aot-cpp")
    assert "attention" in run(PREFIX / "bin/sagejit", "bundle", "ls", next(build.rglob("*.sjb")))
    there = {"SAGEJIT_NVRTC": "/nonexistent/libnvrtc.so", "SAGEJIT_CACHE_DIR": "/nonexistent"}
    if gpu:
        assert "the last output is 0x3c3c" in run(build / "attend", **there)
        return
    there["SAGEJIT_LIBCUDA"] = os.environ["SAGEJIT_STUB_CUDA"]
    for gpu, target in (("9.0", "sm_90"), ("8.9", "sm_80")):
        text = run(build / "attend", SAGEJIT_STUB_DEVICES=gpu, **there)
        assert f"attend.sjb for {target}" in text, text
    text = run(build / "attend", fails=True, SAGEJIT_STUB_DEVICES="10.0", **there)
    assert "sm_90" in text and "sm_80" in text, text  # what the bundle holds


def test_plain_c():
    build = build_example("plain-c", SOURCE / "docs/examples/plain-c")
    assert "the last output is 0x3c3c" in run(build / "attend")


def test_pkg_config():
    """The C example by pkg-config, the C++ one too; neither names a path of the build."""
    pkg_config = shutil.which("pkg-config")
    if pkg_config is None:
        print("pkg-config is not installed")
        sys.exit(77)
    path = str(PREFIX / LIBDIR / "pkgconfig")

    def flags(name):
        text = run(pkg_config, "--cflags", "--libs", name, PKG_CONFIG_PATH=path)
        return text.split()

    assert run(pkg_config, "--modversion", "sagejit", PKG_CONFIG_PATH=path).strip() == VERSION
    c, cpp = STAGE / "pkg-config-c", STAGE / "pkg-config-cpp"
    examples = SOURCE / "docs/examples"
    run(os.environ["CC"], "-std=c11", examples / "plain-c/attend.c", "-o", c, *flags("sagejit"))
    assert "0x3c3c" in run(c, LD_LIBRARY_PATH=str(PREFIX / LIBDIR))
    run(os.environ["CXX"], "-std=c++20", examples / "jit-cpp/attend.cpp", "-o", cpp,
        *flags("sagejit-cpp"))  # fmt: skip
    assert "0x3c3c" in run(cpp)


def test_components():
    """find_package finds what is there, and says what is not."""
    project = STAGE / "components-project"
    project.mkdir(exist_ok=True)

    def configure(request, fails=False):
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.20)\n"
            "project(components LANGUAGES C)\n"
            f"find_package(sagejit {request})\n"
            "foreach(target generator runtime c cli)\n"
            "  if(TARGET sagejit::${target})\n    message(STATUS \"has ${target}\")\n  endif()\n"
            "endforeach()\n"
        )
        return run(CMAKE, "-S", project, "-B", STAGE / "components", "-G", "Ninja",
                   f"-DCMAKE_PREFIX_PATH={PREFIX}", fails=fails)  # fmt: skip

    def targets(text):
        return set(re.findall(r"-- has (\w+)", text))

    assert targets(configure("CONFIG REQUIRED")) == {"generator", "runtime", "c", "cli"}
    assert targets(configure("CONFIG REQUIRED COMPONENTS generator")) == {"generator"}
    assert targets(configure("CONFIG REQUIRED COMPONENTS cli")) == {"cli"}
    found = targets(configure("CONFIG REQUIRED COMPONENTS runtime"))
    assert found == {"generator", "runtime", "c"}
    assert "has no component python" in configure("CONFIG REQUIRED COMPONENTS python", fails=True)
    targets(configure(f"{VERSION} CONFIG REQUIRED"))
    assert "version: " in configure("99.0 CONFIG REQUIRED", fails=True)
    cli = PREFIX / LIBDIR / "cmake/sagejit/sagejitCliTargets.cmake"
    hidden = cli.with_suffix(".hidden")
    cli.rename(hidden)
    try:
        text = configure("CONFIG REQUIRED COMPONENTS cli", fails=True)
        assert "component cli is not" in " ".join(text.split()), text
        assert targets(configure("CONFIG REQUIRED")) == {"generator", "runtime", "c"}
    finally:
        hidden.rename(cli)


def test_subdirectory():
    """add_subdirectory gives the installed package's targets and leaves the project alone."""
    project = STAGE.with_name("package-subdirectory")
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    (project / "main.cpp").write_text("int main() {}\n")
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(outer LANGUAGES CXX)\n"
        "enable_testing()\n"
        f"add_subdirectory({SOURCE} sagejit)\n"
        "foreach(target generator runtime c cli)\n"
        "  if(NOT TARGET sagejit::${target})\n    message(FATAL_ERROR \"no ${target}\")\n  endif()\n"
        "endforeach()\n"
        "if(NOT COMMAND sagejit_add_kernels OR CMAKE_CXX_STANDARD)\n"
        "  message(FATAL_ERROR \"sagejit_add_kernels or CMAKE_CXX_STANDARD\")\n"
        "endif()\n"
        "add_executable(outer main.cpp)\n"
        "target_link_libraries(outer PRIVATE sagejit::runtime)\n"
        "install(TARGETS outer)\n"
    )
    build = project / "build"
    run(CMAKE, "-S", project, "-B", build, "-G", "Ninja")
    assert "No tests were found" in run("ctest", "--test-dir", build)
    installs = "".join(path.read_text() for path in build.rglob("cmake_install.cmake"))
    assert "outer" in installs and "libsagejit" not in installs


def test_command_line():
    """The installed command line, from another directory, with an installed config."""
    config = PREFIX / "share/sagejit/configs/thread-d64.json"
    assert VERSION in run(PREFIX / "bin/sagejit", "--version")
    assert "tile_q" in run(PREFIX / "bin/sagejit", "plan", "--config", config, "--json")


def fields(deb):
    return run("dpkg-deb", "--field", deb)


def test_deb():
    """Packages hold what their names say, and depend on what they need."""
    for tool in ("cpack", "dpkg-deb", "dpkg-shlibdeps"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            sys.exit(77)
    output = STAGE.with_name("package-deb")
    shutil.rmtree(output, ignore_errors=True)
    run("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", output,
        "-D", "CPACK_STRIP_FILES=OFF", "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip")  # fmt: skip
    debs = {path.name.split("_")[0]: path for path in output.glob("*.deb")}
    assert set(debs) == {"libsagejit0", "libsagejit-dev", "sagejit"}, debs
    holds = {name: run("dpkg-deb", "--contents", path) for name, path in debs.items()}
    assert "libsagejit.so.0 -> " in holds["libsagejit0"]
    assert "/include/" not in holds["libsagejit0"] and "bin/sagejit" not in holds["libsagejit0"]
    assert "./usr/include/sagejit.h" in holds["libsagejit-dev"]
    assert "libsagejit.so -> libsagejit.so.0" in holds["libsagejit-dev"]
    assert "./usr/bin/sagejit" in holds["sagejit"]
    for path in ("man/man1/sagejit.1.gz", "man/man1/sagejit-run.1.gz",
                 "bash-completion/completions/sagejit", "zsh/vendor-completions/_sagejit",
                 "fish/vendor_completions.d/sagejit.fish"):  # fmt: skip
        assert f"./usr/share/{path}" in holds["sagejit"], path
    for name, text in holds.items():
        assert f"./usr/share/doc/{name}/copyright" in text
        assert "/cuda" not in text and str(BUILD) not in text
    library, development, cli = (fields(debs[n]) for n in ("libsagejit0", "libsagejit-dev", "sagejit"))
    for text in (library, cli):
        depends = re.search(r"^Depends: (.*)$", text, re.MULTILINE).group(1)
        packages = {entry.split()[0] for entry in depends.split(",")}
        assert packages == {"libc6"}, depends
    assert f"Depends: libsagejit0 (= {VERSION}-1)" in development
    shlibs = run("dpkg-deb", "--info", debs["libsagejit0"], "shlibs")
    assert shlibs.startswith("libsagejit 0 libsagejit0"), shlibs
    assert "ldconfig" in run("dpkg-deb", "--info", debs["libsagejit0"], "triggers")


if __name__ == "__main__":
    globals()["test_" + sys.argv[1].replace("-", "_")]()
