"""The tables of README.md, from the files in data/results."""
import json
import re
import statistics

from .experiment import PROJECT, RESULTS

README = PROJECT / "README.md"
FIGURES = [("test_top1_last", "last"), ("test_top1_best", "best"), ("many_top1", "many"),
           ("medium_top1", "medium"), ("few_top1", "few"), ("seconds", "minutes")]


def write(experiments):
    """Writes every table whose place is marked in README; says what it found no result for."""
    text = README.read_text()
    for match in re.finditer(r"<!-- results:([a-z0-9-]+) -->", text):
        name = match.group(1)
        rows = [e for e in experiments if group(e) == name]
        block = f"<!-- results:{name} -->\n{table(rows)}\n<!-- /results:{name} -->"
        text = re.sub(rf"<!-- results:{name} -->.*?<!-- /results:{name} -->", lambda _: block, text,
                      flags=re.DOTALL)
    README.write_text(text)


def group(experiment):
    """Experiments of one table: a family, cut by data set and by length."""
    parts = [experiment.family]
    if experiment.family == "bkd":
        parts.append("full" if experiment.is_background else experiment.dataset)
    elif experiment.is_background:
        parts.append("full")
    return "-".join(parts)


def table(experiments):
    titles, results, published = [], {}, {}
    for e in experiments:
        if not e.result.exists():
            continue
        if e.title not in results:
            titles.append(e.title)
        results.setdefault(e.title, []).append(json.loads(e.result.read_text())["summary"])
        published[e.title] = published.get(e.title) or e.published
    if not titles:
        return "No results yet."
    figures = [(key, name) for key, name in FIGURES
               if any(s.get(key) is not None for rows in results.values() for s in rows)]
    head = ["", "runs"] + [name for _, name in figures]
    if any(published.values()):
        head.append("published")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for title in titles:
        rows = results[title]
        cells = [title, str(len(rows))] + [spread(key, rows) for key, _ in figures]
        if any(published.values()):
            cells.append(published[title])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(key, summaries):
    """Mean ± sample standard deviation."""
    values = [s[key] for s in summaries if s.get(key) is not None]
    if not values:
        return "–"
    if key == "seconds":
        return f"{statistics.mean(values) / 60:.0f}"
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"
