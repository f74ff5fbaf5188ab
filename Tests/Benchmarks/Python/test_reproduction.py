"""The experiments of tools/reproduce and the tables that are made of their results."""
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))

from reproduction import experiment, families, tables  # noqa: E402


class ReproductionTests(unittest.TestCase):
    def setUp(self):
        self.experiments = families.all_experiments(pathlib.Path("weights"))

    def test_every_experiment_has_a_name_of_its_own_and_a_known_family(self):
        names = [e.name for e in self.experiments]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({e.family for e in self.experiments}, set(families.NAMES))

    def test_caches_of_one_name_are_the_same(self):
        caches = {}
        for cache in [e.cache for e in self.experiments if e.cache]:
            self.assertEqual(caches.setdefault(cache.name, cache), cache)

    def test_schedules_are_shortened_in_proportion(self):
        self.assertEqual(families.schedule(24), ("--epochs", "24", "--milestones", "15,18,21"))
        self.assertEqual(families.schedule(240), ("--epochs", "240", "--milestones", "150,180,210"))

    def test_a_row_is_the_mean_and_the_sample_deviation_over_seeds(self):
        with tempfile.TemporaryDirectory() as folder:
            with mock.patch.object(experiment, "RESULTS", pathlib.Path(folder)):
                rows = [experiment.Experiment(f"kd-s{seed}", "crld", "KD", "cifar100", (), seed,
                                              published="70.66") for seed in range(2)]
                self.assertEqual(tables.table(rows), "No results yet.")
                for row, top1 in zip(rows, [69.0, 71.0]):
                    summary = {"test_top1_last": top1, "seconds": 90, "few_top1": None}
                    row.result.write_text(json.dumps({"summary": summary}))
                # (69 + 71) / 2, and the root of ((1 + 1) / (2 - 1)).
                self.assertEqual(
                    tables.table(rows).splitlines()[2], "| KD | 2 | 70.00 ± 1.41 | 2 | 70.66 |")


if __name__ == "__main__":
    unittest.main()
