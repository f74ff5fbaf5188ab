"""Processes that are measured in turn, so that whatever else the machine does meets them all."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time


class BenchmarkError(Exception):
    """Something that tools/bench cannot go on without; the message says what to do."""


class Contestant:
    """A warm process that measures one round whenever it is asked.

    It prints READY {…}, then ROUND {…} for every line it reads, and, when its input ends, PHASES {…}
    and RESULT {…}; other lines are kept for the message if it fails.
    """

    def __init__(self, name, command, environment=None):
        self.name = name
        self.said = {}
        self.rounds = []
        self._log = tempfile.TemporaryFile("w+")
        self._other = []
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            bufsize=1, env={**os.environ, **(environment or {})})

    def wait_until_warm(self):
        self._listen("READY")
        return self

    def ask(self):
        with contextlib.suppress(BrokenPipeError):  # of one that is gone: answer() says why
            self._process.stdin.write("go\n")

    def answer(self):
        """The figures of the round that was asked for."""
        self.rounds.append(self._listen("ROUND"))
        return self.rounds[-1]

    def values(self, figure):
        """One figure of every round."""
        return [measured[figure] for measured in self.rounds]

    def finish(self):
        """Ends the process and gives what it said last."""
        self._process.stdin.close()
        while self._next():
            pass
        if self._process.wait() != 0:
            self._fail(f"ended with status {self._process.returncode}")
        return self.said

    def stop(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(BrokenPipeError):  # what was asked and nobody took
                file.close()

    def _next(self):
        """Reads up to the next word of the conversation; None at the end."""
        for line in self._process.stdout:
            word, _, rest = line.partition(" ")
            if word in ("READY", "ROUND", "PHASES", "RESULT"):
                self.said[word] = json.loads(rest)
                return word
            self._other.append(line)
        return None

    def _listen(self, awaited):
        word = self._next()
        if word is None:
            self._fail(f"ended with status {self._process.wait()} where {awaited} was due")
        if word != awaited:
            self._fail(f"said {word} where {awaited} was due")
        return self.said[awaited]

    def _fail(self, what):
        self._process.kill()
        self._process.wait()
        self._log.seek(0)
        tail = ("".join(self._other) + self._log.read()).strip().splitlines()[-15:]
        raise BenchmarkError("\n  ".join([f"{self.name} {what}:", *tail]))


def alternate(title, makers, rounds, after_round=None):
    """Starts the contestants one after another, measures them A B A B …, and ends them.

    makers: functions that start one contestant each. Gives the contestants, with their rounds.
    """
    contestants = []
    try:
        for make in makers:
            note(f"{title}: starting")
            contestants.append(make())
            contestants[-1].wait_until_warm()
        for number in range(rounds):
            note(f"{title}: round {number + 1} of {rounds}")
            for contestant in contestants:
                contestant.ask()
                contestant.answer()
            if after_round:
                after_round()
        for contestant in contestants:
            contestant.finish()
    finally:
        for contestant in contestants:
            contestant.stop()
        note("")
    return contestants


def run_program(command, environment=None):
    """Runs a program to its end: (standard output, seconds, peak bytes, bytes written to disk)."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
        if process.returncode != 0:
            errors.seek(0)
            tail = (text + errors.read()).strip().splitlines()[-15:]
            shown = " ".join(str(word) for word in command)
            raise BenchmarkError("\n  ".join([f"{shown}\n  ended with {process.returncode}:", *tail]))
    return text, seconds, usage.ru_maxrss * 1024, usage.ru_oublock * 512


def note(text):
    """Progress: one live line on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
