"""The tables of README.md, from the files in data/results."""
import re
import statistics

from .experiment import PROJECT, ReproductionError, read, replace

README = PROJECT / "README.md"
EMPTY = "No results yet."
FIGURES = [("test_top1_last", "last"), ("test_top1_best", "best"), ("many_top1", "many"),
           ("medium_top1", "medium"), ("few_top1", "few")]


def write(experiments):
    """Writes every table whose place is marked in README."""
    tables = {
        "bkd-cifar10": long_tailed(experiments, "bkd-cifar10-"),
        "bkd-cifar100": long_tailed(experiments, "bkd-cifar100-"),
        "bkd-full": long_tailed(experiments, "bkd-full-"),
        "crld": table([e for e in family(experiments, "crld") if not e.is_background]),
        "crld-full": table([e for e in family(experiments, "crld") if e.is_background]),
        "sskd": table([e for e in experiments if re.match("crld-(ce|kd)-", e.name)]
                      + [e for e in family(experiments, "sskd") if not e.is_tuning]),
        "sskd-rate": rates(experiments),
        "cache": table(family(experiments, "cache")),
        "cost": cost(experiments),
    }
    text, lost = filled(README.read_text(), tables)
    replace(README, text)
    if lost:
        raise ReproductionError(f"README.md has no place for the results of {', '.join(lost)}")


def filled(text, tables):
    """The text with each table between its marks, <!-- results:NAME --> and <!-- /results:NAME -->,
    and the names of tables that have results and no place."""
    lost = []
    for name, block in tables.items():
        text, count = re.subn(
            rf"(<!-- results:{name} -->\n).*?(<!-- /results:{name} -->)",
            lambda marks: f"{marks[1]}{block}\n{marks[2]}", text, flags=re.DOTALL)
        if count == 0 and block != EMPTY:
            lost.append(name)
    return text, lost


def family(experiments, name):
    return [e for e in experiments if e.family == name]


def long_tailed(experiments, prefix):
    """With what each student gains over its teacher."""
    return table([e for e in experiments if e.name.startswith(prefix)], has_gains=True)


def table(experiments, has_gains=False):
    """A row for every title: mean ± sample standard deviation over its seeds."""
    titles, results, published, teachers = [], {}, {}, {}
    for e in experiments:
        if not e.result.exists():
            continue
        if e.title not in results:
            titles.append(e.title)
        results.setdefault(e.title, []).append(read(e.result)["summary"])
        published[e.title] = published.get(e.title) or e.published
        teachers[e.title] = e.cache.teacher if e.cache else None
    if not titles:
        return EMPTY
    there = {key for rows in results.values() for s in rows for key, value in s.items()
             if value is not None}
    if not there & {"medium_top1", "few_top1"}:
        there.discard("many_top1")  # in a balanced set it is the whole
    figures = [(key, name) for key, name in FIGURES if key in there]
    head = ["", "runs"] + [name for _, name in figures]
    if has_gains:
        head.append("− teacher")
    if any(published.values()):
        head.append("published")
    lines = markdown(head)
    for title in titles:
        rows = results[title]
        cells = [title, str(len(rows))] + [spread(key, rows) for key, _ in figures]
        if has_gains:
            cells.append(gain(rows, teachers[title]))
        if any(published.values()):
            cells.append(published[title])
        lines.append(row(cells))
    return "\n".join(lines)


def gain(summaries, teacher):
    """Points that students are above their teacher; empty for rows without one."""
    if teacher is None or not teacher.result.exists():
        return ""
    mean = statistics.mean(s["test_top1_last"] for s in summaries)
    return f"{mean - read(teacher.result)['summary']['test_top1_last']:+.2f}"


def rates(experiments):
    """What the first stage's mean squared error came to at each learning rate."""
    raw, normed = (tuned(experiments, prefix) for prefix in ("sskd-lr-", "sskd-std-lr-"))
    if not raw and not normed:
        return EMPTY
    columns = [("mean squared error of stage 1, third epoch", raw),
               ("with features over their deviation", normed)]
    columns = [(name, errors) for name, errors in columns if errors]
    lines = markdown(["", *(name for name, _ in columns)])
    lines += [row([title, *(errors.get(title, "") for _, errors in columns)])
              for title in raw | normed]
    return "\n".join(lines)


def tuned(experiments, prefix):
    """The error in the third epoch by the title of the run, which names the rate."""
    return {e.title: f"{read(e.result)['curve'][2]['mse']:.4f}" for e in experiments
            if e.name.startswith(prefix) and e.result.exists()}


def cost(experiments):
    """Core minutes of students with a cache, its dump among them, and with the teacher live, of pairs of
    one seed by the program that made the dump: times of several engines are no comparison.

    The dump is that of weak:16, of which many students need no more; those of a pair see the same views.
    """
    by_name = {e.name: e for e in experiments}
    seeds = [e.seed for e in experiments if e.name.startswith("cache-live-")]
    pairs = [[by_name[f"cache-{key}-s{seed}"] for key in ("all", "live")] for seed in seeds]
    dump = by_name["cache-16-s1"].cache
    if not dump.result.exists():
        return EMPTY
    dumped = read(dump.result)
    pairs = [[read(e.result) for e in pair] for pair in pairs if all(e.result.exists() for e in pair)]
    pairs = [pair for pair in pairs if engine(dumped) and {engine(dumped)} == set(map(engine, pair))]
    if not pairs or dumped["seconds"] is None:
        return "There is no whole dump with runs of both kinds by the same program."
    first = dumped["seconds"] * threads(dumped)
    lines = markdown(["students", "with the cache, core minutes", "with the teacher live", "ratio"])
    for count in (1, 3, 8):
        costs = []
        for cached, live in pairs:
            ours, theirs = (count * run["summary"]["seconds"] * threads(run) / 60
                            for run in (cached, live))
            ours += first / 60
            costs.append({"ours": ours, "theirs": theirs, "ratio": theirs / ours})
        lines.append(row([str(count), *(spread(key, costs, digits)
                                        for key, digits in (("ours", 1), ("theirs", 1), ("ratio", 2)))]))
    return "\n".join(lines)


def engine(result):
    """The program that made a result with one number of threads; None where there were several, or it
    is not known."""
    starts = result.get("starts", [result])
    made = {(start.get("program"), threads(start)) for start in starts}
    return made.pop()[0] if len(made) == 1 else None


def threads(result):
    return result.get("machine", {}).get("threads", 1)


def markdown(head):
    return [row(head), "|" + "---|" * len(head)]


def row(cells):
    return "| " + " | ".join(cells) + " |"


def spread(key, summaries, digits=2):
    """Mean ± sample standard deviation."""
    values = [s[key] for s in summaries if s.get(key) is not None]
    if not values:
        return "–"
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"
