# SPDX-License-Identifier: GPL-3.0-or-later
"""What the figures are compared with, and the tables of a result."""
from measure import middle, spread


SERVERS = ["gorush"]  # the other peers are a library each, with the least around it


class Bar:
    """A line of the table: `measure(found)` gives (value, text), and `limit` is what it may be."""
    def __init__(self, name, what, part, limit, measure, at_least=False):
        self.name, self.what, self.part, self.limit, self.measure, self.at_least = name, what, part, limit, measure, at_least

    def line(self, found):
        if self.part not in found:
            return (self.name, self.what, "–", "not run", "", "")
        try:
            value, text = self.measure(found[self.part])
        except (KeyError, ValueError) as missing:
            return (self.name, self.what, "–", f"not measured: {missing}", "", "")
        is_met = value >= self.limit if self.at_least else value <= self.limit
        return (self.name, self.what, ("≥ " if self.at_least else "≤ ") + f"{self.limit:g}", f"{value:.3g}", "met" if is_met else "MISSED", text)


def against(anchor, name, digits=2, also=()):
    """Ours divided by the anchor's; other anchors that are there beside it."""
    def measure(f):
        seen = [kind for kind in ("knuckle", anchor, *also) if f"{kind} {name}" in f or kind == anchor]
        text = ", ".join(f"{kind} {spread(f[f'{kind} {name}'], digits)}" for kind in seen)
        return middle(f[f"knuckle {name}"]) / middle(f[f"{anchor} {name}"]), text
    return measure


def against_floor(name, digits=2):
    return against("floor", name, digits, ("haproxy",))


def added(place):
    """What a path through a gateway takes longer than the push alone."""
    def measure(f):
        direct = middle(f[f"direct {place} 1000 p50"])
        above = {kind: middle(f[f"{kind} plain {place} 1000 p50"]) - direct
                 for kind in ("knuckle", "floor", "haproxy") if f"{kind} plain {place} 1000 p50" in f}
        return above["knuckle"] / above["floor"], ", ".join(f"{kind} +{us:.0f}" for kind, us in above.items()) + f" to {direct:.0f} µs"
    return measure


def allocations(front):
    def measure(f):
        whole = next(line for line in f[front] if line["name"] == "whole")
        return whole["allocations"], f"{whole['allocations']:.3f}"
    return measure


def on_disk(size):
    return lambda f: (middle(f[f"{size} bytes"]), f"{middle(f[f'{size} bytes in use']):.0f} of them in use, the rest free for the next writes")


def mock_beside_gateway(f):
    """Pushes a second that a core of the mock's takes, and knocks that one of ours does."""
    ours = max(middle(f["knuckle plain per core"]), middle(f["floor plain per core"]))
    return middle(f["mock rate"]) / ours, f"mock {spread(f['mock rate'], 0)}, the quicker of floor and knuckle {ours:.0f}"


def change(before, after, is_ratio=True):
    def measure(f):
        a, b = middle(f[before]), middle(f[after])
        return (b / a if is_ratio else b - a, f"{spread(f[before])} → {spread(f[after])}")
    return measure


def worst(*names):
    return lambda f: (sum(max(f[name]) for name in names), ", ".join(f"{name} {max(f[name]):g}" for name in names))


def plainly(name, scale=1.0, digits=2):
    return lambda f: (round(middle(f[name]) * scale, digits), spread([v * scale for v in f[name]], digits))


