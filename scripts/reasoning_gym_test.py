"""What reasoning_gym.py asks, keeps and says, with a server and problems of its own."""

import contextlib
import io
import json
import sys
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from gym_report import bootstrap, report  # noqa: E402
from reasoning_gym import Failure, Problem, extract_answer, main, parse_arms  # noqa: E402


class Sums:
    """A source whose every answer is the problem's index, and half right with a unit behind it."""

    version = "1"

    def problems(self, task, count, seed):
        return [Problem(task, i, f"{task} {seed}: 0 + {i}?", i) for i in range(count)]

    def score(self, problem, answer):
        if problem.task == "fragile":
            raise IndexError(answer)
        return 1 if answer == str(problem.entry) else 0.5 * answer.startswith(str(problem.entry))


class FakeServer(ThreadingHTTPServer):
    """Answers every question by `reply(body)`: a text, a whole body, or a status with a body."""

    daemon_threads = True

    def __init__(self, reply):
        super().__init__(("127.0.0.1", 0), FakeHandler)
        self.reply, self.asked, self.lock = reply, [], threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass  # a client that did not wait


class FakeHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, {"data": [{"id": "fake", "owned_by": "nobody"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(body)
        reply = self.server.reply(body)
        if isinstance(reply, str):
            reply = completion(reply)
        self.answer(*(reply if isinstance(reply, tuple) else (200, reply)))

    def answer(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def completion(text, **more):
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"completion_tokens": 7}, **more}


def question(body):
    return body["messages"][0]["content"].split("?")[0]


def right(body):
    """The index of a question of Sums."""
    return f"Let me think.\nAnswer: {question(body).split()[-1]}"


class ReasoningGymTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.output = Path(folder.name) / "samples.jsonl"

    def run_main(self, *arguments, source=Sums):
        """Exit code, standard output and standard error."""
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = main(["--output", str(self.output), *arguments], source)
        return code, out.getvalue(), error.getvalue()

    def ask(self, server, *arguments, arms="plain", tasks="sums,more", source=Sums):
        always = ("--url", server.url, "--tasks", tasks, "--arms", arms, "--count", "3")
        return self.run_main(*always, *arguments, source=source)

    def kept(self):
        return [json.loads(line) for line in self.output.read_text().splitlines()[1:]]

    def refused(self, result):
        """The one line of a run that failed."""
        code, _, error = result
        self.assertEqual(code, 1)
        line = error.splitlines()[-1]
        self.assertEqual(error.count("error: "), 1)
        self.assertTrue(line.startswith("error: "), error)
        return line

    def test_asks_every_arm_the_same_and_reports(self):
        hot = 'hot={"temperature": 1.5, "stop": ["a", "b"]}'
        with FakeServer(lambda body: right(body) if "stop" not in body else "3 apples") as server:
            code, out, _ = self.ask(server, "--parallel", "3", arms=f"plain,{hot}")
        self.assertEqual(code, 0)
        self.assertEqual(len(self.kept()), 12)
        self.assertEqual({sample["score"] for sample in self.kept() if sample["arm"] == "hot"}, {0})
        plain, hot = ([b for b in server.asked if ("stop" in b) == hot] for hot in (False, True))
        for key in ("messages", "seed", "max_tokens"):
            self.assertCountEqual([b[key] for b in plain], [b[key] for b in hot])
        self.assertEqual(len({body["seed"] for body in plain}), 6)
        self.assertEqual({body["temperature"] for body in hot}, {1.5})
        self.assertIn("| plain | 6 | 100.0 (100.0 to 100.0) |  | 100.0", out)
        self.assertIn("| hot | 6 | 0.0 (0.0 to 0.0) | -100.0 (-100.0 to -100.0) |", out)
        self.assertIn("| sums | 3 | 100 / 100 | 0 / 0 |", out)
        self.assertEqual(self.run_main("--report"), (0, out, ""))

    def test_goes_on_where_it_was_cut(self):
        with FakeServer(right) as server:
            self.ask(server)
            whole = self.output.read_bytes()
            self.assertEqual(self.ask(server)[0], 0)
            self.assertEqual(len(server.asked), 6)
            self.output.write_bytes(whole[:-9])
            self.assertEqual(self.ask(server)[0], 0)
        self.assertEqual(len(server.asked), 7)
        self.assertEqual(len(self.kept()), 6)

    def test_begins_anew_where_not_even_the_first_line_is_whole(self):
        self.output.write_text('{"configura')
        with FakeServer(right) as server:
            self.assertEqual(self.ask(server)[0], 0)
        self.assertEqual(len(self.kept()), 6)

    def test_refuses_another_configuration(self):
        with FakeServer(right) as server:
            self.ask(server)
            there = self.output.read_bytes()
            for key, *arguments in [
                ("temperature", "--temperature", "0.1"),
                ("seed", "--seed", "2"),
                ("count", "--count", "4"),
                ("tasks", "--tasks", "sums"),
                ("arms", "--arms", 'plain,mine={"top_k": 1}'),
                ("budget", "--budget", "64"),
                ("model", "--model", "other"),
            ]:
                with self.subTest(key):
                    line = self.refused(self.ask(server, *arguments))
                    self.assertIn(f"another configuration: {key} is ", line)
        self.assertEqual(self.output.read_bytes(), there)
        self.assertEqual(len(server.asked), 6)

    def test_refuses_a_file_of_something_else(self):
        for text in ("# Notes\n", '{"date": 1}\n', "[1]\n"):
            self.output.write_text(text)
            self.assertIn("does not hold samples", self.refused(self.run_main("--report")))

    def test_says_in_one_line_what_went_wrong_and_keeps_what_came(self):
        def slow(body):
            time.sleep(0.5)
            return "late"

        for says, reply in [
            ("answered 400: too\\s+long", (400, {"error": {"message": "too\nlong"}})),
            ("answered 404: no model", (404, {"error": "no model"})),
            ("answered 503: busy", (503, {"message": "busy"})),
            ("answered 502: <html> bad </html>", (502, b"<html>\nbad\n</html>")),
            ("no JSON came back", (200, b"hello")),
            ("no chat completion", (200, {"choices": []})),
            ("no chat completion", (200, [])),
            ("no answer within 0.2 s", slow),
        ]:
            self.output.unlink(missing_ok=True)

            def third(body):
                if question(body) != "sums 1: 0 + 2":
                    return right(body)
                return reply(body) if callable(reply) else reply

            with self.subTest(says), FakeServer(third) as server:
                line = self.refused(self.ask(server, "--timeout", "0.2"))
                self.assertRegex(line, says)
                self.assertEqual([sample["index"] for sample in self.kept()], [0, 1])

    def test_says_that_the_server_is_gone(self):
        self.assertIn("must begin with http", self.refused(self.run_main("--url", "localhost")))
        with FakeServer(right) as server:
            pass
        self.assertIn("refused", self.refused(self.ask(server)))
        self.assertFalse(self.output.exists())

    def test_keeps_what_is_under_way_when_another_fails(self):
        began = threading.Event()

        def reply(body):
            if question(body).endswith("0"):
                began.wait(5)
                return (500, {"error": "out of memory"})
            began.set()
            time.sleep(0.1)
            return right(body)

        with FakeServer(reply) as server:
            self.refused(self.ask(server, "--parallel", "2", tasks="sums"))
        self.assertIn(1, [sample["index"] for sample in self.kept()])

    def test_refuses_a_server_that_ignores_the_polyphon_object(self):
        with FakeServer(right) as server:
            line = self.refused(self.ask(server, arms="streams"))
        self.assertIn("ignores the polyphon object", line)
        with FakeServer(lambda body: completion("Answer: 1", polyphon={})) as server:
            self.assertEqual(self.ask(server, arms="streams")[0], 0)

    def test_a_scorer_that_fails_scores_nothing(self):
        with FakeServer(right) as server:
            self.assertEqual(self.ask(server, tasks="fragile")[0], 0)
        self.assertEqual([sample["score"] for sample in self.kept()], [0, 0, 0])
        self.assertEqual(self.kept()[0]["fault"], "IndexError('0')")

    def test_says_how_to_get_the_package(self):
        from reasoning_gym import ReasoningGym

        with mock.patch.dict(sys.modules, {"reasoning_gym": None}), FakeServer(right) as server:
            line = self.refused(self.ask(server, source=ReasoningGym))
        self.assertIn("scripts/setup.sh python-gym", line)


class ArmsTest(unittest.TestCase):
    def test_spends_the_same_budget_in_all(self):
        arms = parse_arms("plain, sequential,streams,workspace", 512, 64)
        self.assertEqual(
            list(arms), ["plain", "sequential", "streams_vote", "streams_kv", "workspace"]
        )
        self.assertEqual(arms.pop("plain"), {"max_tokens": 576})
        for arm in arms.values():
            streams, tokens = map(int, arm["polyphon"]["topology"].split("x"))
            self.assertEqual(streams * tokens + arm["max_tokens"], 576)

    def test_reads_fields_of_ones_own(self):
        text = 'a={"top_k":1,"stop":["x,y"]}, b = {"polyphon":{"topology":"2x9"}},plain'
        arms = parse_arms(text, 8, 2)
        self.assertEqual(arms["a"], {"max_tokens": 10, "top_k": 1, "stop": ["x,y"]})
        self.assertEqual(arms["b"], {"max_tokens": 2, "polyphon": {"topology": "2x9"}})
        self.assertEqual(list(arms), ["a", "b", "plain"])

    def test_refuses_nonsense(self):
        for text in ("", "nothing", "plain plain", "a={", "a=1", 'a="x"', "a={} b={}", ",plain"):
            with self.subTest(text), self.assertRaises(Failure):
                parse_arms(text, 8, 2)


class ExtractionTest(unittest.TestCase):
    def test_stated(self):
        for text, answer in [
            ("5 + 5 = 10.\nAnswer: 10", "10"),
            ("Answer: 9\nNo.\nAnswer: -10.", "-10"),
            ("**Answer:** 10", "10"),
            ("**Answer**: `10`", "10"),
            ("**Answer: 10.** That is it.", "10"),
            ("### Final answer:\n\n10\n", "10"),
            ("Answer: $10$", "10"),
            ("The answer is 10. I added them.", "10"),
            ("So the answer to the question is: 3.5.", "3.5"),
            ("Answer: ['1', '2']", "['1', '2']"),
            ("Answer: Ann is a hero, and Bob is a villain.", "Ann is a hero, and Bob is a villain"),
            ("Answer:\n1 2\n2 1\n\nThat was it.", "1 2\n2 1"),
            ("The answer is 4\nThe answer is\nThe answer is", "4"),
            ("So \\boxed{10}.", "10"),
            ("Answer: 10\nAnswer:", "10"),
            ("Answer: e = -10", "-10"),
            ("Answer: 4 + 6 = 10", "4 + 6 = 10"),
        ]:
            with self.subTest(text):
                self.assertEqual(extract_answer(text), (answer, True))

    def test_last_line(self):
        for text, answer in [
            ("10", "10"),
            ("We add.\n\n**10**\n\n", "10"),
            ("This isn't an answer.\nSo 10.", "So 10"),
            ("1. We add.\n2. We get 10. So", "2. We get 10. So"),
            ("x = 10", "10"),
            ("Answer:", "Answer:"),
            ("", ""),
            (" \n**\n", ""),
        ]:
            with self.subTest(text):
                self.assertEqual(extract_answer(text), (answer, False))


class ReportTest(unittest.TestCase):
    def test_bootstrap(self):
        values = [0.0, 1.0] * 50
        interval = bootstrap(values)
        self.assertEqual(interval, bootstrap(values))
        self.assertEqual(interval.mean, 0.5)
        # Normal: 1.96 * 0.5 / sqrt(100) = 0.098 each way.
        self.assertAlmostEqual(interval.low, 0.402, delta=0.02)
        self.assertAlmostEqual(interval.high, 0.598, delta=0.02)
        self.assertEqual(bootstrap([0.25]), (0.25, 0.25, 0.25))

    def test_pairs_only_what_both_arms_have(self):
        def sample(arm, index, score):
            more = {"stated": True, "tokens": None, "seconds": 1}
            return {"task": "t", "index": index, "arm": arm, "score": score, **more}

        samples = [sample("a", 0, 0.5), sample("a", 1, 1), sample("b", 1, 1), sample("b", 2, 0)]
        text = report({"arms": {"a": {}, "b": {}, "c": {}}, "tasks": ["t", "u"]}, samples)
        right, score = "50.0 (0.0 to 100.0)", "75.0 (50.0 to 100.0)"
        self.assertIn(f"| a | 2 | {right} |  | {score} |  | 100 |  | 1.0 |", text)
        self.assertRegex(text, r"\| b \| 2 \| [^|]* \| \+0.0 \(\+0.0 to \+0.0\) \|")
        self.assertIn("| t | 3 | 50 / 75 | 50 / 50 |", text)
        self.assertIn("| u | 0 |  |  |", text)


if __name__ == "__main__":
    unittest.main()
