"""The arithmetic of tools/bench and the order in which it measures."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))

from benchmark import machine  # noqa: E402
from benchmark.figures import Spread, fastest, number, ratios, table  # noqa: E402
from benchmark.processes import BenchmarkError, Contestant, alternate  # noqa: E402

# Adds its name to a file in every round and answers with the number of names there.
CONTESTANT = """
import json, sys
print("a line of no interest")
print("READY {}", flush=True)
for line in sys.stdin:
    open(sys.argv[2], "a").write(sys.argv[1])
    print("ROUND", json.dumps({"turn": len(open(sys.argv[2]).read())}), flush=True)
print('RESULT {"peak_bytes": 7}')
"""


class FigureTests(unittest.TestCase):
    def test_ratios_compare_rounds_and_not_medians(self):
        # The medians are 20 and 10, but no round was twice as fast.
        self.assertEqual(ratios([10, 20, 90], [10, 5, 30]), [1, 4, 3])
        self.assertEqual(str(Spread.of(ratios([10, 20, 90], [10, 5, 30]))), "3.000 (1.000–4.000)")
        with self.assertRaises(ValueError):
            ratios([1, 2], [1])

    def test_the_fastest_peer_is_that_of_the_largest_median(self):
        self.assertEqual(fastest({"a": [1, 9, 2], "b": [3, 3, 3]}), "b")

    def test_numbers_are_short(self):
        self.assertEqual([number(x) for x in (1234567.8, 1000, 74.1234, 0.5, None)],
                         ["1,234,568", "1,000", "74.12", "0.5", "–"])

    def test_columns_line_up(self):
        self.assertEqual(table(["name", "x"], [["a", 1], ["long name", 22]]).splitlines(),
                         ["name        x", "---------  --", "a           1", "long name  22"])


class ProcessTests(unittest.TestCase):
    def setUp(self):
        # Progress is not what a test prints.
        quiet = contextlib.redirect_stderr(io.StringIO())
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def contestant(self, name, file, program=CONTESTANT):
        return Contestant(name, [sys.executable, "-c", program, name, file])

    def test_contestants_are_measured_in_turn(self):
        with tempfile.NamedTemporaryFile() as turns:
            a, b = alternate("test", [lambda: self.contestant("a", turns.name),
                                      lambda: self.contestant("b", turns.name)], 3)
            self.assertEqual(turns.read(), b"ababab")
        self.assertEqual(a.values("turn"), [1, 3, 5])
        self.assertEqual(b.values("turn"), [2, 4, 6])
        self.assertEqual(a.said["RESULT"], {"peak_bytes": 7})

    def test_a_contestant_that_fails_says_why(self):
        failing = "import sys; print('READY {}', flush=True); sys.exit('no such network')"
        with self.assertRaisesRegex(BenchmarkError, "no such network"):
            alternate("test", [lambda: self.contestant("a", "", failing)], 1)

    def test_a_contestant_that_is_gone_when_it_is_asked_says_why(self):
        gone = """
import os, sys
os.close(0)  # what is asked now finds nobody, however long the rest takes
print("READY {}", flush=True)
sys.exit("no memory for the third batch")
"""
        with self.assertRaisesRegex(
                BenchmarkError, "^run ended with status 1 .*\n.*no memory for the third batch"):
            alternate("test", [lambda: self.contestant("run", "", gone)], 1)


class BenchTests(unittest.TestCase):
    def test_the_load_is_that_from_before_the_build(self):
        load = [0.25]
        with tempfile.TemporaryDirectory() as folder:
            project = pathlib.Path(folder)
            programs = project / ".build" / "release"
            programs.mkdir(parents=True)
            for name in ("teacher-cachePackageTests.xctest", "teacher-dump", "student-train"):
                (programs / name).touch()

            def build(command):
                load[0] = 2

            with mock.patch.multiple(
                    machine, PROJECT=project, SCRATCH=project / "bench", run_program=build,
                    find_tcmalloc=lambda: "", note=lambda text: None), \
                    mock.patch("os.getloadavg", lambda: (load[0], 0, 0)):
                bench = machine.Bench(1, python="python3")
                bench.ours_once = lambda mode: {"kernel_level": "AVX2", "networks": []}
                bench.peer_once = lambda script, mode: "{}"
                self.assertEqual(bench.describe()["load_at_start"], 0.25)


if __name__ == "__main__":
    unittest.main()
