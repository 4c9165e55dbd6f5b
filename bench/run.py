#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives `make bench`: measures the floor and the gateway in alternating rounds, and writes a table and
bench/results/DATE.md with its plots.  bench/README.md says what each figure is.

    run.py --build build [--quick] [PART ...]

What a part found is kept in build/bench/found/PART.json, so that a run may be made part by part."""
import argparse, datetime, json, os, re, subprocess, sys, time

from bars import micro_table, table
from callgrind import Callgrind, callgrind
from measure import Candidate, Process, Series, Setup, alternate, middle, spread, stop_all, wait_for_quiet, window
from plots import Plot

HERE = os.path.dirname(os.path.abspath(__file__))
FRONTS = {"plain": False, "tls": True}
BOTH = ["floor", "knuckle"]


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
                    prefix = ["strace", "-f", "-c", "-o", out] if calls else callgrind(setup, out)
                    candidate = Candidate(setup, kind, tls, tokens=10_000, core=None, prefix=prefix)
                    window_free(candidate.load("--connections", 1, "--knocks", knocks, "--warm", 0))
                    candidate.stop()
                    totals.append(calls_in(out) if calls else Callgrind(out))
                if calls:
                    each = {name: (totals[1].get(name, 0) - totals[0].get(name, 0)) / (many - few) for name in totals[1]}
                    found.add(f"{kind} {front} syscalls", sum(n for n in each.values() if n > 0.01))
                    found[f"{kind} {front} which"] = {name: round(n, 2) for name, n in each.items() if n > 0.01}
                else:
                    each = totals[1].minus(totals[0], many - few)
                    found.add(f"{kind} {front} instructions", each.total)
                    found.add(f"{kind} {front} allocations", each.allocations)
                    found[f"{kind} {front} profile"] = sorted(each.own.items(), key=lambda item: -item[1])[:60]
    return found


def part_micro(setup):
    """Each stage of a knock as a function, and a whole knock without sockets: nanoseconds and
    allocations as it runs, instructions under callgrind, as the difference of two runs."""
    found, few, many = Series(), 200, 1_200
    program = [setup.programs + "micro", "--store", setup.store("knuckle", 10_000), "--tokens", "10000", "--json"]
    for front, tls in FRONTS.items():
        more = ["--tls"] if tls else []
        wait_for_quiet()
        lines = subprocess.run([*program, *more], check=True, capture_output=True, text=True, timeout=120,
                               env={**os.environ, "LD_PRELOAD": setup.programs + "allocations.so"}).stdout
        totals = []
        for knocks in (few, many):
            out = f"{setup.work}/micro-{front}-{knocks}.callgrind"
            window_free([*callgrind(setup, out), *program, *more, "--rounds", "1", "--warm", "100", "--knocks", str(knocks)])
            totals.append(Callgrind(out))
        each = totals[1].minus(totals[0], many - few).inclusive
        found[front] = [json.loads(line) for line in lines.splitlines()]
        for line in found[front]:
            name = line["name"]
            parts = ["WholeKnock::ask()", "WholeKnock::reply()"] if name == "whole" else [f"Stages::{name}()"]
            line["instructions"] = sum(each["knuckle::bench::" + part] for part in parts)
    return found


def window_free(command):
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def calls_in(path):
    with open(path) as file:
        rows = [line.split() for line in file if re.match(r"\s+[\d.]+\s", line)]
    return {row[-1]: int(row[3]) for row in rows if row[-1] != "total"}


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


# ---- the result ---------------------------------------------------------------------------------
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


def tables(found):
    lines = []
    for front in FRONTS if "micro" in found else []:
        lines += micro_table(found["micro"], front)
    return lines + (profile(found) if "count" in found else [])


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
    lines += [""] + plot_all(setup, found, results) + tables(found)
    with open(results + ".md", "w") as file:
        file.write("\n".join(lines) + "\n")
    if os.path.exists(setup.arrivals):
        os.unlink(setup.arrivals)


if __name__ == "__main__":
    try:
        main()
    finally:
        stop_all()