def bars(setup):
    smallest, largest, many = setup.sizes[0], setup.sizes[-1], setup.many
    return [
        Bar("B1", "CPU per knock, saturated, plain / floor", "saturated", 1.15, against_floor("plain cpu")),
        Bar("B2", "the same, TLS front / floor", "saturated", 1.0, against_floor("tls cpu")),
        Bar("B3", "knocks/s that one core could do (1 s / B1's CPU), plain / floor", "saturated", 0.9, against_floor("plain per core", 0), True),
        Bar("B3", "the same, TLS", "saturated", 0.9, against_floor("tls per core", 0), True),
        Bar("–", "what a core of the mock takes / of the gateway does", "saturated", 3.0, mock_beside_gateway, True),
        Bar("B4", "knock p50 at 1,000/s above the direct path's, split / floor", "latency", 1.15, added("split")),
        Bar("B4", "the same on one core", "latency", 1.15, added("one core")),
        Bar("B5", "knock p99 at 50,000/s / floor", "latency", 1.2, against_floor("plain split 50000 p99", 0)),
        Bar("B6", "system calls per knock, plain", "count", 6.0, plainly("knuckle plain syscalls")),
        Bar("B6", "system calls per knock, TLS", "count", 6.0, plainly("knuckle tls syscalls")),
        Bar("B6", "wake-ups at 1,000/s / floor", "latency", 1.05, against_floor("plain split 1000 wakeups")),
        Bar("B7", "user instructions per knock, plain / floor", "count", 1.35, against_floor("plain instructions", 0)),
        Bar("B7", "the same, TLS", "count", 1.35, against_floor("tls instructions", 0)),
        Bar("–", "allocations per knock, worker, plain", "micro", 0.0, allocations("plain")),
        Bar("–", "allocations per knock, worker, TLS", "micro", 0.0, allocations("tls")),
        Bar("–", "allocations per knock, process, what comes once a second included, plain", "count", 0.05, plainly("knuckle plain allocations", 1, 3)),
        Bar("–", "the same, TLS", "count", 0.05, plainly("knuckle tls allocations", 1, 3)),
        Bar("B8", "idle PSS without database, TLS, MiB", "connections", 8.0, plainly("knuckle idle KiB", 1 / 1024)),
        Bar("B9", "idle TLS connection, KiB", "connections", 10.0, plainly("knuckle tls KiB a connection")),
        Bar("B9", "given back after closing", "connections", 0.8, plainly("knuckle tls given back"), True),
        Bar("B10", "CPU per full handshake / nginx", "handshake", 0.7, against("nginx", "full cpu", 0)),
        Bar("B11", f"CPU per knock, {smallest:,} to {largest:,} tokens, µs", "tokens", 2.0, change(f"{smallest} cpu", f"{largest} cpu", False)),
        Bar("B11", f"bytes per token on disk, {largest:,} tokens", "tokens", 300.0, on_disk(largest)),
        Bar("B12", f"CPU per knock, 100 to {many:,} connections", "connections", 1.1, change("knuckle plain 0 cpu", f"knuckle plain {many} cpu")),
        Bar("B12", "knock p99 likewise", "connections", 1.5, change("knuckle plain 0 p99", f"knuckle plain {many} p99")),
        Bar("B12", "CPU per knock likewise, TLS", "connections", 1.1, change("knuckle tls 0 cpu", f"knuckle tls {many} cpu")),
        Bar("B12", "knock p99 likewise, TLS", "connections", 1.5, change("knuckle tls 0 p99", f"knuckle tls {many} p99")),
        Bar("B13", "CPU per knock, APNs at 0 to 50 ms", "faults", 1.05, change("delay 0 1000 cpu", "delay 50000 1000 cpu")),
        Bar("B13", "knock p50 likewise", "faults", 1.05, change("delay 0 1000 p50", "delay 50000 1000 p50")),
        Bar("–", "knock p99 at 5,000/s, APNs at 0 to 50 ms", "faults", 2.0, change("delay 0 5000 p99", "delay 50000 5000 p99")),
        Bar("B14", "APNs silent 3 s: lost", "faults", 0, worst("silence lost")),
        Bar("B14", "KiB per waiting knock", "faults", 1.0, plainly("silence KiB a waiting knock")),
        Bar("B15", "GOAWAY every 500: lost, doubled, errors", "faults", 0, worst("goaway lost", "goaway doubled", "goaway errors")),
        Bar("B16", "start to first answer, database not in memory, s", "start", 0.5, plainly("first answer")),
        Bar("B16", "stops of a thread for the disk after that", "start", 0, worst("faults")),
        Bar("B18", "pushes/s of one core / the best server's", "peers", 5.0, best_of(is_server=True), True),
        Bar("–", "the same / the best small gateway's around a library", "peers", 2.0, best_of(is_server=False), True),
        Bar("B17", "CPU per knock, one worker to two", "workers", 1.1, change("1 cpu", "2 cpu")),
        Bar("–", "knocks that two cores could do / one", "workers", 1.8, scaling, True),
        Bar("–", "waits for a lock per knock, two workers", "workers", 0.01, plainly("lock waits", 1, 4)),
        Bar("–", "handshakes that failed, full and resumed", "handshake", 0, worst("knuckle errors")),
        *(Bar("–", f"lost, doubled, errors, unanswered in `{part}`", part, 0, worst(*(f"knuckle {what}" for what in ("lost", "doubled", "errors", "unanswered"))))
          for part in ("saturated", "latency", "connections", "tokens", "workers")),
    ]


