# SPDX-License-Identifier: GPL-3.0-or-later
"""Line plots as SVG, with no library, and those of a result."""
import math, os

from measure import middle

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 360, 70, 50, 40
COLORS = ["#1f5fa8", "#c8553d", "#3a8f5c", "#8a5aa3", "#a8861f", "#555555"]


class Plot:
    def __init__(self, title, x, y, log_x=False, log_y=False):
        self.title, self.x, self.y, self.log_x, self.log_y, self.lines = title, x, y, log_x, log_y, []

    def line(self, name, points):
        self.lines.append((name, points))

    def svg(self):
        place = math.log10 if self.log_x else float
        rise = math.log10 if self.log_y else float
        xs = [place(x) for _, points in self.lines for x, _ in points]
        ys = [rise(y) for _, points in self.lines for _, y in points]
        ymax = max(y for _, points in self.lines for _, y in points)
        low, high = min(xs), max(xs)
        bottom = min(ys) - 0.1 if self.log_y else 0
        top = max(ys) + 0.1 if self.log_y else max(ys) * 1.1 or 1

        def at(x, y):
            right = LEFT + (place(x) - low) / ((high - low) or 1) * (WIDTH - LEFT - 150)
            return f"{right:.1f},{HEIGHT - BOTTOM - (rise(y) - bottom) / (top - bottom) * (HEIGHT - BOTTOM - TOP):.1f}"

        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
               f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', f'<text x="{LEFT}" y="22" font-size="14">{self.title}</text>']
        # Powers of ten that are in the picture, or quarters of its height.
        ticks = [10 ** step for step in range(math.ceil(bottom), math.floor(top) + 1)] if self.log_y else [top * step / 4 for step in range(5)]
        for value in ticks:
            y = at(self.lines[0][1][0][0], value).split(",")[1]
            out.append(f'<path d="M{LEFT} {y}H{WIDTH - 150}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y}" text-anchor="end">{value:,.{0 if value >= 100 else 1}f}</text>')
        # One label for a place: what several lines measured at nearly the same x.
        labels = {round((place(x) - low) / ((high - low) or 1) * 12): x for _, points in self.lines for x, _ in points}
        for x in labels.values():
            out.append(f'<text x="{at(x, ymax).split(",")[0]}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,.0f}</text>')
        out.append(f'<text x="{(WIDTH - 80) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{self.x}</text><text x="{LEFT + 4}" y="{TOP - 4}">{self.y}</text>')
        for index, (name, points) in enumerate(self.lines):
            color = COLORS[index % len(COLORS)]
            out.append(f'<polyline points="{" ".join(at(x, y) for x, y in points)}" fill="none" stroke="{color}" stroke-width="2"/>')
            out += [f'<circle cx="{at(x, y).split(",")[0]}" cy="{at(x, y).split(",")[1]}" r="3" fill="{color}"/>' for x, y in points]
            out.append(f'<text x="{WIDTH - 144}" y="{TOP + 16 * index}" fill="{color}">{name}</text>')
        return "\n".join(out + ["</svg>", ""])


def draw_latency(f, setup):
    percentiles = Plot("knock latency at 1,000/s, plain, split over two cores", "percentile", "µs")
    for label, name in (("direct", "direct split"), *((kind, f"{kind} plain split") for kind in ("floor", "knuckle", "haproxy"))):
        if f"{name} 1000 p50" in f:
            percentiles.line(label, [(float(p[1:]), middle(f[f"{name} 1000 {p}"])) for p in ("p50", "p90", "p99")])
    throughput = Plot("throughput against latency, plain, split over two cores", "knocks/s", "knock latency, µs", log_x=True, log_y=True)
    for kind in ("floor", "knuckle"):
        for p in ("p50", "p99"):
            name = f"{kind} plain split"
            throughput.line(f"{kind} {p}", [(middle(f[f"{name} {rate} rate"]), middle(f[f"{name} {rate} {p}"])) for rate in setup.rates])
    return [("latency-percentiles", percentiles), ("throughput-latency", throughput)]


def draw_tokens(f, setup):
    lookup = Plot("look-up by tokens, hashing and unsealing included", "tokens", "ns", log_x=True)
    lookup.line("look-up", [(size, middle(f[f"{size} look-up ns"])) for size in setup.sizes])
    cpu = Plot("CPU per saturated knock by tokens", "tokens", "µs", log_x=True)
    cpu.line("knuckle", [(size, middle(f[f"{size} cpu"])) for size in setup.sizes])
    memory = Plot("memory by tokens", "tokens", "MiB", log_x=True, log_y=True)
    for label, name in (("own", "own"), ("with the database", "RSS")):
        memory.line(label, [(size, middle(f[f"{size} {name} MiB"])) for size in setup.sizes])
    return [("lookup-by-tokens", lookup), ("cpu-by-tokens", cpu), ("memory-by-tokens", memory)]


def draw_connections(f, setup):
    plots = []
    for file, title, unit, figure in (("cpu-by-connections", "CPU per knock at 5,000/s by connections", "µs", "cpu"),
                                      ("memory-by-connections", "own memory by connections", "MiB", "MiB")):
        plot = Plot(title, "connections", unit)
        for kind in ("floor", "knuckle"):
            for front in ("plain", "tls"):
                plot.line(f"{kind}, {front}", [(100 + n, middle(f[f"{kind} {front} {n} {figure}"])) for n in setup.idle])
        plots.append((file, plot))
    return plots


def plot_all(setup, found, folder):
    """Writes them, and returns the lines that show them."""
    shown = []
    for part, draw in (("latency", draw_latency), ("tokens", draw_tokens), ("connections", draw_connections)):
        for name, plot in draw(found[part], setup) if part in found else []:
            with open(f"{folder}/{name}.svg", "w") as file:
                file.write(plot.svg())
            shown.append(f"![{name}]({os.path.basename(folder)}/{name}.svg)")
    return shown
