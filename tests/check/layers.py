#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/layers.svg: the nouns of lib/ and agents/ in floors, by what they include.

    layers.py FILE...           # the C files; prints the picture

A noun stands one floor above the highest of those that it includes. An include that another one implies is not drawn; one
that closes a circle (rooms.ARGUED) is dashed.
"""

import os
import sys

import rooms

WIDTH, MARGIN, LETTER = 1160, 16, 6.6               # pixels; a letter's width
NARROW, WIDE = 12, 44                               # between two boxes, where three panels stand beside each other, and where one
HEIGHT, FLOOR, TITLE = 22, 62, 34                   # of a box; from floor to floor; of a panel's title
SWEEPS = 8                                          # over the floors, so that fewer lines cross
STYLE = """<style>
text { font: 11px ui-monospace, monospace; text-anchor: middle; fill: #24292f }
.title { font: bold 13px system-ui, sans-serif; text-anchor: start }
rect { fill: #eef3fa; stroke: #6b84a8 }
path { fill: none; stroke: #8a99ad; stroke-opacity: .7 }
.argued { stroke-dasharray: 4 3; stroke: #b35900 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } rect { fill: #1d2735; stroke: #6b84a8 } path { stroke: #7d8ba0 }
}
</style>"""


def floors(included):
    """Lists of nouns, the lowest first."""
    height = {}

    def of(name):
        if name not in height:
            height[name] = max((of(below) + 1 for below in included[name]), default=0)
        return height[name]
    for name in included:
        of(name)
    return [sorted(n for n in included if height[n] == floor) for floor in range(max(height.values()) + 1)]


def drawn(included):
    """Without the includes that others imply."""
    return {name: {below for below in names if not any(below in rooms.reachable(included, other) for other in names - {below})}
            for name, names in included.items()}


def box(name):
    """Its width."""
    return len(os.path.basename(name)) * LETTER + 14


def spread(row, gap):
    """{noun: the middle of its box}, from the middle of the row."""
    places, x = {}, -(sum(map(box, row)) + gap * (len(row) - 1)) / 2
    for name in row:
        places[name] = x + box(name) / 2
        x += box(name) + gap
    return places


def arranged(stories, lines, gap):
    """The floors' nouns, each near those that it is tied to."""
    tied = {name: set(below) for name, below in lines.items()}
    for name, below in lines.items():
        for other in below:
            tied[other].add(name)
    x = {name: place for floor in stories for name, place in spread(floor, gap).items()}
    for sweep in range(SWEEPS):
        for floor in stories if sweep % 2 else reversed(stories):
            floor.sort(key=lambda name: (sum(x[t] for t in tied[name]) / len(tied[name]) if tied[name] else x[name], name))
            x.update(spread(floor, gap))
    return list(reversed(stories))


def panel(title, included, argued, left, width, bottom, gap):
    """(SVG, its height) of one folder, standing on BOTTOM."""
    lines = drawn(rooms.without_argued(included, argued))
    story = arranged(floors(rooms.without_argued(included, argued)), lines, gap)
    top = bottom - TITLE - len(story) * FLOOR
    place = {name: (left + width / 2 + x, top + TITLE + level * FLOOR) for level, row in enumerate(story)
             for name, x in spread(row, gap).items()}
    out = [f'<text class="title" x="{left + MARGIN}" y="{top + 20}">{title}</text>']
    edges = [(name, below, "") for name in sorted(lines) for below in sorted(lines[name])]
    edges += [(*edge, ' class="argued"') for edge in sorted(argued) if set(edge) <= set(included)]
    for name, below, style in edges:
        (x, y), (to_x, to_y) = place[name], place[below]
        y, to_y = (y + HEIGHT, to_y) if y <= to_y else (y, to_y + HEIGHT)
        bend = (to_y - y) / 2
        out.append(f'<path{style} d="M{x:.0f} {y} C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y}"/>')
    for name, (x, y) in sorted(place.items()):
        out.append(f'<rect x="{x - box(name) / 2:.0f}" y="{y}" width="{box(name):.0f}" height="{HEIGHT}" rx="4"/>'
                   f'<text x="{x:.0f}" y="{y + 15}">{os.path.basename(name)}</text>')
    return out, TITLE + len(story) * FLOOR


def picture(paths):
    included = rooms.graph(paths)
    folders = {}
    for name, names in included.items():
        folder = os.path.dirname(name)
        folders.setdefault(folder, {})[name] = {n for n in names if os.path.dirname(n) == folder}
    body, height = panel("lib/", folders.pop("lib"), rooms.ARGUED, 0, WIDTH, 0, WIDE)
    column, most = WIDTH / len(folders), 0
    for number, (folder, inside) in enumerate(sorted(folders.items())):
        part, its = panel(folder + "/", inside, rooms.ARGUED, number * column, column, -height, NARROW)
        body += part
        most = max(most, its)
    return "\n".join(["<!-- SPDX-License-Identifier: GPL-2.0-or-later -->",
                      f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-height - most} {WIDTH} {height + most}">',
                      STYLE, *body, "</svg>\n"])


if __name__ == "__main__":
    sys.stdout.write(picture(sys.argv[1:]))