def table(setup, found):
    rows = [("", "figure", "bar", "seen", "", "median [least–most]")] + [bar.line(found) for bar in bars(setup)]
    return ["| " + " | ".join(row) + " |" for row in rows[:1]] + ["|---|---|---|---|---|---|"] + ["| " + " | ".join(row) + " |" for row in rows[1:]]


def peer_table(found):
    """Ours and the peers', the quickest first."""
    out = ["", "Gateways on one core, as shipped and tuned. Left as many as will go, over 64 connections with an APNs that answers at once, "
           "and over 500 with one that takes 20 ms; right 200 a second:", "",
           "| gateway | pushes/s at APNs | CPU, µs | pushes/s, 20 ms | RSS, MB | p50, µs | p99, µs | CPU, µs | lost, refused |",
           "|---|---|---|---|---|---|---|---|---|"]
    for label in sorted(found["labels"], key=lambda name: -middle(found[name + " rate"])):
        lost = sum(found[label + " lost"]) + sum(found[label + " paced lost"])
        out.append(f"| {label} | {spread(found[label + ' rate'], 0)} | {spread(found[label + ' cpu'], 1)} | "
                   f"{middle(found[label + ' far rate']):.0f} | {middle(found[label + ' RSS']):.0f} | "
                   f"{middle(found[label + ' paced p50']):.0f} | {middle(found[label + ' paced p99']):.0f} | {middle(found[label + ' paced cpu']):.0f} | {lost} |")
    return out + ["", *(f"* {text}" for text in found.get("broken", []))]


def scaling(found):
    one, two = middle(found["1 saturated cpu"]), middle(found["2 saturated cpu"])
    return 2 * one / two, (f"{spread(found['1 saturated cpu'])} → {spread(found['2 saturated cpu'])} µs a knock, "
                           f"the lesser worker does {spread(found['saturated least share'])}")


def best_of(is_server):
    """The best peer by what one core would do: load and mock have but one, too, and slow the quickest."""
    def measure(found):
        per_core = {name: 1e6 / middle(found[name + " cpu"]) for name in found["labels"]}
        ours = per_core.pop("knuckle")
        best = max((name for name in per_core if (name.split()[0] in SERVERS) == is_server), key=per_core.get)
        return ours / per_core[best], f"knuckle {ours:.0f}, {best} {per_core[best]:.0f}"
    return measure


def micro_table(found, front):
    """The stages of a knock, their sum, and what the whole has besides."""
    lines = {line["name"]: line for line in found[front]}
    whole = lines.pop("whole")
    inside = lines.pop("route")
    figures = ("instructions", "ns", "allocations")
    added = {key: sum(line[key] for line in lines.values()) for key in figures}
    rest = {key: whole[key] - added[key] for key in figures}
    rows = [(name, line) for name, line in lines.items()] + [("*sum*", added), ("*the engine between them*", rest), ("**whole**", whole)]
    out = ["", f"The stages of a knock, one after the other, {front} front (route, {inside['instructions']:.0f} instructions and "
           f"{inside['ns']:.0f} ns, is in decode):", "", "| stage | instructions | ns [least–most] | allocations |", "|---|---|---|---|"]
    for name, row in rows:
        span = f" [{row['least']:.0f}–{row['most']:.0f}]" if "least" in row else ""
        out.append(f"| {name} | {row['instructions']:.0f} | {row['ns']:.0f}{span} | {row['allocations']:.2f} |")
    return out
