# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the benchmark needs: processes on a core and what they used, the floor and the
gateway with a mock behind each, and windows of load that are measured while the machine is quiet.
Everything is on 127.0.0.1 and ended by its process id."""
import datetime, json, os, re, shutil, signal, socket, statistics, subprocess, tempfile, time

MILLION = 1_000_000
QUIET_CORES = 0.06   # what others may use of the machine while a window is measured
TRIES = 3
CERTIFICATE_DAYS = 30


class Patience:
    """Seconds that a run may spend on waiting for quiet and on measuring again; a machine that is never
    quiet must not make it endless."""
    left = 300.0


class Priority:
    """What a command begins with. Where latency is measured everything that takes part runs at real-time
    priority, if the system lets us: another program's thread, or the kernel's, that has some milliseconds of
    work a few times a second would be all that a p99 shows."""
    REALTIME = ["chrt", "-f", "1"]
    words = []

    @classmethod
    def is_allowed(cls):
        return shutil.which("chrt") and subprocess.run([*cls.REALTIME, "true"], capture_output=True).returncode == 0

    @classmethod
    def choose(cls, is_realtime):
        cls.words = cls.REALTIME if is_realtime and cls.is_allowed() else []


class Setup:
    """Where things are, and how long they are measured."""
    def __init__(self, build, quick):
        self.build = os.path.abspath(build)
        self.programs = self.build + "/release/bench/"
        self.work = self.build + "/bench"
        self.found = self.work + ("/found-quick" if quick else "/found")
        self.arrivals = f"/dev/shm/knuckle-bench-{os.getpid()}"
        self.rounds = 1 if quick else 5
        self.seconds = 0.8 if quick else 1.5
        self.warm = 0.5 if quick else 4
        self.tokens = 100_000 if quick else MILLION
        self.sizes = [1_000, 100_000] if quick else [1_000, 10_000, 100_000, MILLION, 10 * MILLION]
        self.rates = [1_000, 50_000] if quick else [1_000, 5_000, 20_000, 50_000, 70_000]
        self.give_back_seconds = 3 if quick else 10
        self.idle = [0, 1_000] if quick else [0, 2_000, 10_000]
        self.many = self.idle[-1]
        self.peer_rounds = 1 if quick else 2
        self.peer_settings = slice(1, None) if quick else slice(None)
        self.quick = quick
        self.read_again = set()
        self.day = datetime.date.today().isoformat()
        if quick:
            Patience.left = 0.0
        os.makedirs(self.found, exist_ok=True)
        self.make_certificates()

    def make_certificates(self):
        folder = self.work + "/tls"
        self.ca, self.cert, self.key, self.p8 = (folder + "/" + n for n in ("ca.pem", "cert.pem", "key.pem", "apns.p8"))
        if os.path.exists(self.p8) and time.time() - os.path.getmtime(self.p8) < CERTIFICATE_DAYS / 2 * 86_400:
            return
        os.makedirs(folder, exist_ok=True)
        names = "subjectAltName=DNS:localhost,DNS:api.push.apple.com,DNS:api.sandbox.push.apple.com,IP:127.0.0.1"
        with open(folder + "/names", "w") as file:
            file.write(names)
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for command in (
                ["req", "-x509", *ec, "-days", str(CERTIFICATE_DAYS), "-subj", "/CN=benchmark", "-keyout", folder + "/ca.key", "-out", self.ca],
                ["req", *ec, "-subj", "/CN=localhost", "-keyout", self.key, "-out", folder + "/csr"],
                ["x509", "-req", "-in", folder + "/csr", "-CA", self.ca, "-CAkey", folder + "/ca.key", "-CAcreateserial",
                 "-days", str(CERTIFICATE_DAYS), "-extfile", folder + "/names", "-out", self.cert],
                ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.p8]):
            subprocess.run(["openssl", *command], check=True, capture_output=True)

    def store(self, kind, tokens):
        """A folder with a database of so many tokens; made once."""
        folder = f"{self.work}/{kind}-{tokens}"
        if not os.path.exists(folder + ".made"):
            shutil.rmtree(folder, ignore_errors=True)
            devices = str(max(1, tokens // 10))
            command = ([self.programs + "floor", "--fill", folder, "--tokens", str(tokens), "--devices", devices]
                       if kind == "floor" else [self.programs + "fill", folder, str(tokens)])
            subprocess.run(command, check=True)
            open(folder + ".made", "w").close()
        if folder not in self.read_again:
            self.read_again.add(folder)
            read_again(folder + "/data.mdb")
        return folder


def read_again(path):
    """The page cache holds it as after a restart of the machine, read from front to back. As it was written it lies
    there in single pages, which cost a processor more to find than the large ones that newer kernels read."""
    evict(path)
    with open(path, "rb", buffering=0) as file:
        while file.read(MILLION):
            pass


def evict(path):
    """Out of the page cache."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# ---- processes ---------------------------------------------------------------------------------
