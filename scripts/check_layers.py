#!/usr/bin/env python3
"""Checks the includes of src/ against the order of layers and the owners of foreign libraries.

    check_layers.py [ROOT]

The order is that of the polyphon_layer() calls in CMakeLists.txt: a folder may include only itself
and folders that stand above it. Prints one line a violation and exits with 1, or nothing and 0.
"""

import re
import sys
from pathlib import Path

# A foreign header (pattern of its whole path) and the only folders, or files, that may include it.
OWNERS = [
    (r"(ggml|gguf)[\w-]*\.h", {"model", "weights", "attention"}),
    (r"hwy/.*", {"weights", "engine", "attention", "train"}),
    (r"httplib\.h", {"server"}),
    (r"prometheus/.*", {"server"}),
    (r"(sqlite3\.h|SQLiteCpp/.*|pqxx/.*|libpq-fe\.h)", {"store"}),
    (r"(torch|ATen|c10)/.*", {"train"}),
    (r"CLI/.*", {"app", "train/*main.cpp"}),
    (r"toml\+\+/.*|toml\.hpp|toml\+\+\.h", {"reason", "app"}),
    (r"(gtest|gmock)/.*", {"*_test.cpp", "*_test.h"}),
    (r"benchmark/.*", {"*_bench.cpp"}),
    # Headers of libllama and of llama.cpp's `common`; the latter have no folder in their names.
    (r"llama[\w-]*\.h", {"model"}),
]
LLAMA_COMMON = {"model"}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def layer_order(root):
    text = (root / "CMakeLists.txt").read_text()
    return re.findall(r"^polyphon_layer\((\w+)", text, re.MULTILINE)


def is_allowed(file, layer, owners):
    return layer in owners or any("*" in owner and file.match(owner) for owner in owners)


def fault(file, layer, quoted, header, order):
    """Why `file` of `layer` may not include `header`, or None."""
    for pattern, owners in OWNERS:
        if re.fullmatch(pattern, header):
            if is_allowed(file, layer, owners):
                return None
            return f"only {' and '.join(sorted(owners))} may include it"

    folder, slash, _ = header.partition("/")
    if folder in order:
        if order.index(folder) > order.index(layer):
            return f"{folder} stands below {layer}"
        return None
    if not quoted:
        return None
    if folder in ("..", "."):
        return "write the path from src/"
    if not slash and layer not in LLAMA_COMMON:
        return "write the path from src/, or <> for a library"
    return None


def violations(root):
    order = layer_order(root)
    found = []
    for file in sorted((root / "src").rglob("*")):
        if file.suffix not in (".h", ".cpp", ".inc"):
            continue
        name = file.relative_to(root)
        layer = name.parts[1]
        if layer not in order:
            found.append(f"{name}: CMakeLists.txt knows no layer {layer}")
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if match := INCLUDE.match(line):
                quoted, header = match[1] == '"', match[2]
                if why := fault(file, layer, quoted, header, order):
                    found.append(f"{name}:{number}: {header}: {why}")
    return found


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = violations(root)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
