#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives `make bench`: measures the floor and the gateway in alternating rounds, and writes a table and
bench/results/DATE.md with its plots.  bench/README.md says what each figure is.

    run.py --build build [--quick] [PART ...]

What a part found is kept in build/bench/found/PART.json, so that a run may be made part by part."""
import argparse, datetime, json, os, re, subprocess, sys, time

from measure import Candidate, Process, Series, Setup, alternate, middle, mock, spread, stop_all, window
from plots import Plot

HERE = os.path.dirname(os.path.abspath(__file__))
FRONTS = {"plain": False, "tls": True}
BOTH = ["floor", "knuckle"]


def ratio(found, name, digits=3):
    return round(middle(found[f"knuckle {name}"]) / middle(found[f"floor {name}"]), digits)


# ---- parts: each returns a Series ----------------------------------------------------------------
def part_count(setup):
    """User instructions (callgrind) and system calls (strace) of one knock, one in flight: the
    difference between two runs of different length, so that the start does not count."""
    found, few, many = Series(), 500, 2_500
    for front, tls in FRONTS.items():
        for kind in BOTH:
            for calls in (False, True):
                totals = []
                for knocks in (few, many):
                    out = f"{setup.work}/{kind}-{front}-{knocks}" + (".strace" if calls else ".callgrind")
                    prefix = (["strace", "-f", "-c", "-o", out] if calls
                              else ["env", f"LD_PRELOAD={setup.programs}small_map.so", "valgrind", "--tool=callgrind",
                                    f"--callgrind-out-file={out}"])
                    candidate = Candidate(setup, kind, tls, tokens=10_000, core=None, prefix=prefix)
                    window_free(candidate.load("--connections", 1, "--knocks", knocks, "--warm", 0))
                    candidate.stop()
                    totals.append(calls_in(out) if calls else instructions_in(out))
                if calls:
                    each = {name: (totals[1].get(name, 0) - totals[0].get(name, 0)) / (many - few) for name in totals[1]}
                    found.add(f"{kind} {front} syscalls", sum(n for n in each.values() if n > 0.01))
                    found[f"{kind} {front} which"] = {name: round(n, 2) for name, n in each.items() if n > 0.01}
                else:
                    (total, functions, allocations), (total_2, functions_2, allocations_2) = totals
                    found.add(f"{kind} {front} instructions", (total_2 - total) / (many - few))
                    found.add(f"{kind} {front} allocations", (allocations_2 - allocations) / (many - few))
                    each = {name: (n - functions.get(name, 0)) / (many - few) for name, n in functions_2.items()}
                    found[f"{kind} {front} profile"] = sorted(each.items(), key=lambda item: -item[1])[:60]
    return found


def window_free(command):
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def calls_in(path):
    with open(path) as file:
        rows = [line.split() for line in file if re.match(r"\s+[\d.]+\s", line)]
    return {row[-1]: int(row[3]) for row in rows if row[-1] != "total"}


ALLOCATORS = re.compile(r"^(mi_)?(malloc|calloc|realloc|_Zn[wa]m.*|mi_new.*|operator new.*)$")


def instructions_in(path):
    """All instructions, those of each function itself, and the calls of allocators."""
    names, own, allocations, current, is_call = {}, {}, 0, "", False

    def name_of(text):
        number, _, name = text.partition(" ")
        if name:
            names[number] = name.strip()
        return names.get(number, number)

    called = ""
    with open(path) as file:
        for line in file:
            if line.startswith("fn="):
                current = name_of(line[3:].strip())
            elif line.startswith("cfn="):
                called = name_of(line[4:].strip())
            elif line.startswith("calls="):
                is_call = True
                if ALLOCATORS.match(called) and not ALLOCATORS.match(current):
                    allocations += int(line[6:].split()[0])
            elif line[:1].isdigit() or line[:1] in "+-*":
                if not is_call:
                    own[current] = own.get(current, 0) + int(line.split()[1])
                is_call = False
    return sum(own.values()), own, allocations


def part_saturated(setup):
    """CPU of a knock when as many go as will, 64 connections."""
    found = Series()
    for front, tls in FRONTS.items():
        for kind in alternate(setup.rounds, BOTH):
            candidate = Candidate(setup, kind, tls)
            one = window(candidate.load("--connections", 64, "--seconds", setup.seconds), {"gw": candidate.server, "mock": candidate.apns})
            candidate.stop()
            found.add(f"{kind} {front} cpu", one["cpu_gw"])
            found.add(f"{kind} {front} rate", one["rate"])
            found.add(f"{kind} {front} per core", 1e6 / one["cpu_gw"])
            found.add("mock cpu", one["cpu_mock"])
            note_losses(found, kind, one)
    return found


def note_losses(found, kind, one):
    for name in ("lost", "doubled", "errors", "unanswered"):
        found.add(f"{kind} {name}", one[name])
    found.add("foreign", one["foreign"])


def part_latency(setup):
    """Latency of the push itself, from the moment the knock was due, by rate; on two cores and on one."""
    found = Series()
    for front, tls in FRONTS.items():
        rates = (1_000, 5_000, 20_000, 50_000) if not tls else (1_000,)
        for kind in alternate(setup.rounds, BOTH):
            for place, core, beside in (("split", 0, 1), ("one core", 1, 1)):
                candidate = Candidate(setup, kind, tls, core=core, mock_core=beside)
                for rate in rates if place == "split" else (1_000,):
                    one = window(candidate.load("--rate", rate, "--connections", 32 if rate < 10_000 else 256, "--seconds", setup.seconds),
                                 {"gw": candidate.server, "mock": candidate.apns}, core=beside)
                    for name in ("p50", "p90", "p99"):
                        found.add(f"{kind} {front} {place} {rate} {name}", one["knock"][name])
                        found.add(f"{kind} {front} {place} {rate} answer {name}", one["answer"][name])
                    found.add(f"{kind} {front} {place} {rate} cpu", one["cpu_gw"])
                    found.add(f"{kind} {front} {place} {rate} wakeups", one["wakeups_gw"])
                    found.add(f"{kind} {front} {place} {rate} lag", one["lag"]["p50"])
                    note_losses(found, kind, one)
                candidate.stop()
    return found


def part_tokens(setup):
    """CPU of a saturated knock, and the database's size, by the number of tokens."""
    found = Series()
    for size in alternate(setup.rounds, setup.sizes):
        candidate = Candidate(setup, "knuckle", tokens=size)
        one = window(candidate.load("--connections", 64, "--seconds", setup.seconds), {"gw": candidate.server})
        candidate.stop()
        found.add(f"{size} cpu", one["cpu_gw"])
        found[f"{size} bytes"] = [os.path.getsize(setup.store("knuckle", size) + "/data.mdb") / size]
        note_losses(found, "knuckle", one)
    return found


