#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives `make bench`: measures the floor and the gateway in alternating rounds, and writes a table and
bench/results/DATE.md with its plots.  bench/README.md says what each figure is.

    run.py --build build [--quick] [PART ...]

What a part found is kept in build/bench/found/PART.json, so that a run may be made part by part."""
import argparse, atexit, json, os, re, signal, subprocess, sys, time

from bars import micro_table, peer_table, table
from callgrind import Callgrind, callgrind
from measure import Candidate, Priority, Process, Series, Setup, alternate, evict, mock, spread, stop_all, wait_for_quiet, window, window_once
from peers import GATEWAYS, PEERS, installed
from plots import plot_all

HERE = os.path.dirname(os.path.abspath(__file__))
FRONTS = {"plain": False, "tls": True}
BOTH = ["floor", "knuckle"]
PEER_RATE = 200
missed = set()


# ---- parts: each returns a Series ----------------------------------------------------------------
def part_count(setup):
    """User instructions (callgrind) and system calls (strace) of one knock, one in flight: the
    difference between two runs of different length, so that the start does not count."""
    found, few = Series(), 500
    for front, tls in FRONTS.items():
        for kind in BOTH:
            for calls in (False, True):
                totals, many = [], 1_000 if setup.quick and not calls else 2_500
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


def part_peers(setup):
    """The gateways that are installed (peers.py), as shipped and tuned, and ours: pushes a second that
    arrive at APNs, all on one core; latency at a rate that most of them can keep."""
    found = Series()
    names = installed(setup, GATEWAYS)
    for name in sorted(set(GATEWAYS) - set(names)):
        print(f"  peers: {name} is not installed (make peers), so it takes no part", file=sys.stderr)
    kinds = [("knuckle", "")] + [(name, setting) for name in names for setting in PEERS[name].settings[setup.peer_settings]]
    broken = set()
    for measure_peer, rounds in ((measure_at_once, setup.peer_rounds), (measure_with_delay, 1)):
        for kind, setting in alternate(rounds, kinds):
            label = f"{kind} {setting}".strip()
            if label in broken:
                continue
            try:
                measure_peer(setup, found, kind, setting, label)
            except RuntimeError as error:
                broken.add(label)
                found.setdefault("broken", []).append(f"{label}: {error}")
                print(f"  peers: {label}: {error}", file=sys.stderr)
                stop_all()
    found["labels"] = [f"{kind} {setting}".strip() for kind, setting in kinds if f"{kind} {setting}".strip() not in broken]
    return found


def start_peer(setup, kind, setting, **more):
    return Candidate(setup, "knuckle", tokens=100_000, **more) if kind == "knuckle" else PEERS[kind](setup, setting, **more)


def measure_at_once(setup, found, kind, setting, label):
    peer = start_peer(setup, kind, setting)
    warm = 1.0 if kind == "knuckle" or setup.quick else PEERS[kind].warm
    for part, words in (("", ["--connections", 64, "--seconds", setup.seconds, "--warm", warm]),
                        ("paced ", ["--connections", 64, "--rate", PEER_RATE, "--seconds", setup.seconds])):
        one = window(peer.load(*words), {"gw": peer.server})
        if one["answered"] == 0:
            raise RuntimeError("it answers no knock with 2xx")
        found.add(f"{label} {part}rate", one["arrived_measured"] / one["seconds"])
        found.add(f"{label} {part}cpu", one["used_gw"] / max(1, one["arrived_measured"]))
        found.add(f"{label} {part}p50", one["knock"]["p50"])
        found.add(f"{label} {part}p99", one["knock"]["p99"])
        found.add(f"{label} {part}lost", one["lost"] + one["errors"] + one["unanswered"])
    found.add(f"{label} RSS", peer.server.memory_kib()["rss"] / 1024)
    peer.stop()


def measure_with_delay(setup, found, kind, setting, label):
    """APNs takes 20 ms, as from far away, and there are 500 connections to wait on."""
    peer = start_peer(setup, kind, setting, mock_more=["--delay-us", "20000"])
    one = window(peer.load("--connections", 500, "--seconds", setup.seconds, "--warm", 1), {"gw": peer.server})
    found.add(f"{label} far rate", one["arrived_measured"] / one["seconds"])
    peer.stop()


def window_free(command):
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def calls_in(path):
    with open(path) as file:
        rows = [line.split() for line in file if re.match(r"\s+[\d.]+\s", line)]
    return {row[-1]: int(row[3]) for row in rows if row[-1] != "total"}


def at_once(setup, workers=1):
    """As many knocks as will go, after so many of them that what each worker remembers is there."""
    return ["--connections", 64 * workers, "--warm", setup.warm * workers, "--seconds", setup.seconds]


def part_saturated(setup):
    """CPU of a knock when as many go as will, 64 connections; and of a push for the mock alone."""
    found = Series()
    for front, tls in FRONTS.items():
        for kind in alternate(setup.rounds, BOTH + anchors(setup, "haproxy")):
            candidate = start(setup, kind, tls)
            one = window(candidate.load(*at_once(setup)), {"gw": candidate.server, "mock": candidate.apns})
            candidate.stop()
            found.add(f"{kind} {front} cpu", one["cpu_gw"])
            found.add(f"{kind} {front} rate", one["rate"])
            found.add(f"{kind} {front} per core", 1e6 / one["cpu_gw"])
            found.add(f"mock beside {kind} cpu", one["cpu_mock"])
            note_losses(found, kind, one)
    for _ in range(setup.rounds):
        apns = mock(setup, core=0)
        one = window(direct(setup, apns, "--in-flight", 500, "--seconds", setup.seconds), {"mock": apns})
        apns.stop()
        found.add("mock rate", 1e6 / one["cpu_mock"])
    return found


def anchors(setup, *names):
    """Those that are installed; whoever is not is said once."""
    there = installed(setup, names)
    for name in set(names) - set(there) - missed:
        missed.add(name)
        print(f"  {name} is not installed (make peers), so it is no anchor", file=sys.stderr)
    return there


def start(setup, kind, tls=False, **more):
    if kind in PEERS:
        return PEERS[kind](setup, PEERS[kind].settings[0], tls, **more)
    return Candidate(setup, kind, tls, **more)


def direct(setup, apns, *words):
    return [setup.programs + "direct", "--port", str(apns.port), "--arrivals", setup.arrivals, *map(str, words)]


def note_losses(found, kind, one):
    for name in ("lost", "doubled", "errors", "unanswered"):
        found.add(f"{kind} {name}", one[name])
    found.add("foreign", one["foreign"])


def part_latency(setup):
    """Latency of the push itself, from the moment the knock was due, by rate; on two cores and on one; and of
    a push straight to the mock. All that are compared are up at once and take turns of a few seconds, so
    that a busy minute of the machine is everybody's."""
    found = Series()
    for front, tls in FRONTS.items():
        for place, core in (("split", 0), ("one core", 1)):
            candidates = {kind: start(setup, kind, tls, core=core) for kind in BOTH + anchors(setup, "haproxy")}
            for kind in BOTH:
                window_free(candidates[kind].load("--connections", 64, "--warm", setup.warm, "--seconds", 0.1))
            apns = mock(setup)
            kinds = [*candidates, *([] if tls else ["direct"])]
            for turn, kind in enumerate(alternate(setup.rounds * (1 if tls else 2), kinds)):
                if kind == "direct":
                    one = window(direct(setup, apns, "--rate", 1_000, "--seconds", setup.seconds), {"mock": apns}, core)
                    note_latency(found, f"direct {place} 1000", one)
                    continue
                only_usual = tls or kind not in BOTH or place == "one core" or turn >= setup.rounds * len(kinds)
                for rate in [1_000] if only_usual else setup.rates:
                    measure_latency(setup, found, candidates[kind], kind, f"{kind} {front} {place} {rate}", rate)
            for process in (*candidates.values(), apns):
                process.stop()
    return found


