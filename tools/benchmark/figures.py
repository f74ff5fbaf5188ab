"""The arithmetic of the tables: ratios of rounds, spread, and text that lines up."""
import dataclasses
from statistics import median


@dataclasses.dataclass
class Spread:
    """The median of some values between the least and the largest."""
    median: float
    low: float
    high: float

    @staticmethod
    def of(values):
        return Spread(median(values), min(values), max(values))

    def __str__(self):
        return f"{self.median:.3f} ({self.low:.3f}–{self.high:.3f})"


def ratios(ours, theirs):
    """How many times as fast we were, round by round: both were measured in the same minute."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} rounds cannot be compared with {len(theirs)}")
    return [a / b for a, b in zip(ours, theirs)]


def fastest(rounds_by_name):
    """The name whose rounds have the largest median."""
    return max(rounds_by_name, key=lambda name: median(rounds_by_name[name]))


def number(value):
    """A rate for people: 4 digits, or whole from 1000 on; a dash for what was not measured."""
    if value is None:
        return "–"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(share, digits=1):
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def mebibytes(count):
    return "–" if count is None else f"{count / 2**20:,.0f} MiB"


def table(header, rows):
    """Columns that line up: the first to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        line = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        lines.append("  ".join(line).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