def part_connections(setup):
    """CPU and latency at 5,000 knocks a second by connections; memory of an idle one."""
    found = Series()
    for kind in alternate(min(3, setup.rounds), BOTH):
        for tls in (False, True):
            front = "tls" if tls else "plain"
            candidate = Candidate(setup, kind, tls)
            idle = candidate.server.memory_kib()
            if tls:
                found.add(f"{kind} idle KiB", idle["own"])
            for idle_count in (0, setup.many):
                one = window(candidate.load("--rate", 5_000, "--connections", 100, "--idle", idle_count, "--seconds", setup.seconds),
                             {"gw": candidate.server})
                found.add(f"{kind} {front} {idle_count} cpu", one["cpu_gw"])
                found.add(f"{kind} {front} {idle_count} p99", one["knock"]["p99"])
                note_losses(found, kind, one)
            load = Process(candidate.load("--rate", 1, "--connections", 1, "--idle", setup.many, "--seconds", 3, "--warm", 0), 1)
            for line in load.process.stdout:
                if line.startswith("MARK"):
                    break
            time.sleep(0.5)
            open_ = candidate.server.memory_kib()["own"]
            load.process.wait()
            load.stop()
            time.sleep(10 if kind == "knuckle" else 1)
            after = candidate.server.memory_kib()["own"]
            candidate.stop()
            found.add(f"{kind} {front} KiB a connection", (open_ - idle["own"]) / setup.many)
            found.add(f"{kind} {front} given back", (open_ - after) / max(1, open_ - idle["own"]))
    return found