def measure_latency(setup, found, candidate, kind, name, rate):
    one = window(candidate.load("--rate", rate, "--connections", 32 if rate < 10_000 else 256, "--seconds", setup.seconds),
                 {"gw": candidate.server, "mock": candidate.apns})
    note_latency(found, name, one)
    found.add(f"{name} rate", one["rate"])
    found.add(f"{name} cpu", one["cpu_gw"])
    found.add(f"{name} wakeups", one["wakeups_gw"])
    note_losses(found, kind, one)


def note_latency(found, name, one):
    for percentile in ("p50", "p90", "p99"):
        found.add(f"{name} {percentile}", one["knock"][percentile])
        found.add(f"{name} answer {percentile}", one["answer"][percentile])
    found.add(f"{name} lag", one["lag"]["p50"])


def part_tokens(setup):
    """CPU of a saturated knock, of its look-up alone, memory, and the database's size, by the number of
    tokens."""
    found = Series()
    for size in alternate(min(3, setup.rounds), setup.sizes):
        store = setup.store("knuckle", size)
        candidate = Candidate(setup, "knuckle", tokens=size)
        one = window(candidate.load(*at_once(setup)), {"gw": candidate.server}, at_end=candidate.server.memory_kib)
        candidate.stop()
        found.add(f"{size} cpu", one["cpu_gw"])
        found.add(f"{size} own MiB", one["extra"]["own"] / 1024)
        found.add(f"{size} RSS MiB", one["extra"]["rss"] / 1024)
        disk = json.loads(subprocess.run([setup.programs + "fill", store], check=True, capture_output=True, text=True).stdout)
        found[f"{size} bytes"], found[f"{size} bytes in use"] = [disk["file"] / size], [disk["in_use"] / size]
        note_losses(found, "knuckle", one)
        lines = subprocess.run([setup.programs + "micro", "--store", store, "--tokens", str(size), "--json", "--rounds", "3"],
                               check=True, capture_output=True, text=True, timeout=120).stdout
        found.add(f"{size} look-up ns", next(stage["ns"] for stage in map(json.loads, lines.splitlines()) if stage["name"] == "look_up"))
    return found


