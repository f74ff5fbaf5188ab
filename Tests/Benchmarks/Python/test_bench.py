"""The arithmetic of tools/bench and the order in which it measures."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))

from benchmark.figures import Spread, fastest, median, number, ratios, table  # noqa: E402
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
    def test_the_median_is_the_middle_or_the_mean_of_the_middle_two(self):
        self.assertEqual(median([9, 1, 5]), 5)
        self.assertEqual(median([4, 1, 100, 2]), 3)
        with self.assertRaises(ValueError):
            median([])

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


if __name__ == "__main__":
    unittest.main()
