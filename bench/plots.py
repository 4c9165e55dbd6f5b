# SPDX-License-Identifier: GPL-3.0-or-later
"""Line plots as SVG, with no library."""
import math

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 360, 70, 50, 40
COLORS = ["#1f5fa8", "#c8553d", "#3a8f5c", "#8a5aa3", "#a8861f", "#555555"]


class Plot:
    def __init__(self, title, x, y, log_x=False):
        self.title, self.x, self.y, self.log_x, self.lines = title, x, y, log_x, []

    def line(self, name, points):
        self.lines.append((name, points))

    def svg(self):
        place = math.log10 if self.log_x else float
        xs = [place(x) for _, points in self.lines for x, _ in points]
        ys = [y for _, points in self.lines for _, y in points]
        low, high, top = min(xs), max(xs), max(ys) * 1.1 or 1

        def at(x, y):
            right = LEFT + (place(x) - low) / ((high - low) or 1) * (WIDTH - LEFT - 150)
            return f"{right:.1f},{HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP):.1f}"

        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
               f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', f'<text x="{LEFT}" y="22" font-size="14">{self.title}</text>']
        for step in range(5):
            value = top * step / 4
            y = at(self.lines[0][1][0][0], value).split(",")[1]
            out.append(f'<path d="M{LEFT} {y}H{WIDTH - 150}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y}" text-anchor="end">{value:.4g}</text>')
        for x in sorted({x for _, points in self.lines for x, _ in points}):
            out.append(f'<text x="{at(x, 0).split(",")[0]}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,.10g}</text>')
        out.append(f'<text x="{(WIDTH - 80) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{self.x}</text><text x="8" y="{TOP - 4}">{self.y}</text>')
        for index, (name, points) in enumerate(self.lines):
            color = COLORS[index % len(COLORS)]
            out.append(f'<polyline points="{" ".join(at(x, y) for x, y in points)}" fill="none" stroke="{color}" stroke-width="2"/>')
            out += [f'<circle cx="{at(x, y).split(",")[0]}" cy="{at(x, y).split(",")[1]}" r="3" fill="{color}"/>' for x, y in points]
            out.append(f'<text x="{WIDTH - 144}" y="{TOP + 16 * index}" fill="{color}">{name}</text>')
        return "\n".join(out + ["</svg>", ""])