def part_connections(setup):
    """CPU and latency at 5,000 knocks a second beside so many idle connections; memory of one of these,
    and what is given back ten seconds after they were closed. All devices are known soon, so that what memory
    grows by is the connections'."""
    found = Series()
    for kind in alternate(min(3, setup.rounds), BOTH):
        for front, tls in FRONTS.items():
            candidate = Candidate(setup, kind, tls, tokens=10_000)
            memory = lambda: candidate.server.memory_kib()["own"]
            idle = memory()
            if tls:
                found.add(f"{kind} idle KiB", idle)
            for count in setup.idle:
                one = window(candidate.load("--rate", 5_000, "--connections", 100, "--idle", count, "--seconds", setup.seconds),
                             {"gw": candidate.server}, at_end=memory)
                found.add(f"{kind} {front} {count} cpu", one["cpu_gw"])
                found.add(f"{kind} {front} {count} p50", one["knock"]["p50"])
                found.add(f"{kind} {front} {count} p99", one["knock"]["p99"])
                found.add(f"{kind} {front} {count} MiB", one["extra"] / 1024)
                if count == 0:
                    few = one["extra"]
                note_losses(found, kind, one)
            found.add(f"{kind} {front} KiB a connection", (one["extra"] - few) / setup.many)
            if kind == "knuckle":
                time.sleep(setup.give_back_seconds)
                found.add(f"{kind} {front} given back", (one["extra"] - memory()) / max(1, one["extra"] - few))
            candidate.stop()
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
    one = window(candidate.load("--rate", 1_000, "--connections", 100, "--seconds", 2 * setup.seconds), {"gw": candidate.server})
    found.add("goaways", json.loads(candidate.stop().splitlines()[-1])["goaways"])
    for name in ("lost", "doubled", "errors"):
        found.add(f"goaway {name}", one[name])
    silence(setup, found)
    return found


