# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG, written by hand: stacked bars in groups, and lines over a few steps. Nothing here
knows what is plotted."""

import math
from xml.sax.saxutils import escape

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
WIDTH, LEFT, RIGHT, TOP = 860, 70, 20, 70
HEIGHT = 300  # of the field


class Drawing:
    def __init__(self, title, below):
        self.bottom = TOP + HEIGHT
        self.parts = []
        self.height = self.bottom + below
        self.text(LEFT, 26, title, size=16)

    def text(self, x, y, text, anchor="start", size=12, turn=0):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
                          f'{turned}>{escape(text)}</text>')

    def bar(self, x, y, width, height, colour, title):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                          f'height="{max(height, 0):.1f}" fill="{colour}">'
                          f'<title>{escape(title)}</title></rect>')

    def line(self, points, colour, width=2.0):
        self.parts.append('<polyline fill="none" stroke="{}" stroke-width="{}" points="{}"/>'.format(
            colour, width, " ".join(f"{x:.1f},{y:.1f}" for x, y in points)))

    def dot(self, x, y, colour, title, radius=4):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}">'
                          f'<title>{escape(title)}</title></circle>')

    def legend(self, names):
        x = LEFT
        for name, colour in zip(names, COLOURS):
            self.bar(x, 40, 12, 12, colour, name)
            self.text(x + 17, 51, name)
            x += 32 + 7 * len(name)

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                       f'height="{self.height}" viewBox="0 0 {WIDTH} {self.height}" '
                       f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
                       + "\n".join(self.parts) + "\n</svg>\n")


class Scale:
    """The vertical axis: from 0, or logarithmic."""

    def __init__(self, drawing, values, unit, log=False):
        values = [value for value in values if value] or [1]
        self.log, self.bottom = log, drawing.bottom
        if log:
            self.low = math.floor(math.log10(min(values)))
            self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
            marks = [10.0 ** n for n in range(self.low, self.high + 1)]
        else:
            step = nice(max(values) / 5)
            self.low, self.high = 0, step * math.ceil(max(values) / step)
            marks = [step * n for n in range(round(self.high / step) + 1)]
        for mark in marks:
            y = self.place(mark)
            drawing.line([(LEFT, y), (WIDTH - RIGHT, y)], "#dddddd", 1)
            drawing.text(LEFT - 6, y + 4, f"{mark:g}", anchor="end")
        drawing.text(16, TOP + HEIGHT / 2, unit, anchor="middle", turn=-90)

    def place(self, value):
        if self.log:
            value = math.log10(value) if value > 0 else self.low
        return self.bottom - HEIGHT * (value - self.low) / (self.high - self.low)


def nice(step):
    """The next of 1, 2, 5 and their like."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= step * 0.999)


def bars(path, title, unit, names, groups, log=False):
    """groups: (label, [(bar's label, [value of each name])]); the values are stacked."""
    below = 24 + 5 * max(len(name) for _, group in groups for name, _ in group)
    drawing = Drawing(title, below + 20)
    drawing.legend(names if len(names) > 1 else [])
    stacks = [values for _, group in groups for _, values in group]
    scale = Scale(drawing, [sum(values) for values in stacks], unit, log)
    room = (WIDTH - LEFT - RIGHT) / (sum(len(group) for _, group in groups) + len(groups))
    broad = min(room * 0.8, 60)
    x = LEFT + room / 2
    for label, group in groups:
        drawing.text(x + room * len(group) / 2, drawing.bottom + below, label, anchor="middle")
        for name, values in group:
            height = drawing.bottom
            total = 0.0
            for number, value in enumerate(values):
                total += value
                y = scale.place(total)
                drawing.bar(x + (room - broad) / 2, y, broad, height - y, COLOURS[number],
                            f"{label} {name} {names[number]}: {value:.4g}")
                height = y
            drawing.text(x + room * 0.5, height - 4, f"{total:.3g}", anchor="middle", size=10)
            drawing.text(x + room * 0.5 + 5, drawing.bottom + 12, name, anchor="end", size=11, turn=-45)
            x += room
        x += room
    drawing.write(path)


def lines(path, title, unit, below, steps, series):
    """series: (name, [value or None for each step])."""
    drawing = Drawing(title, 50)
    drawing.legend([name for name, _ in series])
    scale = Scale(drawing, [value for _, values in series for value in values], unit)
    room = (WIDTH - LEFT - RIGHT) / len(steps)
    places = [LEFT + room * (number + 0.5) for number in range(len(steps))]
    for x, step in zip(places, steps):
        drawing.text(x, drawing.bottom + 18, str(step), anchor="middle")
    drawing.text((LEFT + WIDTH - RIGHT) / 2, drawing.bottom + 40, below, anchor="middle")
    for colour, (name, values) in zip(COLOURS, series):
        points = [(x, scale.place(value)) for x, value in zip(places, values) if value is not None]
        drawing.line(points, colour)
        for x, value in zip(places, values):
            if value is not None:
                drawing.dot(x, scale.place(value), colour, f"{name}: {value:.4g}")
    drawing.write(path)


def spans(path, title, unit, rows):
    """rows: (label, [(begin, end of the waiting, end)]): waiting and work over time."""
    drawing = Drawing(title, 50)
    drawing.legend(["waits for its turn", "has the SIM"])
    last = max(end for _, parts in rows for _, _, end in parts)
    room, field = HEIGHT / len(rows), WIDTH - LEFT - RIGHT

    def place(seconds):
        return LEFT + field * seconds / last

    step = nice(last / 8)
    for mark in range(int(last / step) + 1):
        drawing.line([(place(mark * step), TOP), (place(mark * step), drawing.bottom)], "#dddddd", 1)
        drawing.text(place(mark * step), drawing.bottom + 18, f"{mark * step:g}", anchor="middle")
    drawing.text((LEFT + WIDTH - RIGHT) / 2, drawing.bottom + 40, unit, anchor="middle")
    for number, (label, parts) in enumerate(rows):
        y = TOP + room * number
        drawing.text(LEFT - 6, y + room * 0.6, label, anchor="end")
        for begin, got, end in parts:
            for since, until, colour in ((begin, got, COLOURS[0]), (got, end, COLOURS[1])):
                drawing.bar(place(since), y + room * 0.15, place(until) - place(since), room * 0.7,
                            colour, f"{since:.3f} to {until:.3f} s")
    drawing.write(path)
