"""Includes that check_layers.py must refuse, and includes that it must accept."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from check_layers import violations  # noqa: E402

ORDER = ("base", "core", "model", "attention", "store", "engine", "server", "app")


def check(file, line):
    """The violations of a tree with that one file, holding that one line."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        calls = "".join(f"polyphon_layer({layer})\n" for layer in ORDER)
        (root / "CMakeLists.txt").write_text(calls)
        path = root / "src" / file
        path.parent.mkdir(parents=True)
        path.write_text(line + "\n")
        return violations(root)


class CheckLayersTest(unittest.TestCase):
    def test_refuses(self):
        for file, line in [
            ("core/a.h", '#include "model/decoder.h"'),
            ("base/a.cpp", '#include "core/trace.h"'),
            ("engine/a.cpp", '#include "llama.h"'),
            ("engine/a.cpp", "#include <llama-cpp.h>"),
            ("engine/a.cpp", '#include "chat.h"'),
            ("engine/a.cpp", "#  include <ggml.h>"),
            ("app/a.cpp", "#include <httplib.h>"),
            ("app/a.cpp", "#include <prometheus/counter.h>"),
            ("core/a.cpp", "#include <hwy/highway.h>"),
            ("server/a.cpp", "#include <sqlite3.h>"),
            ("store/a.cpp", "#include <torch/torch.h>"),
            ("core/a.cpp", "#include <gtest/gtest.h>"),
            ("core/a.cpp", '#include "../base/error.h"'),
            ("drawer/a.cpp", ""),
        ]:
            with self.subTest(file=file, line=line):
                self.assertEqual(len(check(file, line)), 1)

    def test_accepts(self):
        for file, line in [
            ("core/a.h", '#include "base/error.h"'),
            ("core/a.h", '#include "core/trace.h"'),
            ("engine/a.cpp", '#include "base/error.h"'),
            ("model/a.cpp", '#include "llama.h"'),
            ("model/a.cpp", '#include "chat.h"'),
            ("attention/a.cpp", '#include "ggml-backend.h"'),
            ("engine/a.cpp", "#include <hwy/highway.h>"),
            ("server/a.cpp", "#include <httplib.h>"),
            ("core/a_test.cpp", "#include <gtest/gtest.h>"),
            ("core/a.cpp", "#include <vector>"),
            ("core/a.cpp", '// #include "app/main.h"'),
        ]:
            with self.subTest(file=file, line=line):
                self.assertEqual(check(file, line), [])


if __name__ == "__main__":
    unittest.main()