def part_faults(setup):
    """A slow, a silent and a restless APNs."""
    found = Series()
    for delay in alternate(min(3, setup.rounds), [0, 50_000]):
        candidate = Candidate(setup, "knuckle", mock_more=["--delay-us", str(delay)])
        for rate in (1_000, 5_000):
            one = window(candidate.load("--rate", rate, "--connections", 500, "--seconds", setup.seconds), {"gw": candidate.server})
            found.add(f"delay {delay} {rate} cpu", one["cpu_gw"])
            found.add(f"delay {delay} {rate} p50", one["knock"]["p50"])
            found.add(f"delay {delay} {rate} p99", one["knock"]["p99"])
            note_losses(found, "knuckle", one)
        candidate.stop()
    candidate = Candidate(setup, "knuckle", mock_more=["--goaway-every", "500", "--delay-us", "20000"])
    one = window(candidate.load("--rate", 1_000, "--connections", 100, "--seconds", 5), {"gw": candidate.server})
    found.add("goaways", json.loads(candidate.stop().splitlines()[-1])["goaways"])
    for name in ("lost", "doubled", "errors"):
        found.add(f"goaway {name}", one[name])
    candidate = Candidate(setup, "knuckle", mock_more=["--stall-at", "4", "--stall-for", "3"])
    load = Process(candidate.load("--rate", 1_000, "--connections", 4_000, "--seconds", 8, "--warm", 0), 1)
    before = peak = 0  # before: with all connections open and knocking, and APNs answering
    begin = time.time()
    while load.process.poll() is None:
        peak = max(peak, candidate.server.memory_kib()["own"])
        if time.time() - begin < 2.5:
            before = peak
        time.sleep(0.1)
    one = json.loads(load.stop().splitlines()[-1])
    candidate.stop()
    for name in ("lost", "doubled", "errors"):
        found.add(f"silence {name}", one[name])
    found.add("silence KiB a waiting knock", (peak - before) / 3_000)
    return found


def part_start(setup):
    """From exec to the first answer."""
    found = Series()
    for _ in range(setup.rounds):
        candidate = Candidate(setup, "knuckle")
        window_free(candidate.load("--connections", 1, "--knocks", 1, "--warm", 0))
        found.add("first answer", time.time() - candidate.began)
        candidate.stop()
    return found


def part_handshake(setup):
    """CPU of the server for connect, TLS 1.3 handshake, one knock and close."""
    found = Series()
    for kind in alternate(setup.rounds, BOTH):
        candidate = Candidate(setup, kind, True)
        for name, more in (("full", []), ("resumed", ["--resume"])):
            one = window(candidate.load("--connections", 1, "--per-knock", "--seconds", setup.seconds, *more), {"gw": candidate.server})
            found.add(f"{kind} {name} cpu", one["cpu_gw"])
            found.add(f"{kind} {name} resumed", one["resumed"])
        candidate.stop()
    return found


def part_workers(setup):
    """CPU of a knock with one worker and with two, 4,000 a second over 64 connections."""
    found = Series()
    for workers in alternate(setup.rounds, [1, 2]):
        candidate = Candidate(setup, "knuckle", core="0" if workers == 1 else "0,1", workers=workers)
        one = window(candidate.load("--rate", 4_000, "--connections", 64, "--seconds", setup.seconds), {"gw": candidate.server})
        found.add(f"{workers} cpu", one["cpu_gw"])
        note_losses(found, "knuckle", one)
        candidate.stop()
    return found


PARTS = {name[5:]: part for name, part in list(globals().items()) if name.startswith("part_")}


# ---- the bars --------------------------------------------------------------------------------------
class Bar:
    """A line of the table: `measure(found)` gives (value, text), and `limit` is what it may be."""
    def __init__(self, name, what, part, limit, measure, at_least=False):
        self.name, self.what, self.part, self.limit, self.measure, self.at_least = name, what, part, limit, measure, at_least

    def line(self, found):
        if self.part not in found:
            return (self.name, self.what, "–", "not run", "", "")
        try:
            value, text = self.measure(found[self.part])
        except KeyError as missing:
            return (self.name, self.what, "–", f"no {missing}", "", "")
        is_met = value >= self.limit if self.at_least else value <= self.limit
        return (self.name, self.what, ("≥ " if self.at_least else "≤ ") + f"{self.limit:g}", f"{value:.3g}", "met" if is_met else "MISSED", text)


def against_floor(name, digits=2):
    return lambda f: (ratio(f, name), f"knuckle {spread(f[f'knuckle {name}'], digits)}, floor {spread(f[f'floor {name}'], digits)}")