running = []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """Something under test or beside it: on `core`, ended by stop()."""
    def __init__(self, command, core, port=None, env=None, prefix=(), patience=30, cwd=None):
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*Priority.words, *prefix, *pinned, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.said, env={**os.environ, **(env or {})}, text=True, cwd=cwd)
        running.append(self)
        self.pid = self.process.pid
        end = time.time() + patience
        while port:
            if self.process.poll() is not None:
                raise RuntimeError(f"{os.path.basename(command[0])} ended at its start: {self.last_words()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.time() > end:
                raise RuntimeError(f"{os.path.basename(command[0])} does not listen")
            time.sleep(0.01)

    def last_words(self):
        self.said.seek(0)
        lines = self.said.read().strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"

    def family(self):
        pids = [self.pid]
        for pid in pids:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as file:
                        pids += map(int, file.read().split())
            except OSError:
                pass
        return pids

    def over_tasks(self, name, read):
        total = 0
        for pid in self.family():
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/{name}") as file:
                        total += read(file.read())
            except OSError:
                pass
        return total

    def cpu_ns(self):
        return self.over_tasks("schedstat", lambda text: int(text.split()[0]))

    def wakeups(self):
        return self.over_tasks("status", lambda text: int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", text)[1]))

    def major_faults(self):
        """So far: each stopped a thread until the disk had answered."""
        return self.over_tasks("stat", lambda text: int(text.rpartition(")")[2].split()[9]))

    def cpu_by_thread(self):
        found = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat") as file:
                found[task] = int(file.read().split()[0])
        return found

    def memory_kib(self):
        """PSS of anonymous memory and of files that are no database; and RSS, database included."""
        own = rss = 0
        for pid in self.family():
            try:
                name = ""
                with open(f"/proc/{pid}/smaps") as file:
                    for line in file:
                        word = line.split()
                        if "-" in word[0] and not word[0].endswith(":"):
                            name = word[5] if len(word) > 5 else ""
                        elif word[0] == "Pss:" and not name.endswith(".mdb"):
                            own += int(word[1])
                        elif word[0] == "Rss:":
                            rss += int(word[1])
            except OSError:
                pass
        return {"own": own, "rss": rss}

    def ask_to_end(self):
        for pid in reversed(self.family()):
            try:
                os.kill(pid, signal.SIGTERM)
            except OSError:
                pass

    def stop(self):
        if self not in running:
            return ""
        running.remove(self)
        self.ask_to_end()
        try:
            return self.process.communicate(timeout=15)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()[0]


def stop_all():
    for process in list(running):
        process.ask_to_end()  # one of them may keep another from running, and so from ending
    for process in list(running):
        process.stop()


# ---- candidates --------------------------------------------------------------------------------
def mock(setup, *more, core=1, port=None):
    port = port or free_port()
    process = Process([setup.programs + "mock_apns", "--port", str(port), "--cert", setup.cert, "--key", setup.key,
                       "--arrivals", setup.arrivals, "--devices", str(MILLION), *more], core, port)
    process.port = port
    return process


class Candidate:
    """The floor or the gateway, with its own mock."""
    def __init__(self, setup, kind, tls=False, tokens=None, core=0, mock_core=1, mock_more=(), workers=1, prefix=(), more=""):
        self.setup, self.kind, self.tls, self.tokens = setup, kind, tls, tokens or setup.tokens
        self.apns = mock(setup, *mock_more, core=mock_core)
        self.port = free_port()
        store = setup.store(kind, self.tokens)
        self.configuration = None
        self.began = time.time()
        if kind == "floor":
            command = [setup.programs + "floor", "--port", str(self.port), "--apns", str(self.apns.port), "--store", store]
            command += ["--tls", "--cert", setup.cert, "--key", setup.key] if tls else []
        else:
            command = [setup.build + "/knuckle", "serve", "--config", self.configure(store, workers, more)]
        self.server = Process(command, core, self.port, prefix=prefix, patience=120)
        self.pid = self.server.pid

    def configure(self, store, workers, more):
        path = self.configuration = f"{self.setup.work}/knuckle-{self.port}.toml"
        tls = f'tls_certificate = "{self.setup.cert}"\ntls_key = "{self.setup.key}"\n' if self.tls else ""
        with open(path, "w") as file:
            file.write(f'''data_dir = "{store}"
workers = {workers}
log_level = "warning"
[[listen]]
address = "127.0.0.1:{self.port}"
{tls}[admin]
address = "127.0.0.1:{free_port()}"
[limits]
knocks_per_token = "off"
knocks_per_account = "off"
knocks_per_address = "off"
alert_window = "0s"
{more}[chatsecure]
base_url = "https://push.example.org/api/v1/"
[apps.chat]
[apps.chat.apns]
topic = "org.example.chat"
endpoint = "localhost:{self.apns.port}"
ca_file = "{self.setup.ca}"
key_file = "{self.setup.p8}"
key_id = "KEY1234567"
team_id = "TEAM123456"
''')
        return path

    def load(self, *words):
        more = ["--tls"] if self.tls else []
        return [self.setup.programs + "load", "--port", str(self.port), "--tokens", str(self.tokens), "--devices",
                str(max(1, self.tokens // 10)), "--arrivals", self.setup.arrivals, *more, *map(str, words)]

    def stop(self):
        self.server.stop()
        if self.configuration:
            os.unlink(self.configuration)
        return self.apns.stop()


# ---- measuring ---------------------------------------------------------------------------------
def busy_s():
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def wait_for_quiet(patience=3.0):
    end = time.time() + min(patience, Patience.left)
    while time.time() < end:
        before = busy_s()
        time.sleep(0.2)
        if busy_s() - before < 0.2 * 2 * QUIET_CORES:
            return
        Patience.left -= 0.2


def window(command, watched, core=1, at_end=None):
    """Runs a load; its JSON, and what each of `watched` used between MARK and END, in all (used_, us) and
    per knock (cpu_, us). `at_end` is called at END, while all connections are open, for "extra"."""
    best = None
    for _ in range(TRIES):
        wait_for_quiet()
        begin = time.time()
        found = window_once(command, watched, core, at_end)
        if best is None or found["foreign"] < best["foreign"]:
            best = found
        if best["foreign"] <= QUIET_CORES or Patience.left <= 0:
            break
        Patience.left -= time.time() - begin
    return best


def window_once(command, watched, core, at_end=None):
    load = Process(command, core)
    # All of ours, a mock that nobody asks about too: what the machine used beyond them, others did.
    ours = {**watched, **{f"pid {p.pid}": p for p in running if p not in watched.values()}, "load": load}
    marks, found, extra = [], None, None
    for line in load.process.stdout:
        if line.startswith(("MARK", "END")):
            marks.append((time.time(), busy_s(), {name: (p.cpu_ns(), p.wakeups()) for name, p in ours.items()}))
            if line.startswith("END") and at_end:
                extra = at_end()
        elif line.startswith("{"):
            found = json.loads(line)
    error = load.last_words()
    load.stop()
    if found is None or len(marks) != 2:
        raise RuntimeError(f"the load ended without a result: {error}")
    (begin, busy_before, before), (end, busy_after, after) = marks
    found["extra"], found["ended"] = extra, end
    mine = sum(after[name][0] - before[name][0] for name in ours) / 1e9
    found["foreign"] = round(max(0, busy_after - busy_before - mine) / max(0.001, end - begin), 3)
    knocks = max(1, found["measured"])
    for name in (*watched, "load"):
        found["used_" + name] = (after[name][0] - before[name][0]) / 1e3
        found["cpu_" + name] = found["used_" + name] / knocks
        found["wakeups_" + name] = (after[name][1] - before[name][1]) / knocks
    return found


def alternate(count, names):
    """A B C, C B A, …: whoever comes first has no advantage."""
    for round_ in range(count):
        for name in (names if round_ % 2 == 0 else names[::-1]):
            yield name


class Series(dict):
    """Figures by name, each a list with a value for each round."""
    def add(self, name, value):
        self.setdefault(name, []).append(value)


def middle(values):
    return statistics.median(values) if values else float("nan")


def spread(values, digits=2):
    return f"{middle(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]" if values else "–"
