"""The installed program, away from the checkout: it finds its libraries, kernels and files by itself."""

import json
import os
import shutil
import subprocess

import pytest
from conftest import BINARY, MODEL, ROOT, require


def install(prefix):
    require(BINARY, MODEL)
    command = ["cmake", "--install", BINARY.parent, "--prefix", prefix, "--component", "program"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def run(program, home, *arguments):
    """With nothing of this shell's environment, so nothing that names the checkout or the cache."""
    done = subprocess.run(
        [str(part) for part in (program, *arguments)],
        capture_output=True, text=True, timeout=300, cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def libraries(program):
    """Paths of the libraries that the loader finds for the program."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    assert "not found" not in text
    return [line.split("=>")[1].split()[0] for line in text.splitlines() if "=>" in line]


def check(prefix, home):
    program = prefix / "bin" / "polyphon"
    own = [path for path in libraries(program) if not path.startswith(("/lib", "/usr/lib"))]
    assert own and all(path.startswith(str(prefix)) for path in map(os.path.realpath, own)), own
    model = home / ".cache" / "polyphon" / "models" / MODEL.name
    model.parent.mkdir(parents=True, exist_ok=True)
    if not model.exists():
        model.symlink_to(MODEL)
    entries = json.loads(run(program, home, "models", "--json"))
    assert any(entry["present"] for entry in entries)
    assert "no problem found" in run(program, home, "doctor")
    answer = json.loads(run(program, home, "think", "--topology", "2x8", "--json", "What is 2 + 2?"))
    assert len(answer["polyphon"]["streams"]) == 2
    assert "selfplay" in run("bash", home, "-c", f"""
        PATH={prefix}/bin:$PATH; source {prefix}/share/bash-completion/completions/polyphon
        COMP_WORDS=(polyphon se) COMP_CWORD=1; _polyphon; echo "${{COMPREPLY[@]}}" """)
    assert {"LICENSE", "THIRD-PARTY-NOTICES"} <= set(os.listdir(prefix / "share" / "doc" / "polyphon"))


def test_an_installation_runs_wherever_it_is_moved(tmp_path):
    install(tmp_path / "first")
    shutil.move(tmp_path / "first", tmp_path / "moved")
    check(tmp_path / "moved", tmp_path / "home")


@pytest.mark.long
def test_both_packages_run_from_an_empty_root(tmp_path):
    folder = ROOT / "build" / "package"
    subprocess.run(["make", "--no-print-directory", "package"], check=True, cwd=ROOT)
    [deb], [archive] = folder.glob("polyphon_*.deb"), folder.glob("polyphon-*.tar.gz")
    depends = subprocess.run(
        ["dpkg-deb", "--field", deb, "Depends"], capture_output=True, text=True, check=True
    ).stdout
    assert "libc6" in depends and "libssl3" in depends and "libspdlog" in depends
    subprocess.run(["dpkg-deb", "--extract", deb, tmp_path / "deb"], check=True)
    check(tmp_path / "deb" / "usr", tmp_path / "home")
    (tmp_path / "tar").mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path / "tar"], check=True)
    [prefix] = (tmp_path / "tar").iterdir()
    check(prefix, tmp_path / "home")
    inside = {path for path in libraries(prefix / "bin" / "polyphon") if path.startswith(str(prefix))}
    assert any("libspdlog" in path for path in inside), "a .tar.gz brings its libraries"