def change(before, after, is_ratio=True):
    def measure(f):
        a, b = middle(f[before]), middle(f[after])
        return (b / a if is_ratio else b - a, f"{spread(f[before])} → {spread(f[after])}")
    return measure


def worst(*names):
    return lambda f: (sum(max(f[name]) for name in names), ", ".join(f"{name} {max(f[name]):g}" for name in names))


def plainly(name, scale=1.0, digits=2):
    return lambda f: (middle(f[name]) * scale, spread([v * scale for v in f[name]], digits))


def bars(setup):
    smallest, largest, many = setup.sizes[0], setup.sizes[-1], setup.many
    return [
        Bar("B1", "CPU per knock, saturated, plain / floor", "saturated", 1.15, against_floor("plain cpu")),
        Bar("B2", "the same, TLS front / floor", "saturated", 1.0, against_floor("tls cpu")),
        Bar("B3", "knocks/s on one core, plain / floor", "saturated", 0.9, against_floor("plain per core", 0), True),
        Bar("B3", "the same, TLS", "saturated", 0.9, against_floor("tls per core", 0), True),
        Bar("B4", "knock p50 at 1,000/s, split / floor", "latency", 1.15, against_floor("plain split 1000 p50", 0)),
        Bar("B4", "the same on one core", "latency", 1.15, against_floor("plain one core 1000 p50", 0)),
        Bar("B5", "knock p99 at 50,000/s / floor", "latency", 1.2, against_floor("plain split 50000 p99", 0)),
        Bar("B6", "system calls per knock, plain", "count", 6.0, plainly("knuckle plain syscalls")),
        Bar("B6", "system calls per knock, TLS", "count", 6.0, plainly("knuckle tls syscalls")),
        Bar("B6", "wake-ups at 1,000/s / floor", "latency", 1.05, against_floor("plain split 1000 wakeups")),
        Bar("B7", "user instructions per knock, plain / floor", "count", 1.35, against_floor("plain instructions", 0)),
        Bar("B7", "the same, TLS", "count", 1.35, against_floor("tls instructions", 0)),
        Bar("–", "allocations per knock", "count", 0.0, plainly("knuckle plain allocations")),
        Bar("B8", "idle PSS without database, TLS, MB", "connections", 8.0, plainly("knuckle idle KiB", 1 / 1024)),
        Bar("B9", "idle TLS connection, KiB", "connections", 10.0, plainly("knuckle tls KiB a connection")),
        Bar("B9", "given back 10 s after closing", "connections", 0.8, plainly("knuckle tls given back"), True),
        Bar("B10", "CPU per full handshake / floor (bar is against nginx)", "handshake", 0.7, against_floor("full cpu", 0)),
        Bar("B11", f"CPU per knock, {smallest:,} to {largest:,} tokens, µs", "tokens", 2.0, change(f"{smallest} cpu", f"{largest} cpu", False)),
        Bar("B11", "bytes per token on disk", "tokens", 300.0, plainly(f"{largest} bytes", 1, 0)),
        Bar("B12", f"CPU per knock, 100 to {many:,} connections", "connections", 1.1, change("knuckle plain 0 cpu", f"knuckle plain {many} cpu")),
        Bar("B12", "knock p99 likewise", "connections", 1.5, change("knuckle plain 0 p99", f"knuckle plain {many} p99")),
        Bar("B13", "CPU per knock, APNs at 0 to 50 ms", "faults", 1.05, change("delay 0 1000 cpu", "delay 50000 1000 cpu")),
        Bar("B13", "knock p50 likewise", "faults", 1.05, change("delay 0 1000 p50", "delay 50000 1000 p50")),
        Bar("–", "knock p99 at 5,000/s, APNs at 0 to 50 ms", "faults", 2.0, change("delay 0 5000 p99", "delay 50000 5000 p99")),
        Bar("B14", "APNs silent 3 s: lost", "faults", 0, worst("silence lost")),
        Bar("B14", "KiB per waiting knock", "faults", 1.0, plainly("silence KiB a waiting knock")),
        Bar("B15", "GOAWAY every 500: lost, doubled, errors", "faults", 0, worst("goaway lost", "goaway doubled", "goaway errors")),
        Bar("B16", "start to first answer, s", "start", 0.5, plainly("first answer")),
        Bar("B17", "CPU per knock, one worker to two", "workers", 1.1, change("1 cpu", "2 cpu")),
    ]


