"""Includes that check_layers.py must refuse, and includes that it must accept."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from check_layers import violations  # noqa: E402

LAYERS = """
polyphon_layer(base PUBLIC fmt::fmt)
polyphon_layer(core DEPENDS base)
polyphon_layer(model DEPENDS core PRIVATE Llama::common Llama::llama)
polyphon_layer(simd DEPENDS base PUBLIC PkgConfig::hwy)
polyphon_layer(attention DEPENDS simd PRIVATE Llama::ggml)
polyphon_layer(engine DEPENDS model)
polyphon_layer(server DEPENDS engine PRIVATE Llama::httplib)
polyphon_layer(app DEPENDS server attention)
"""


def check(file, line):
    """The violations of a tree with that one file, holding that one line, unused names apart."""
    return [fault for fault in check_tree(LAYERS, {file: line}) if "does not use" not in fault]


def check_tree(layers, lines):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "CMakeLists.txt").write_text(layers)
        for file, line in lines.items():
            path = root / "src" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(line + "\n")
        return violations(root)


class CheckLayersTest(unittest.TestCase):
    def test_refuses(self):
        for file, line in [
            ("core/a.h", '#include "model/decoder.h"'),
            ("base/a.cpp", '#include "core/json.h"'),
            ("engine/a.cpp", '#include "attention/span_backend.h"'),  # above it, but not named
            ("engine/a.cpp", '#include "llama.h"'),
            ("engine/a.cpp", "#include <llama-cpp.h>"),
            ("engine/a.cpp", '#include "chat.h"'),
            ("engine/a.cpp", "#  include <ggml.h>"),
            ("app/a.cpp", "#include <httplib.h>"),
            ("app/a.cpp", "#include <prometheus/counter.h>"),
            ("server/a.cpp", "#include <CLI/CLI.hpp>"),
            ("core/a.cpp", "#include <hwy/highway.h>"),
            ("server/a.cpp", "#include <sqlite3.h>"),
            ("core/a.cpp", "#include <torch/torch.h>"),
            ("core/a.cpp", "#include <gtest/gtest.h>"),
            ("core/a.cpp", '#include "../base/error.h"'),
            ("drawer/a.cpp", ""),
        ]:
            with self.subTest(file=file, line=line):
                self.assertEqual(len(check(file, line)), 1)

    def test_accepts(self):
        for file, line in [
            ("core/a.h", '#include "base/error.h"'),
            ("core/a.h", '#include "core/json.h"'),
            ("engine/a.cpp", '#include "base/error.h"'),  # through model and core
            ("model/a.cpp", '#include "llama.h"'),
            ("model/a.cpp", '#include "chat.h"'),
            ("model/a.cpp", "#include <memory>"),
            ("attention/a.cpp", '#include "ggml-backend.h"'),
            ("app/a.cpp", "#include <hwy/highway.h>"),  # simd names it as PUBLIC
            ("server/a.cpp", "#include <httplib.h>"),
            ("core/a_test.cpp", "#include <gtest/gtest.h>"),
            ("core/a.cpp", "#include <vector>"),
            ("core/a.cpp", '// #include "app/main.h"'),
        ]:
            with self.subTest(file=file, line=line):
                self.assertEqual(check(file, line), [])

    def test_refuses_what_is_named_and_not_used(self):
        layers = "polyphon_layer(base)\npolyphon_layer(core DEPENDS base PRIVATE fmt::fmt)\n"
        used = '#include <fmt/format.h>\n#include "base/error.h"'
        self.assertEqual(check_tree(layers, {"core/a.cpp": used}), [])
        faults = check_tree(layers, {"core/a.cpp": "#include <vector>"})
        self.assertEqual(len(faults), 2)
        self.assertIn("core names base", faults[0])
        self.assertIn("core names fmt::fmt", faults[1])


if __name__ == "__main__":
    unittest.main()
