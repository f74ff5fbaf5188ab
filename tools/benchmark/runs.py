"""Sections on whole runs: against the bare step, and cached against live and PyTorch online."""
from statistics import median

from .bare import phase_table
from .figures import Spread, mebibytes, number, percent, ratios, table
from .material import Material
from .processes import alternate

STUDENTS = ["resnet20", "resnet8x4"]
PAIRS = [("resnet56", "resnet20"), ("resnet32x4", "resnet8x4"), ("wrn_40_2", "wrn_16_2")]


def end_to_end(bench, options, report):
    """A run with views, replay proof, cache and log, against the bare step of the same loss."""
    material = Material(bench, options)
    cache = material.cache()
    [views] = alternate("views", [lambda: bench.ours(
        "views", mode="views", threads=1, data=str(material.data), seconds=options.seconds)], 1)
    hash_seconds = views.rounds[0]["hash_ns"] * 1e-9
    rows, measured = [], []
    for student in report.networks(STUDENTS, options):
        for method, count in (("kd", 1),) if options.quick else (("kd", 1), ("crld", 2)):
            program = []
            bare, run = alternate(f"end-to-end {student} {method}", [
                lambda: bench.ours("bare step", mode="train", network=student, loss=method,
                                   batch=options.batch, seconds=options.seconds),
                lambda: material.run("run", method, student, cache=cache),
            ], options.rounds,
                lambda: program.append(material.student_train(method, student, cache)))
            rates = run.values("images_per_second")
            against = Spread.of(ratios(rates, bare.values("images_per_second")))
            # The hash is a part of rendering, on all threads at once.
            proof = median(rates) * count * hash_seconds / options.threads
            waits = median(run.values("cache_wait"))
            measured.append({
                "title": f"{student} {method}", "bare": median(bare.values("images_per_second")),
                "run": median(rates), "ratio": against.median, "student_train": median(program),
                "cache_wait": waits, "replay_hash": proof, "phases": run.said["PHASES"],
                "views": views.rounds[0],
                "peak_bytes": run.said["RESULT"]["peak_bytes"],
                "rounds": {"bare": bare.rounds, "run": run.rounds, "student_train": program},
            })
            rows.append([
                f"{student} {method}", number(median(bare.values("images_per_second"))),
                number(median(rates)), against, number(median(program)), percent(waits, 2),
                percent(proof, 2), mebibytes(run.said["RESULT"]["peak_bytes"])])
    report.section(
        "end-to-end", f"Runs from a cache of {options.images} CIFAR-100 images: images/s", measured,
        table(["student, method", "bare step", "run", "run / bare", "student-train",
               "cache wait", "replay hash", "memory"], rows))
    report.text(phase_table(measured))


def distill(bench, options, report):
    """Cached training against a live teacher, ours and PyTorch's."""
    material = Material(bench, options)
    cache = material.cache()
    rows, measured = [], []
    pairs = [p for p in PAIRS if not options.networks or p[1] in options.networks]
    for teacher, student in pairs[:1] if options.quick else pairs:
        for method in ("kd", "crld"):
            weights = material.random_weights(teacher)
            cached, live, online = alternate(f"distill {teacher} → {student} {method}", [
                lambda: material.run("cached", method, student, cache=cache),
                lambda: material.run("live", method, student, teacher=weights),
                lambda: bench.peer("PyTorch online", "torch_online.py", teacher=teacher,
                                   network=student, method=method, batch=options.batch,
                                   images=options.images, data=str(material.data),
                                   seconds=options.seconds),
            ], options.rounds)
            rates = {c.name: c.values("images_per_second") for c in (cached, live, online)}
            against = {name: Spread.of(ratios(rates["cached"], rates[name]))
                       for name in ("live", "PyTorch online")}
            # What the arithmetic alone allows: 1 + T/3S.
            bound = (live.said["PHASES"]["mflop_per_image"]
                     / cached.said["PHASES"]["mflop_per_image"])
            measured.append({
                "teacher": teacher, "student": student, "method": method, "bound": bound,
                "images_per_second": {name: median(values) for name, values in rates.items()},
                "ratio": {name: spread.median for name, spread in against.items()},
                "peak_bytes": {c.name: c.said["RESULT"]["peak_bytes"]
                               for c in (cached, live, online)},
                "rounds": {c.name: c.rounds for c in (cached, live, online)}})
            rows.append([
                f"{teacher} → {student} {method}", number(median(rates["cached"])),
                number(median(rates["live"])), against["live"], f"{bound:.2f}",
                number(median(rates["PyTorch online"])), against["PyTorch online"]])
    report.section(
        "distill", f"Cached training against a live teacher, batch {options.batch}: images/s",
        measured,
        table(["teacher → student, method", "cached", "live", "cached / live", "bound",
               "PyTorch online", "cached / PyTorch"], rows))
