"""What the replay runs and speaks to: git, a BIND on loopback, and `trueup serve`."""

import base64, fcntl, http.client, json, os, re, shutil, socket, subprocess, tempfile, time, urllib.error, urllib.request

import dns.message, dns.name, dns.query, dns.rdata, dns.rdatatype, dns.tsigkeyring, dns.update, dns.xfr, dns.zone
from judge import row

KEY = base64.b64encode(b"trueup replay key, not a secret!").decode()
KEYRING = dns.tsigkeyring.from_text({"replay.": KEY})
# How long one merge request may take; far above what it does, so that only a fault reaches it.
PATIENCE = 300


def run(*args, cwd=None, data=None, ok=True, env=None):
    done = subprocess.run(args, cwd=cwd, input=data, capture_output=True, env=env)
    if ok and done.returncode:
        raise RuntimeError(f"{' '.join(args[:6])}: {done.stderr.decode(errors='replace').strip()}")
    return done


def until(condition, what, patience=60):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(what)
        time.sleep(0.05)


def resident(process):
    """Megabytes of memory a process holds."""
    try:
        with open(f"/proc/{process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) // 1024
    except (OSError, AttributeError):
        return 0


def seconds(process):
    """CPU seconds a process and its ended children took."""
    try:
        with open(f"/proc/{process.pid}/stat") as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


class Git:
    """A repository. Objects are read through one `git cat-file` that stays."""

    def __init__(self, folder):
        self.folder = folder
        self.listings, self.made = {}, {}
        self.reader = subprocess.Popen(["git", "cat-file", "--batch-command"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *args, data=None, ok=True, **env):
        return run("git", *args, cwd=self.folder, data=data, ok=ok, env={**os.environ, **env}).stdout.decode(errors="replace").strip()

    def ask(self, what, rev):
        self.reader.stdin.write(f"{what} {rev}\n".encode())
        self.reader.stdin.flush()
        line = self.reader.stdout.readline().decode(errors="replace").split()
        return None if len(line) != 3 or line[1] not in ("blob", "tree", "commit", "tag") else line

    def id(self, rev):
        """The object that a revision names, if there is one."""
        found = self.ask("info", rev)
        return found and found[0]

    def read(self, rev):
        found = self.ask("contents", rev)
        if not found:
            return None
        bytes = self.reader.stdout.read(int(found[2]))
        self.reader.stdout.read(1)
        return bytes

    def zones_tree(self, commit):
        return self.id(f"{commit}:hostedzones")

    def zones(self, tree):
        """File name → blob of a tree that is `hostedzones/`."""
        if tree not in self.listings:
            data, found = (self.read(tree) or b"") if tree else b"", {}
            while data:
                head, rest = data.split(b"\0", 1)
                mode, name = head.split(b" ", 1)
                if mode != b"40000":
                    found[name.decode(errors="replace")] = rest[:20].hex()
                data = rest[20:]
            self.listings[tree] = found
        return self.listings[tree]

    def tree(self, zones, policy):
        """`hostedzones/` with a trueup.yaml, and nothing else."""
        if zones not in self.made:
            if None not in self.made:
                self.made[None] = self("hash-object", "-w", "--stdin", data=policy.encode())
            lines = f"100644 blob {self.made[None]}\ttrueup.yaml\n" + (f"040000 tree {zones}\thostedzones\n" if zones else "")
            self.made[zones] = self("mktree", data=lines.encode())
        return self.made[zones]

    def subject(self, commit):
        return self.read(commit).decode(errors="replace").partition("\n\n")[2].split("\n")[0]

    def commit(self, tree, parent, like, message):
        """A commit by the author of another one, committed now, as somebody who opens a merge request does."""
        name, email, date = "replay", "replay@example.test", None
        if like:
            found = re.search(rb"^author (.*) <(.*)> (\d+ [+-]\d+)$", self.read(like), re.M)
            name, email, date = (part.decode(errors="replace") for part in found.groups())
        who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in (("NAME", name or "unknown"), ("EMAIL", email))}
        parents = ["-p", parent] if parent else []
        return self("commit-tree", tree, *parents, "-m", message, **who, **({"GIT_AUTHOR_DATE": f"@{date}"} if date else {}))

    def stop(self):
        self.reader.stdin.close()
        self.reader.wait(timeout=30)


class Bind:
    """One name server on loopback that takes signed updates for every zone."""

    def __init__(self, folder, zones):
        """`zones`: zone → records to start with."""
        self.folder, self.port, self.known, self.zones = folder, free_port(), {}, set(zones)
        control = free_port()
        key = f'key "replay." {{ algorithm hmac-sha256; secret "{KEY}"; }};\n'
        conf = key + f'options {{ directory "{folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key"; recursion no; dnssec-validation no; notify no; allow-transfer {{ key "replay."; }}; check-names primary ignore; tcp-clients 500; }};\ncontrols {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "replay."; }}; }};\n'
        for number, (zone, rows) in enumerate(sorted(zones.items())):
            file = f"{folder}/{number}.zone"
            with open(file, "w") as out:
                out.write(f"{zone} 300 IN SOA ns1.replay.test. hostmaster.replay.test. 1 3600 600 86400 300\n")
                for owner, kind, ttl, rdata in sorted(rows):
                    out.write(f"{owner} {ttl} IN {kind} {parsed(kind, rdata).to_text()}\n")
            conf += f'zone "{zone}" {{ type primary; file "{file}"; ixfr-from-differences no; max-journal-size 4m; update-policy {{ grant replay. zonesub ANY; }}; }};\n'
        with open(f"{folder}/named.conf", "w") as out:
            out.write(conf)
        named = shutil.which("named") or "/usr/sbin/named"
        self.log = open(f"{folder}/named.log", "w")
        self.process = subprocess.Popen([named, "-c", f"{folder}/named.conf", "-g", "-n", "1"], stdout=self.log, stderr=subprocess.STDOUT)
        until(lambda: "running" in open(f"{folder}/named.log").read(), "BIND does not start")

    def serial(self, zone):
        answer = dns.query.tcp(dns.message.make_query(zone, "SOA"), "127.0.0.1", port=self.port, timeout=30).answer
        return answer[0][0].serial if answer else None

    def read(self, zone):
        """Transfers a zone: its serial, and every record but the SOA."""
        found, serial = set(), None
        for message in self.transfer(zone, "AXFR", 0):
            for rrset in message.answer:
                for rdata in rrset:
                    if rdata.rdtype == dns.rdatatype.SOA:
                        serial = rdata.serial
                    else:
                        found.add(row(rrset.name, rrset.ttl, rdata))
        self.known[zone] = serial, frozenset(found)
        return self.known[zone]

    def look(self, zone):
        """As `read`; a zone whose serial is that of the last transfer is as it was then, for every update moves the serial."""
        if zone in self.known and self.serial(zone) == self.known[zone][0]:
            return self.known[zone]
        return self.read(zone)

    def transfer(self, zone, kind, serial):
        return dns.query.xfr("127.0.0.1", zone, kind, port=self.port, keyring=KEYRING, keyname="replay.", keyalgorithm="hmac-sha256", lifetime=60, relativize=False, serial=serial)

    def journal(self, zone, serial):
        """What the server's journal says was removed and added since a serial; `None`: it holds no journal that far back."""
        rows = [(rrset.name, rrset.ttl, rdata) for message in self.transfer(zone, "IXFR", serial) for rrset in message.answer for rdata in rrset]
        if len(rows) <= 1:
            return [], []
        if rows[1][2].rdtype != dns.rdatatype.SOA:
            return None
        sides, side = ([], []), 1
        for owner, ttl, rdata in rows[1:-1]:
            if rdata.rdtype == dns.rdatatype.SOA:
                side = 1 - side
            else:
                sides[side].append(row(owner, ttl, rdata))
        return sides

    def make(self, zone, wanted):
        """Brings a zone to a state past trueup, where trueup refused the data."""
        _, live = self.read(zone)
        update = dns.update.UpdateMessage(zone, keyring=KEYRING, keyalgorithm="hmac-sha256")
        gone = live - wanted
        # A zone's last name server cannot be taken away, so its old ones go when the new ones are there.
        apex = {one for one in gone if one[0] == zone and one[1] == "NS"}
        for present, rows in ((False, gone - apex), (True, wanted - live), (False, apex)):
            for owner, kind, ttl, rdata in rows:
                value = parsed(kind, rdata)
                update.add(dns.name.from_text(owner), ttl, value) if present else update.delete(dns.name.from_text(owner), value)
        dns.query.tcp(update, "127.0.0.1", port=self.port, timeout=30)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def parsed(kind, rdata):
    wire = bytes.fromhex(rdata)
    return dns.rdata.from_wire("IN", dns.rdatatype.from_text(kind), wire, 0, len(wire))


LEASED = []


def free_port():
    """A port nobody else gets as long as this process lives; the same leases as the Rust tests take, who say why a system's own choice is not enough."""
    folder = f"{tempfile.gettempdir()}/trueup-test-ports"
    os.makedirs(folder, exist_ok=True)
    for step in range(15000):
        port = 15000 + (os.getpid() + step) % 15000
        lock = open(f"{folder}/{port}", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        LEASED.append(lock)
        return port
    raise RuntimeError("no port is free")


class Server:
    """A running `trueup serve`, spoken to by HTTP."""

    def __init__(self, program, folder, bind):
        self.program, self.folder, self.config = program, folder, f"{folder}/server.yaml"
        secrets = f"{folder}/secrets"
        os.mkdir(secrets)
        for name in ("dev", "boss", "root"):
            with open(f"{secrets}/{name}.token", "w") as out:
                out.write(f"{name}-token")
        with open(f"{secrets}/tsig.key", "w") as out:
            out.write(KEY)
        users = "".join(f"  - {{ name: {name}, token: {{ file: {name}.token }} }}\n" for name in ("dev", "boss", "root"))
        with open(self.config, "w") as out:
            out.write(
                f"listen: 127.0.0.1:0\ndata: {folder}/data\nsecrets: {secrets}\nusers:\n{users}repositories:\n  - name: dns\n    writers: [dev]\n    approvers: [boss]\n    admins: [root]\n    grants: [{{ target: bind }}]\n"
                f"targets:\n  bind:\n    kind: dns/rfc2136\n    address: 127.0.0.1:{bind.port}\n    tsig: {{ name: replay., algorithm: hmac-sha256, secret: {{ file: tsig.key }} }}\n"
            )
        self.log = open(f"{folder}/trueup.log", "w")
        self.process = subprocess.Popen([program, "serve", "--config", self.config], stdout=subprocess.PIPE, stderr=self.log, env={**os.environ, "TRUEUP_LOG": "warn"})
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"trueup serve did not start: {open(f'{folder}/trueup.log').read()[-2000:]}")
        self.address = json.loads(line)["listening"]
        self.bare = f"{folder}/data/repos/dns.git"

    def ask(self, who, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {who}-token", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.address}/api/v1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:500]}") from error

    def url(self, who):
        return f"http://{who}:{who}-token@{self.address}/git/dns.git"

    def show(self, number):
        return self.ask("dev", "GET", f"/repos/dns/mrs/{number}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


class Following:
    """Live updates of one change, as its page has them."""

    def __init__(self, server, number):
        self.server, self.number, self.connection = server, number, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection:
            self.connection.close()

    def until(self, phases):
        """The phase once it is one of these, or `stuck in …`."""
        end, phase = time.monotonic() + PATIENCE, None
        while time.monotonic() < end:
            try:
                line = self.line(end)
            except TimeoutError:
                break
            if line.startswith(b"data:"):
                phase = json.loads(line[5:])["phase"]
                if phase in phases:
                    return phase
        return f"stuck in {phase}"

    def line(self, end):
        if not self.connection:
            self.connection = http.client.HTTPConnection(self.server.address, timeout=30)
            self.connection.request("GET", f"/api/v1/repos/dns/mrs/{self.number}/events", headers={"Authorization": "Bearer dev-token"})
            self.answer = self.connection.getresponse()
            if self.answer.status != 200:
                raise RuntimeError(f"no live updates of !{self.number}: {self.answer.status} {self.answer.read()[:300]}")
        line = self.answer.readline()
        if not line:
            # The change's worker ended; the next connection starts where it is.
            self.connection.close()
            self.connection = None
            time.sleep(0.05)
        return line
