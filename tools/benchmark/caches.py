"""The section on the cache itself: what a dump costs beside the teacher, and what reading costs."""
import json
import re
import shutil
from statistics import median

from .bare import spread_of
from .figures import Spread, mebibytes, number, ratios, table
from .machine import SCRATCH
from .material import Material
from .processes import alternate, run_program

CODECS = ["fp32", "fp16", "q8", "coarse"]


def cache(bench, options, report):
    material = Material(bench, options)
    dump_speed(bench, options, material, report)
    read_speed(bench, options, material, report)


def dump_speed(bench, options, material, report):
    """Dumps against bare inference of the same teacher, by round, and the memory of two sizes."""
    folder = SCRATCH / "cache-measured"
    dumps = []

    def dump(subset):
        shutil.rmtree(folder, ignore_errors=True)
        text, _, peak, written = material.dump(folder, "weak:2,strong:2", subset)
        stored = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        rate = float(re.search(r"\((\d+) views/s\)", text).group(1))
        return {"views_per_second": rate, "peak_bytes": peak, "written": written,
                "stored": stored}

    teacher = material.architecture()
    [bare] = alternate("cache: dump", [lambda: bench.ours(
        "bare inference", mode="infer", network=teacher, batch=128, seconds=options.seconds)],
        options.rounds, lambda: dumps.append(dump(material.subset)))
    quarter = dump(material.first_images(options.images // 4))
    shutil.rmtree(folder)
    rates = [d["views_per_second"] for d in dumps]
    inference = bare.values("images_per_second")
    against = Spread.of(ratios(rates, inference))
    peak = max(d["peak_bytes"] for d in dumps)
    # A file system in memory counts no writes.
    written = median([d["written"] / d["stored"] for d in dumps]) or None
    report.section(
        "dump", f"Dumps of {options.images} images × 4 views: views/s",
        {"teacher": teacher, "bare": median(inference), "dump": median(rates),
         "ratio": against.median, "peak_bytes": peak, "peak_bytes_quarter": quarter["peak_bytes"],
         "written_per_stored": written, "rounds": {"bare": inference, "dump": dumps}},
        table(["teacher", "bare inference", "dump", "dump / bare", "memory",
               "memory, a quarter", "written / stored"],
              [[teacher, number(median(inference)), number(median(rates)), against,
                mebibytes(peak), mebibytes(quarter["peak_bytes"]), number(written)]]))


def read_speed(bench, options, material, report):
    """Bytes a view and views/s of each codec, with one reader and with two."""
    rows, measured = [], []
    rounds, images = (4 if options.quick else 16), options.images // 4
    for codec in ["q8"] if options.quick else CODECS:
        folder = SCRATCH / f"cache-{material.teacher.stem}-{images}x{2 * rounds}-{codec}"
        material.dump(folder, f"weak:{rounds},strong:{rounds}", material.first_images(images),
                      codec)
        info = json.loads(run_program([str(bench.teacher_dump), "info", str(folder), "--json"])[0])
        alone, together = readers(bench, options, folder)
        gain = {figure: Spread.of([both / one for both, one in
                                   zip(together[figure], alone[figure])]) for figure in alone}
        measured.append({
            "codec": codec, "views": info["records"],
            "bytes_per_view": info["logit_bytes_per_view"],
            **{figure: median(values) for figure, values in alone.items()},
            "two_processes": {figure: spread.median for figure, spread in gain.items()},
            "rounds": {"alone": alone, "together": together}})
        rows.append([
            codec, number(info["records"]), f"{info['logit_bytes_per_view']:.1f}",
            number(median(alone["in_order"])), gain["in_order"],
            number(median(alone["at_random"])), spread_of(alone["at_random"]),
            gain["at_random"]])
    report.section("reads", "Reading logits with one thread: views/s", measured, table(
        ["codec", "views", "bytes a view", "in order", "two processes", "at random",
         "least–most", "two processes"], rows))


def readers(bench, options, folder):
    """By figure, the rounds of one process alone and the sums of two at the same time."""
    job = dict(mode="reads", cache=str(folder), seconds=options.seconds, threads=1)
    alone = {"in_order": [], "at_random": []}
    together = {"in_order": [], "at_random": []}
    pair = []
    try:
        for name in ("reader", "second reader"):
            pair.append(bench.ours(name, **job).wait_until_warm())
        for _ in range(options.rounds):
            pair[0].ask()
            answer = pair[0].answer()
            for figure, rates in alone.items():
                rates.append(answer[figure])
            for reader in pair:
                reader.ask()
            answers = [reader.answer() for reader in pair]
            for figure, rates in together.items():
                rates.append(sum(answer[figure] for answer in answers))
        for reader in pair:
            reader.finish()
    finally:
        for reader in pair:
            reader.stop()
    return alone, together
