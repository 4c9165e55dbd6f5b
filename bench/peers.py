# SPDX-License-Identifier: GPL-3.0-or-later
"""Other gateways, and the servers that are anchors, in the same run as ours.

    peers.py --build build [NAME ...]      installs them (all, or these) into build/bench/peers

Each comes by its language's own package client, its version pinned in bench/peers/NAME. What cannot
be installed is said in one line, and `make bench` goes on without it."""
import argparse, os, shutil, subprocess, sys

from measure import Process, Setup, free_port, mock

HERE = os.path.dirname(os.path.abspath(__file__))
TOPIC = "org.example.chat"
KNOCK = ["--path", "/push", "--body", '{"token":"%d"}']
CONNECTIONS = 4      # to the provider, where "tuned" may have several
DEBIAN = ["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1", "nginx"]


class Peer:
    """Something that pushes. `command(peer)` starts it once it has .setup, .folder, .port, .apns and
    .is_tuned; `knock` is what `load` has to say to it, and `redirected` that it knows no provider but
    Apple's."""
    name, product, recipe, knock, redirected = "", "", (), KNOCK, False
    settings = ("shipped", "tuned")
    warm = 1.0      # seconds before it is measured; a run-time compiler wants more

    def __init__(self, setup, setting, tls=False, core=0, mock_core=1, mock_more=()):
        self.setup, self.is_tuned, self.tls = setup, setting == "tuned", tls
        self.folder = folder_of(setup, self)
        self.apns = mock(setup, *mock_more, core=mock_core, port=443 if self.redirected else None)
        self.port = free_port()
        self.server = Process(self.command(), core, self.port, env=self.environment(), prefix=self.prefix(), patience=30,
                              cwd=self.folder)
        self.pid = self.server.pid

    def load(self, *words):
        more = ["--tls"] if self.tls else []
        return [self.setup.programs + "load", "--port", str(self.port), "--tokens", "100000", "--arrivals", self.setup.arrivals,
                *self.knock, *more, *map(str, words)]

    def stop(self):
        self.server.stop()
        return self.apns.stop()

    def environment(self):
        return {}

    def prefix(self):
        """Apple's names mean this machine, for this process alone."""
        if not self.redirected:
            return []
        with open(self.folder + "/hosts", "w") as file:
            file.write("127.0.0.1 localhost api.push.apple.com api.sandbox.push.apple.com\n")
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', self.folder + "/hosts"]

    def write(self, name, text):
        path = f"{self.folder}/{name}-{self.port}"
        with open(path, "w") as file:
            file.write(text)
        return path


class Gorush(Peer):
    name, product, redirected = "gorush", "gorush", True
    recipe = (["go", "build", "-mod=mod", "-o", "gorush", "github.com/appleboy/gorush"],)
    knock = ["--path", "/api/push", "--body", '{"notifications":[{"tokens":["%d"],"platform":1,"topic":"org.example.chat",'
             '"message":"New message","mutable_content":true,"push_type":"alert"}]}']

    def environment(self):
        return {"SSL_CERT_FILE": self.setup.ca, **({"GOGC": "400"} if self.is_tuned else {})}

    def command(self):
        tuned = "worker_num: 512, queue_num: 100000, " if self.is_tuned else ""
        at_once = ", max_concurrent_pushes: 1000" if self.is_tuned else ""
        return [self.folder + "/gorush", "-c", self.write("gorush.yml", f'''
core: {{enabled: true, address: "127.0.0.1", port: "{self.port}", {tuned}max_notification: 1000, sync: true, mode: "release"}}
grpc: {{enabled: false}}
android: {{enabled: false}}
huawei: {{enabled: false}}
queue: {{engine: "local"}}
ios: {{enabled: true, key_path: "{self.setup.p8}", key_type: "p8", key_id: "KEY1234567", team_id: "TEAM123456", production: true{at_once}, max_retry: 0}}
log: {{access_level: "error", error_level: "error", access_log: "stdout", error_log: "stderr", hide_token: true}}
stat: {{engine: "memory"}}
''')]


class GoApns2(Peer):
    name, product = "apns2", "gateway"
    recipe = (["go", "build", "-mod=mod", "-o", "gateway", "."],)

    def environment(self):
        return {"SSL_CERT_FILE": self.setup.ca, **({"GOGC": "400"} if self.is_tuned else {})}

    def command(self):
        return [self.folder + "/gateway", "-listen", f"127.0.0.1:{self.port}", "-apns", f"https://localhost:{self.apns.port}",
                "-key", self.setup.p8, "-topic", TOPIC]


class NodeApn(Peer):
    name, product, warm = "node_apn", "node_modules/@parse/node-apn/package.json", 3.0
    recipe = (["npm", "ci", "--no-audit", "--no-fund"],)

    def command(self):
        clients = CONNECTIONS if self.is_tuned else 1
        return ["node", "gateway.js", str(self.port), str(self.apns.port), self.setup.ca, self.setup.p8, TOPIC, str(clients)]