def table(setup, found):
    rows = [("", "figure", "bar", "seen", "", "median [least–most]")] + [bar.line(found) for bar in bars(setup)]
    return ["| " + " | ".join(row) + " |" for row in rows[:1]] + ["|---|---|---|---|---|---|"] + ["| " + " | ".join(row) + " |" for row in rows[1:]]


def plot_all(setup, found, folder):
    plots = []
    if "latency" in found:
        f = found["latency"]
        plot = Plot("knock latency by rate, split over two cores", "knocks/s", "µs", log_x=True)
        for kind in BOTH:
            for name in ("p50", "p99"):
                plot.line(f"{kind} {name}", [(rate, middle(f[f"{kind} plain split {rate} {name}"])) for rate in (1_000, 5_000, 20_000, 50_000)])
        plots.append(("latency-by-rate", plot))
        plot = Plot("knock latency at 1,000/s, split over two cores", "percentile", "µs")
        for kind in BOTH:
            plot.line(kind, [(float(name[1:]), middle(f[f"{kind} plain split 1000 {name}"])) for name in ("p50", "p90", "p99")])
        plots.append(("latency-percentiles", plot))
    if "tokens" in found:
        plot = Plot("CPU per saturated knock by tokens", "tokens", "µs", log_x=True)
        plot.line("knuckle", [(size, middle(found["tokens"][f"{size} cpu"])) for size in setup.sizes])
        plots.append(("cpu-by-tokens", plot))
    if "connections" in found:
        f = found["connections"]
        plot = Plot("CPU per knock at 5,000/s by connections", "connections", "µs")
        for kind in BOTH:
            for front in FRONTS:
                plot.line(f"{kind}, {front}", [(100 + n, middle(f[f"{kind} {front} {n} cpu"])) for n in (0, setup.many)])
        plots.append(("cpu-by-connections", plot))
    for name, plot in plots:
        with open(f"{folder}/{name}.svg", "w") as file:
            file.write(plot.svg())
    return [f"![{name}]({os.path.basename(folder)}/{name}.svg)" for name, _ in plots]


def profile(found):
    lines = []
    for kind in BOTH:
        lines += ["", f"Where the instructions of a knock go, {kind}, plain front (functions' own):", "", "| instructions | function |", "|---|---|"]
        lines += [f"| {n:.0f} | `{name[:110]}` |" for name, n in found["count"][f"{kind} plain profile"][:25]]
    return lines


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--build", required=True)
    words.add_argument("--quick", action="store_true")
    words.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    words = words.parse_args()
    setup = Setup(words.build, words.quick)
    unknown = [name for name in words.parts if name not in PARTS]
    if unknown:
        sys.exit(f"knuckle: error: no part {unknown[0]}; there are: {' '.join(PARTS)}")
    for name in words.parts or PARTS:
        begin = time.time()
        try:
            found = PARTS[name](setup)
        except (RuntimeError, subprocess.SubprocessError, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        finally:
            stop_all()
        with open(f"{setup.found}/{name}.json", "w") as file:
            json.dump(found, file)
        print(f"  {name}: {time.time() - begin:.0f} s", file=sys.stderr)
    found = {}
    for name in PARTS:
        if os.path.exists(f"{setup.found}/{name}.json"):
            with open(f"{setup.found}/{name}.json") as file:
                found[name] = json.load(file)
    lines = table(setup, found)
    print("\n".join(lines))
    day = datetime.date.today().isoformat()
    results = f"{HERE}/results/{day}"
    os.makedirs(results, exist_ok=True)
    foreign = [value for f in found.values() for value in f.get("foreign", [])]
    lines = [f"# {day}", "", f"Others used {spread(foreign)} cores while it was measured" + (", quick version." if setup.quick else "."), ""] + lines
    lines += [""] + plot_all(setup, found, results) + (profile(found) if "count" in found else [])
    with open(results + ".md", "w") as file:
        file.write("\n".join(lines) + "\n")
    if os.path.exists(setup.arrivals):
        os.unlink(setup.arrivals)


if __name__ == "__main__":
    try:
        main()
    finally:
        stop_all()
