"""The peers' half of the conversation with tools/bench; see Contestant in processes.py."""
import json
import statistics
import sys
import time

JOB = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


def say(word, **members):
    print(word, json.dumps(members), flush=True)


def serve(measure):
    """Answers every line of standard input with a round, then tells the most memory ever held."""
    say("READY")
    for _ in sys.stdin:
        say("ROUND", **measure())
    say("RESULT", peak_bytes=peak_bytes())


def times_of(step, seconds, least=3):
    """Repeats a step for so many seconds; what each took."""
    start = last = time.perf_counter()
    times = []
    while len(times) < least or last - start < seconds:
        step()
        now = time.perf_counter()
        times.append(now - last)
        last = now
    return times


def serve_steps(step, images):
    """Rounds of images/s, from the median of a round's steps."""
    seconds = JOB.get("seconds", 1.0)
    times_of(step, min(seconds, 1.0))
    serve(lambda: {"images_per_second": images / statistics.median(times_of(step, seconds))})


def peak_bytes():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