class Pushy(Peer):
    name, product, warm = "pushy", "target/classes/Gateway.class", 10.0
    recipe = (["mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"],)

    def command(self):
        more = [] if self.is_tuned else ["-Dio.netty.handler.ssl.noOpenSsl=true"]
        return ["java", *more, "-cp", f"{self.folder}/target/classes:{self.folder}/target/lib/*", "Gateway", str(self.port),
                str(self.apns.port), self.setup.ca, self.setup.p8, TOPIC, str(CONNECTIONS if self.is_tuned else 1)]


class Aioapns(Peer):
    name, product = "aioapns", "env/bin/python"
    recipe = (["python3", "-m", "venv", "env"], ["env/bin/pip", "install", "-q", "-r", "requirements.txt"])

    def command(self):
        more = ["--uvloop"] if self.is_tuned else []
        return [self.folder + "/env/bin/python", "gateway.py", str(self.port), str(self.apns.port), self.setup.ca, self.setup.p8,
                TOPIC, "10", *more]


class Haproxy(Peer):
    """A blind proxy from HTTP/1.1 to HTTP/2: it gets the push ready-made, and looks nothing up."""
    name, product, settings = "haproxy", "debian/usr/sbin/haproxy", ("as a proxy",)
    recipe = (["apt-get", "download", *DEBIAN],)
    knock = ["--path", "/3/device/%d", "--body", '{"aps":{"alert":"New message","mutable-content":1,"sound":"default"},"token":"%t"}',
             "--header", "authorization: bearer " + 204 * "j" + "\r\napns-id: 6f1c2d3e-0000-4000-8000-000000000000\r\n"
             "apns-expiration: 1800000000\r\napns-topic: " + TOPIC + "\r\napns-push-type: alert\r\napns-priority: 10"]

    def environment(self):
        return debian_libraries(self.folder)

    def command(self):
        with open(self.setup.cert) as cert, open(self.setup.key) as key:
            pem = self.write("pem", cert.read() + key.read())
        front = f" ssl crt {pem} alpn http/1.1" if self.tls else ""
        return [self.folder + "/debian/usr/sbin/haproxy", "-f", self.write("haproxy.cfg", f'''global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen gateway
  bind 127.0.0.1:{self.port}{front}
  http-reuse always
  server apns 127.0.0.1:{self.apns.port} ssl verify none alpn h2 pool-max-conn 4
''')]


class Nginx(Haproxy):
    """Answers 202 and does nothing else: the front half alone."""
    name, product, settings, knock = "nginx", "debian/usr/sbin/nginx", ("front only",), KNOCK

    def command(self):
        temporary = " ".join(f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        front = f"ssl; ssl_certificate {self.setup.cert}; ssl_certificate_key {self.setup.key}; ssl_protocols TLSv1.3" if self.tls else ""
        return [self.folder + "/debian/usr/sbin/nginx", "-e", self.folder + "/error.log", "-c", self.write("nginx.conf", f'''
daemon off;
worker_processes 1;
error_log {self.folder}/error.log;
pid {self.folder}/pid-{self.port};
events {{ worker_connections 1000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  {temporary}
  ssl_session_cache off;
  server {{ listen 127.0.0.1:{self.port} {front}; location / {{ return 202; }} }}
}}
''')]


PEERS = {peer.name: peer for peer in (Gorush, GoApns2, NodeApn, Pushy, Aioapns, Haproxy, Nginx)}
GATEWAYS = ["gorush", "apns2", "node_apn", "pushy", "aioapns"]


def folder_of(setup, peer):
    return f"{setup.work}/peers/" + ("debian" if issubclass(type(peer) if isinstance(peer, Peer) else peer, Haproxy) else peer.name)


def debian_libraries(folder):
    return {"LD_LIBRARY_PATH": folder + "/debian/usr/lib/x86_64-linux-gnu"}


def installed(setup, names):
    return [name for name in names if os.path.exists(f"{folder_of(setup, PEERS[name])}/{PEERS[name].product}")]


def install(setup, peer):
    folder = folder_of(setup, peer)
    if os.path.isdir(f"{HERE}/peers/{peer.name}"):
        shutil.copytree(f"{HERE}/peers/{peer.name}", folder, dirs_exist_ok=True)
    os.makedirs(folder, exist_ok=True)
    for command in peer.recipe:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=900)
    for package in [name for name in os.listdir(folder) if name.endswith(".deb")]:
        subprocess.run(["dpkg-deb", "-x", package, "debian"], cwd=folder, check=True)


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--build", required=True)
    words.add_argument("peers", nargs="*", metavar="NAME", help=" ".join(PEERS))
    words = words.parse_args()
    setup = Setup(words.build, False)
    missing = 0
    for name in words.peers or PEERS:
        if not installed(setup, [name]):
            try:
                install(setup, PEERS[name])
            except (OSError, subprocess.SubprocessError) as error:
                missing += 1
                said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
                print(f"  {name}: not installed: {said[-1][:160] if said else error}", file=sys.stderr)
                continue
        print(f"  {name}: installed")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