def silence(setup, found):
    """APNs says nothing for three seconds. Every connection has knocked before, and every device of the 4,000
    was knocked for often enough to be among those that are remembered (ADR 0025), so what memory grows by is
    the waiting knocks'."""
    candidate = Candidate(setup, "knuckle", tokens=40_000, mock_more=["--stall-for", "3"])
    load = Process(candidate.load("--rate", 1_000, "--constant", "--connections", 3_500, "--warm", 8, "--seconds", 5), 1)
    one, before, peak = None, 0, 0
    for line in load.process.stdout:
        if line.startswith("MARK"):
            before = candidate.server.memory_kib()["own"]
            os.kill(candidate.apns.pid, signal.SIGUSR1)
            end = time.time() + 2.9
            while time.time() < end:
                time.sleep(0.1)
                peak = max(peak, candidate.server.memory_kib()["own"])
        elif line.startswith("{"):
            one = json.loads(line)
    if one is None:
        raise RuntimeError(f"the load ended without a result: {load.last_words()}")
    load.stop()
    candidate.stop()
    for name in ("lost", "doubled", "errors"):
        found.add(f"silence {name}", one[name])
    found.add("silence KiB a waiting knock", (peak - before) / 2_900)


def part_start(setup):
    """From exec to the first answer, the database not in memory; and how often a thread had to wait for the
    disk while knocks came from then on."""
    found = Series()
    for _ in range(setup.rounds):
        evict(setup.store("knuckle", setup.tokens) + "/data.mdb")
        candidate = Candidate(setup, "knuckle")
        first = window_once(candidate.load("--connections", 1, "--knocks", 1, "--warm", 0), {}, core=1)
        found.add("first answer", first["ended"] - candidate.began)
        faults = candidate.server.major_faults()
        one = window(candidate.load("--rate", 1_000, "--connections", 32, "--seconds", setup.seconds, "--warm", 0), {"gw": candidate.server})
        found.add("faults", candidate.server.major_faults() - faults)
        found.add("p99", one["knock"]["p99"])
        note_losses(found, "knuckle", one)
        candidate.stop()
    return found


def part_handshake(setup):
    """CPU of the server for connect, TLS 1.3 handshake, one knock and close."""
    found = Series()
    for kind in alternate(setup.rounds, BOTH + anchors(setup, "nginx")):
        candidate = start(setup, kind, True)
        for name, more in (("full", []), ("resumed", ["--resume"])):
            one = window(candidate.load("--connections", 1, "--per-knock", "--seconds", setup.seconds, *more), {"gw": candidate.server})
            found.add(f"{kind} {name} cpu", one["cpu_gw"])
            found.add(f"{kind} {name} resumed", one["resumed"])
            found.add(f"{kind} errors", one["errors"])
        candidate.stop()
    return found


def part_workers(setup):
    """CPU of a knock with one worker and with two, at 4,000 a second and saturated; how the two share; and
    how often any thread waited for a lock."""
    found = Series()
    for workers in alternate(setup.rounds, [1, 2]):
        candidate = Candidate(setup, "knuckle", core="0,1", workers=workers)
        for name, words in (("", [*at_once(setup), "--rate", 4_000]), ("saturated ", at_once(setup, workers))):
            before = candidate.server.cpu_by_thread()
            one = window(candidate.load(*words), {"gw": candidate.server})
            found.add(f"{workers} {name}cpu", one["cpu_gw"])
            note_losses(found, "knuckle", one)
            used = sorted((after - before.get(task, 0) for task, after in candidate.server.cpu_by_thread().items()), reverse=True)
            if workers == 2:
                found.add(f"{name}least share", used[1] / (used[0] + used[1]))
        candidate.stop()
    waits, few, many = [], 1_000, 6_000
    for knocks in (few, many):
        out = f"{setup.work}/workers.strace"
        candidate = Candidate(setup, "knuckle", core=None, workers=2, prefix=["strace", "-f", "-c", "-o", out])
        window_free(candidate.load("--connections", 64, "--knocks", knocks, "--warm", 0))
        candidate.stop()
        waits.append(calls_in(out).get("futex", 0))
    found.add("lock waits", max(0, waits[1] - waits[0]) / (many - few))
    return found


