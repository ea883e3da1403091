# SPDX-License-Identifier: MIT
"""Numbers and tables: medians, paired ratios, goals, text."""

import statistics


class Ratio:
    """Ratios of paired rounds, and a share that comes on top."""

    def __init__(self, rounds, extra=0.0):
        self.rounds = [r + extra for r in rounds]
        self.extra = extra

    @property
    def median(self):
        return statistics.median(self.rounds)

    @property
    def noise(self):
        """Two standard errors of the median."""
        spread = statistics.stdev(self.rounds) if len(self.rounds) > 1 else 0
        return 2 * 1.253 * spread / len(self.rounds) ** 0.5

    def __str__(self):
        return "%.3f [%.3f-%.3f]" % (self.median, min(self.rounds), max(self.rounds))

    def plain(self):
        return {"median": self.median, "noise": self.noise, "rounds": self.rounds, "agent_threads": self.extra}


def verdict(value, goal):
    """"reached" or "missed" for a goal "at most", "-" where there is none."""
    if goal is None or value is None:
        return "-"
    return "reached" if round(value, 3) <= goal else "MISSED"


def table(title, head, rows, notes=()):
    """Text: columns as wide as they must be, the first left, the others right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    lines = ["", title, "=" * len(title)]
    for row in [head, ["-" * w for w in widths]] + rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines + ["  " + note for note in notes])


def ms(ns):
    return "-" if ns is None else "%.2f" % (ns / 1e6)
