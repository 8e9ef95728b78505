#!/usr/bin/env python3
"""Checks the includes of src/ against the layers that CMakeLists.txt declares.

    check_layers.py [ROOT]

Each polyphon_layer() call names a folder of src/, the folders that it DEPENDS on, and its foreign
libraries. A file may include the folders that its own depends on, directly or through others, if
they stand above it in CMakeLists.txt; and the headers of libraries that its folder names, or that
a folder it depends on names as PUBLIC. A folder may not name what none of its files includes.
Prints one line a violation and exits with 1, or nothing and 0.
"""

import re
import sys
from pathlib import Path

# The headers of each foreign library.
LIBRARIES = {
    "fmt::fmt": r"fmt/.*",
    "spdlog::spdlog": r"spdlog/.*",
    "nlohmann_json::nlohmann_json": r"nlohmann/.*",
    "OpenSSL::SSL": r"openssl/(ssl|err|pem|x509)\.h",
    "OpenSSL::Crypto": r"openssl/.*",
    "CLI11::CLI11": r"CLI/.*",
    "tomlplusplus::tomlplusplus": r"toml\+\+/.*|toml\.hpp|toml\+\+\.h",
    "prometheus-cpp::core": r"prometheus/.*",
    "SQLiteCpp": r"sqlite3\.h|SQLiteCpp/.*",
    "PkgConfig::hwy": r"hwy/.*",
    "Llama::llama": r"llama[\w-]*\.h|gguf\.h|ggml[\w-]*\.h",
    "Llama::ggml": r"ggml[\w-]*\.h|gguf\.h",
    "Llama::common": r"(arg|chat|common|log|sampling)\.h|json-schema-to-grammar\.h",
    "Llama::httplib": r"httplib\.h",
    "TorchCpu::torch": r"(torch|ATen|c10)/.*",
}
# Headers that belong to kinds of files, not to folders.
KINDS = {r"(gtest|gmock)/.*": ("_test.cpp", "_test.h")}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


class Layer:
    def __init__(self, call):
        words = call.split()
        self.name = words[0]
        lists = {"NEEDS": [], "DEPENDS": [], "PUBLIC": [], "PRIVATE": [], "DEFINES": []}
        current = None
        for word in words[1:]:
            if word in lists:
                current = lists[word]
            else:
                current.append(word)
        self.depends = lists["DEPENDS"]
        self.public = lists["PUBLIC"]
        self.libraries = self.public + lists["PRIVATE"]
        self.used = set()


def read_layers(root):
    """By name, in the order of CMakeLists.txt."""
    text = re.sub(r"#.*", "", (root / "CMakeLists.txt").read_text())
    calls = re.findall(r"^polyphon_layer\(([^)]*)\)", text, re.MULTILINE)
    return {layer.name: layer for layer in map(Layer, calls)}


def reach(layers, name):
    """The layers that `name` depends on, itself included."""
    found, waiting = set(), [name]
    while waiting:
        layer = waiting.pop()
        if layer in layers and layer not in found:
            found.add(layer)
            waiting += layers[layer].depends
    return found


def include_fault(file, layer, quoted, header, layers, reached):
    """Why `file` of `layer` may not include `header`, or None. Notes what it uses."""
    folder, slash, _ = header.partition("/")
    if slash and folder in layers:
        layers[layer].used.add(folder)
        order = list(layers)
        if order.index(folder) > order.index(layer):
            return f"{folder} stands below {layer}"
        if folder not in reached and not file.name.endswith("main.cpp"):
            return f"{layer} does not depend on {folder}"
        return None

    for pattern, endings in KINDS.items():
        if re.fullmatch(pattern, header):
            return None if file.name.endswith(endings) else f"only *{endings[0]} may include it"

    owners = [name for name, pattern in LIBRARIES.items() if re.fullmatch(pattern, header)]
    if owners:
        layers[layer].used.update(owners)
        allowed = set(layers[layer].libraries)
        for each in reached:
            allowed.update(layers[each].public)
        return None if allowed & set(owners) else f"{layer} does not name {owners[0]}"

    if quoted:
        return "write the path from src/, or <> for a library"
    return None


def violations(root):
    layers = read_layers(root)
    reached = {name: reach(layers, name) for name in layers}
    found = []
    for file in sorted((root / "src").rglob("*")):
        if file.suffix not in (".h", ".cpp", ".inc"):
            continue
        name = file.relative_to(root)
        layer = name.parts[1]
        if layer not in layers:
            found.append(f"{name}: CMakeLists.txt knows no layer {layer}")
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if match := INCLUDE.match(line):
                quoted, header = match[1] == '"', match[2]
                why = include_fault(file, layer, quoted, header, layers, reached[layer])
                if why:
                    found.append(f"{name}:{number}: {header}: {why}")
    for layer in layers.values():
        for declared in layer.depends + layer.libraries:
            if declared not in layer.used:
                found.append(f"CMakeLists.txt: {layer.name} names {declared} and does not use it")
    return found


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = violations(root)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