PARTS = {name[5:]: part for name, part in list(globals().items()) if name.startswith("part_")}
OF_LATENCY = ["latency", "connections", "faults", "start"]
HAND_WRITTEN = "\n## How to read this run\n"


# ---- the result ---------------------------------------------------------------------------------
def tables(found):
    lines = peer_table(found["peers"]) if "peers" in found else []
    for front in FRONTS if "micro" in found else []:
        lines += micro_table(found["micro"], front)
    return lines + (profile(found) if "count" in found else [])


def profile(found):
    lines = []
    for kind in BOTH:
        lines += ["", f"Where the instructions of a knock go, {kind}, plain front (functions' own):", "", "| instructions | function |", "|---|---|"]
        lines += [f"| {n:.0f} | `{name[:110]}` |" for name, n in found["count"][f"{kind} plain profile"][:25]]
    return lines


def measure(setup, parts):
    """Runs the parts; those that failed."""
    failed = []
    for name in parts:
        begin = time.time()
        Priority.choose(name in OF_LATENCY)
        try:
            found = PARTS[name](setup)
        except (RuntimeError, subprocess.SubprocessError, OSError, LookupError, ValueError) as error:
            print(f"  {name} failed: {type(error).__name__}: {error}", file=sys.stderr)
            failed.append(name)
            continue
        finally:
            stop_all()
        found["day"], found["realtime"] = setup.day, bool(Priority.words)
        with open(f"{setup.found}/{name}.json", "w") as file:
            json.dump(found, file)
        print(f"  {name}: {time.time() - begin:.0f} s", file=sys.stderr)
    return failed


def collect(setup, failed):
    """What this run found, and of other parts what the last run that made them did, at the same length."""
    found = {}
    for name in PARTS:
        path = f"{setup.found}/{name}.json"
        if name in failed or not os.path.exists(path):
            continue
        with open(path) as file:
            found[name] = json.load(file)
    return found


def hand_written(path):
    """What somebody wrote below an earlier run of the day stays there, to be read again and mended."""
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        _, title, text = file.read().partition(HAND_WRITTEN)
    return title + text


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--build", required=True)
    words.add_argument("--quick", action="store_true")
    words.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    words = words.parse_args()
    setup = Setup(words.build, words.quick)
    atexit.register(lambda: os.path.exists(setup.arrivals) and os.unlink(setup.arrivals))
    unknown = [name for name in words.parts if name not in PARTS]
    if unknown:
        sys.exit(f"knuckle: error: no part {unknown[0]}; there are: {' '.join(PARTS)}")
    failed = measure(setup, words.parts or PARTS)
    found = collect(setup, failed)
    lines = table(setup, found)
    print("\n".join(lines))
    results = f"{HERE}/results/{setup.day}" + ("-quick" if setup.quick else "")
    os.makedirs(results, exist_ok=True)
    foreign = [value for f in found.values() for value in f.get("foreign", [])]
    older = [f"{name} ({f['day']})" for name, f in found.items() if f["day"] != setup.day]
    head = [f"# {setup.day}" + (", quick version" if setup.quick else ""), "", f"Others used {spread(foreign)} cores while it was measured."]
    usual = [name for name in OF_LATENCY if name in found and not found[name].get("realtime")]
    head += [f"Not at real-time priority: {', '.join(usual)}. A p99 of these may be the machine's."] if usual else []
    head += [f"Failed: {', '.join(failed)}."] if failed else []
    head += [f"From another day: {', '.join(older)}."] if older else []
    text = "\n".join(head + [""] + lines + [""] + plot_all(setup, found, results) + tables(found)) + "\n" + hand_written(results + ".md")
    with open(results + ".new", "w") as file:
        file.write(text)
    os.replace(results + ".new", results + ".md")
    print(f"  {results}.md", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("knuckle: stopped"))  # what was started is ended, too
    try:
        main()
    finally:
        stop_all()
