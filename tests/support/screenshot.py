#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The picture of the README: the real program on the demo service, as SVG.

Run by `make screenshot`. Starts `looptop demo` in a private tmux, waits until the screen shows what the
picture is about (a table of waiting tasks, histories with some samples), reads it back with its colours,
and writes one <text> a run of equal style.
"""

import html
import os
import re
import subprocess
import sys
import time
import unicodedata

BUILD = os.environ.get("LOOPTOP_BUILD", "build")
OUT = sys.argv[1] if len(sys.argv) > 1 else "man/looptop.svg"
COLUMNS, ROWS = 132, 34
SAMPLES_S = 45  # of history before the picture is taken
CELL_W, CELL_H, SIZE = 8.43, 18, 14
FOREGROUND, BACKGROUND = "#d4d4d4", "#101014"
BASE16 = (
    "#1c1c1c #cd3131 #0dbc79 #e5e510 #2472c8 #bc3fbc #11a8cd #e5e5e5 "
    "#666666 #f14c4c #23d18b #f5f543 #3b8eea #d670d6 #29b8db #ffffff"
).split()


def tmux(*args):
    command = ["tmux", "-L", f"looptop-shot-{os.getpid()}", "-f", "/dev/null", *args]
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def wait_for(pattern, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        screen = tmux("capture-pane", "-p", "-t", "s")
        if re.search(pattern, screen):
            return
        time.sleep(0.2)
    sys.exit(f"screenshot: the screen never showed {pattern!r}:\n{screen}")


def palette(number):
    if number < 16:
        return BASE16[number]
    if number < 232:
        steps = (0, 95, 135, 175, 215, 255)
        number -= 16
        return "#%02x%02x%02x" % (steps[number // 36], steps[number // 6 % 6], steps[number % 6])
    grey = 8 + 10 * (number - 232)
    return "#%02x%02x%02x" % (grey, grey, grey)


class Style:
    def __init__(self):
        self.foreground, self.background = FOREGROUND, BACKGROUND
        self.bold = self.dim = self.reverse = self.underline = False

    def sgr(self, text):
        values = [int(v or 0) for v in re.split("[;:]", text)]
        while values:
            value = values.pop(0)
            if value == 0:
                self.__init__()
            elif value in (1, 2, 4, 7):
                setattr(self, {1: "bold", 2: "dim", 4: "underline", 7: "reverse"}[value], True)
            elif value == 22:
                self.bold = self.dim = False
            elif value in (24, 27):
                setattr(self, {24: "underline", 27: "reverse"}[value], False)
            elif 30 <= value <= 37 or 90 <= value <= 97:
                self.foreground = BASE16[value - 30 if value < 40 else value - 82]
            elif 40 <= value <= 47 or 100 <= value <= 107:
                self.background = BASE16[value - 40 if value < 50 else value - 92]
            elif value in (38, 48):
                colour = self.extended(values)
                setattr(self, "foreground" if value == 38 else "background", colour)
            elif value in (39, 49):
                setattr(self, "foreground" if value == 39 else "background",
                        FOREGROUND if value == 39 else BACKGROUND)

    @staticmethod
    def extended(values):
        if values.pop(0) == 5:
            return palette(values.pop(0))
        red, green, blue = (values.pop(0) for _ in range(3))
        return "#%02x%02x%02x" % (red, green, blue)

    def key(self):
        colours = (self.foreground, self.background)
        return (colours[::-1] if self.reverse else colours) + (self.bold, self.dim, self.underline)


def width(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def runs(line):
    """(column, width, text, style) of each stretch of equal style."""
    style, column, out = Style(), 0, []
    for match in re.finditer(r"\x1b\[([\d;:]*)m|\x1b[^m]*m|([^\x1b\x0e\x0f])", line):
        if match.group(2) is None:
            if match.group(1) is not None:
                style.sgr(match.group(1))
            continue
        key, wide = style.key(), width(match.group(2))
        if out and out[-1][3] == key:
            out[-1][1] += wide
            out[-1][2] += match.group(2)
        else:
            out.append([column, wide, match.group(2), key])
        column += wide
    return out


def svg(screen):
    w, h = COLUMNS * CELL_W, ROWS * CELL_H
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w + 20:.0f} {h + 20:.0f}" '
        f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{SIZE}">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
    ]
    for row, line in enumerate(screen.split("\n")[:ROWS]):
        for column, cells, text, (fore, back, bold, dim, underline) in runs(line):
            x, y = 10 + column * CELL_W, 10 + row * CELL_H
            if back != BACKGROUND:
                parts.append(f'<rect x="{x:.1f}" y="{y}" width="{cells * CELL_W:.1f}" '
                             f'height="{CELL_H}" fill="{back}"/>')
            if not text.strip():
                continue
            extra = ' font-weight="bold"' if bold else ""
            extra += ' opacity="0.6"' if dim else ""
            extra += ' text-decoration="underline"' if underline else ""
            parts.append(f'<text x="{x:.1f}" y="{y + 14}" textLength="{cells * CELL_W:.1f}" '
                         f'xml:space="preserve" fill="{fore}"{extra}>{html.escape(text)}</text>')
    parts.append("</svg>\n")
    return "\n".join(parts)


def main():
    try:
        tmux("new-session", "-d", "-s", "s", "-x", str(COLUMNS), "-y", str(ROWS),
             f"{BUILD}/looptop demo; sleep 60")
        tmux("set", "-g", "status", "off")
        tmux("set", "-ga", "terminal-overrides", ",*:Tc")
        wait_for(r"WAIT\s+Shop", 30)
        time.sleep(SAMPLES_S)
        wait_for(r"WAIT\s+Shop", 30)
        screen = tmux("capture-pane", "-e", "-N", "-p", "-t", "s")
        tmux("send-keys", "-t", "s", "q")
    finally:
        subprocess.run(["tmux", "-L", f"looptop-shot-{os.getpid()}", "kill-server"],
                       capture_output=True, check=False)
    with open(OUT, "w", encoding="utf-8") as file:
        file.write(svg(screen))
    print(f"  wrote {OUT}")


main()
