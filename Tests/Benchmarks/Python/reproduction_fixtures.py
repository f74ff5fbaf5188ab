"""Experiments, results and runners that lie in folders of the tests."""
import argparse
import contextlib
import json
import pathlib
import sys
import tempfile
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))

from reproduction import experiment, families, runner, tables  # noqa: E402, F401


def run(name, title, **fields):
    return experiment.Experiment(name, "bkd", title, "cifar100", (), **fields)


@contextlib.contextmanager
def work_folder():
    """Options with a --work of its own, in which programs seem to be built."""
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work).resolve()
        for program in ("student-train", "teacher-dump"):
            (work / program).touch()
        yield argparse.Namespace(
            parallel=2, work=work, data=work, weights=work, no_commit=True)


def a_runner(options):
    tested = runner.Runner(options)
    tested.programs = options.work
    return tested


@contextlib.contextmanager
def results():
    """An empty folder of results, and how to put one there."""
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.object(experiment, "RESULTS", pathlib.Path(folder)):
            yield lambda job, result: job.result.write_text(json.dumps(result))
