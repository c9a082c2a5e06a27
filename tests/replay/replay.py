#!/usr/bin/env python3
"""Replays the true merge requests of a DNS repository through a running trueup, against a real BIND.

    tests/replay/replay.py [--count N] [--all] [--bundle FILE] [--trueup PROGRAM] [--result FILE]

The judge is octoDNS: after every merge each touched zone, transferred whole, must equal what octoDNS reads from the merged tree; the
name server's own journal must hold the difference and nothing else; a second plan must be empty. The server, git and the name server
are used as people use them: HTTP with tokens, `git push`, transfers with TSIG. Exits 1 when anything was wrong.

Every merge request keeps its fork point, its files and its author. Of the repository only `hostedzones/` is taken, because nothing
else is desired state; a commit that no merge request brought comes as one of the replay's own.
"""

import argparse, base64, fcntl, json, logging, os, re, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "trueup")
VENV = os.path.join(CACHE, "replay-venv")


def in_venv():
    """octoDNS and dnspython live in a folder of their own; nothing is installed into the machine."""
    python = os.path.join(VENV, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        return
    if not os.path.exists(os.path.join(VENV, "ready")):
        print("replay: installing octoDNS beside the tests", flush=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "octodns==1.22.0", "dnspython==2.9.2"], check=True)
        open(os.path.join(VENV, "ready"), "w").close()
    os.execv(python, [python, *sys.argv])


in_venv()

import dns.name, dns.query, dns.rdata, dns.rdataclass, dns.rdatatype, dns.tsigkeyring, dns.update, dns.xfr, dns.zone  # noqa: E402
from octodns.record import Record  # noqa: E402
from octodns.yaml import safe_load  # noqa: E402
from octodns.zone import Zone  # noqa: E402

# octoDNS tells every leniency on its log; what it cannot read comes as an exception.
logging.disable(logging.CRITICAL)

KEY = base64.b64encode(b"trueup replay key, not a secret!").decode()
KEYRING = dns.tsigkeyring.from_text({"replay.": KEY})
ROOT_POLICY = """sources:
  - path: hostedzones
    format: octodns
    targets: [bind]
policy:
  window: 400ms
  every: 200ms
  lenient: true
  budgets: {delete_percent: 100, change_percent: 100}
  skip:
    - {type: Route53Provider/ALIAS, reason: an alias of one provider that no name server holds}
"""
# How long one merge request may take; far above what it does, so that only a fault reaches it.
PATIENCE = 120


def run(*args, cwd=None, data=None, ok=True, env=None):
    done = subprocess.run(args, cwd=cwd, input=data, capture_output=True, env=env)
    if ok and done.returncode:
        raise RuntimeError(f"{' '.join(args[:6])}: {done.stderr.decode(errors='replace').strip()}")
    return done


class Git:
    """The mirror of the bundle, in which heads are made and from which they are pushed."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *args, data=None, ok=True, **env):
        return run("git", *args, cwd=self.folder, data=data, ok=ok, env={**os.environ, **env}).stdout.decode(errors="replace").strip()

    def zones_tree(self, commit):
        listed = self("ls-tree", commit, "hostedzones")
        return listed.split()[2] if listed else None

    def tree(self, commit):
        """`hostedzones/` of a commit with our trueup.yaml, and nothing else."""
        zones = self.zones_tree(commit)
        blob = self("hash-object", "-w", "--stdin", data=ROOT_POLICY.encode())
        lines = f"100644 blob {blob}\ttrueup.yaml\n" + (f"040000 tree {zones}\thostedzones\n" if zones else "")
        return self("mktree", data=lines.encode())

    def commit(self, tree, parent, like, message):
        name, email, date = self("show", "-s", "--format=%an%n%ae%n%aI", like).split("\n")[:3] if like else ("replay", "replay@example.test", "2026-01-01T00:00:00Z")
        who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in (("NAME", name or "unknown"), ("EMAIL", email), ("DATE", date))}
        parents = ["-p", parent] if parent else []
        return self("commit-tree", tree, *parents, "-m", message, **who)

    def changed(self, one, two):
        return self("diff-tree", "-r", "--name-only", "--no-renames", one, two).splitlines()


def zone_of(path):
    # A name without a dot, `octodns.yaml`, is octoDNS' own configuration and no zone.
    found = re.fullmatch(r"hostedzones/(.+\..+)\.yaml", path)
    return found.group(1).lower().rstrip(".") + "." if found else None


class Unreadable(Exception):
    pass


def records(text, zone):
    """What octoDNS reads: a set of (owner, type, ttl, canonical rdata); records that no name server holds are left out."""
    found = set()
    try:
        data = safe_load(text, enforce_order=False) or {}
        held = Zone(zone, [])
        for name, entries in data.items():
            for entry in entries if isinstance(entries, list) else [entries]:
                if str(entry.get("type", "")).startswith("Route53Provider/") or entry.get("octodns", {}).get("ignored"):
                    continue
                entry.setdefault("ttl", 3600)
                record = Record.new(held, "" if name is None else str(name), entry, lenient=True)
                values = record.chunked_values if hasattr(record, "chunked_values") else [value.to_rdata_text() for value in getattr(record, "values", None) or [record.value]]
                owner = dns.name.from_text(record.fqdn).canonicalize()
                for value in values:
                    value = str(value).replace("\\;", ";") if record._type in ("TXT", "SPF") else str(value)
                    found.add(row(owner, record.ttl, dns.rdata.from_text("IN", record._type, value, origin=dns.name.root, relativize=False)))
    except Exception as error:  # octoDNS and dnspython have no common fault
        raise Unreadable(f"{zone} {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
    return frozenset(found)


def row(owner, ttl, rdata):
    return (owner.to_text().lower(), dns.rdatatype.to_text(rdata.rdtype), ttl, rdata.to_digestable().hex())


def joined(rows):
    """TXT as the text its readers see: octoDNS cuts long values while `\\;` is still two characters, so its pieces end elsewhere."""

    def whole(data):
        out = b""
        while data:
            out, data = out + data[1 : 1 + data[0]], data[1 + data[0] :]
        return out.hex()

    return frozenset((owner, kind, ttl, whole(bytes.fromhex(data)) if kind in ("TXT", "SPF") else data) for owner, kind, ttl, data in rows)


class Bind:
    """One name server on loopback that takes signed updates for every zone."""

    def __init__(self, folder, zones):
        """`zones`: zone → records to start with."""
        self.folder, self.port = folder, free_port()
        control = free_port()
        key = f'key "replay." {{ algorithm hmac-sha256; secret "{KEY}"; }};\n'
        conf = key + f'options {{ directory "{folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key"; recursion no; dnssec-validation no; notify no; allow-transfer {{ key "replay."; }}; check-names primary ignore; tcp-clients 500; }};\ncontrols {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "replay."; }}; }};\n'
        for number, (zone, rows) in enumerate(sorted(zones.items())):
            file = f"{folder}/{number}.zone"
            with open(file, "w") as out:
                out.write(f"{zone} 300 IN SOA ns1.replay.test. hostmaster.replay.test. 1 3600 600 86400 300\n")
                for owner, kind, ttl, rdata in sorted(rows):
                    wire = bytes.fromhex(rdata)
                    text = dns.rdata.from_wire("IN", dns.rdatatype.from_text(kind), wire, 0, len(wire)).to_text()
                    out.write(f"{owner} {ttl} IN {kind} {text}\n")
            conf += f'zone "{zone}" {{ type primary; file "{file}"; ixfr-from-differences no; max-journal-size 4m; update-policy {{ grant replay. zonesub ANY; }}; }};\n'
        with open(f"{folder}/named.conf", "w") as out:
            out.write(conf)
        named = shutil.which("named") or "/usr/sbin/named"
        self.log = open(f"{folder}/named.log", "w")
        self.process = subprocess.Popen([named, "-c", f"{folder}/named.conf", "-g", "-n", "1"], stdout=self.log, stderr=subprocess.STDOUT)
        until(lambda: "running" in open(f"{folder}/named.log").read(), "BIND does not start")

    def read(self, zone):
        """The serial, and every record but the SOA."""
        found, serial = set(), None
        query, _ = dns.xfr.make_query(dns.zone.Zone(zone), keyring=KEYRING)
        for message in dns.query.xfr("127.0.0.1", zone, port=self.port, keyring=KEYRING, keyalgorithm="hmac-sha256", lifetime=30, relativize=False):
            for rrset in message.answer:
                for rdata in rrset:
                    if rdata.rdtype == dns.rdatatype.SOA:
                        serial = rdata.serial
                    else:
                        found.add(row(rrset.name, rrset.ttl, rdata))
        return serial, frozenset(found)

    def journal(self, zone, serial):
        """What the server's journal says was removed and added since a serial; `None`: it holds no journal that far back."""
        text = run("dig", "@127.0.0.1", "-p", str(self.port), "-y", f"hmac-sha256:replay.:{KEY}", "+noall", "+answer", f"ixfr={serial}", zone).stdout.decode()
        lines = [line.split(None, 4) for line in text.splitlines() if line and not line.startswith(";")]
        if len(lines) <= 1:
            return [], []
        if lines[1][3] != "SOA":
            return None
        sides, side = ([], []), 1
        for owner, ttl, _, kind, rdata in lines[1:-1]:
            if kind == "SOA":
                side = 1 - side
            else:
                sides[side].append(row(dns.name.from_text(owner), int(ttl), dns.rdata.from_text("IN", kind, rdata)))
        return sides

    def make(self, zone, wanted):
        """Brings a zone to a state past trueup, where trueup refused the data."""
        _, live = self.read(zone)
        update = dns.update.UpdateMessage(zone, keyring=KEYRING, keyalgorithm="hmac-sha256")
        for present, rows in ((False, live - wanted), (True, wanted - live)):
            for owner, kind, ttl, rdata in rows:
                wire = bytes.fromhex(rdata)
                value = dns.rdata.from_wire("IN", dns.rdatatype.from_text(kind), wire, 0, len(wire))
                update.add(dns.name.from_text(owner), ttl, value) if present else update.delete(dns.name.from_text(owner), value)
        dns.query.tcp(update, "127.0.0.1", port=self.port, timeout=30)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


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


def until(condition, what, patience=60):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(what)
        time.sleep(0.05)


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

    def wait(self, number, phases):
        """Follows a change until it is in one of the phases."""
        end, pause = time.monotonic() + PATIENCE, 0.02
        while True:
            change = self.ask("dev", "GET", f"/repos/dns/mrs/{number}")
            if change["phase"] in phases:
                return change
            if time.monotonic() > end:
                return {**change, "phase": f"stuck in {change['phase']}"}
            time.sleep(pause)
            pause = min(pause * 1.3, 0.2)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


ENDS = ("merged", "refused", "conflicted", "failed", "closed", "restored", "paused")


class Replay:
    def __init__(self, git, server, bind, commits):
        self.git, self.server, self.bind, self.commits = git, server, bind, commits
        self.ours = {}
        self.counts = {"merged exactly": 0, "refused": 0, "wrong": 0}
        self.notes, self.texts = [], {}
        self.added = {}

    def text(self, tree, zone):
        """A zone's file in one of our trees."""
        name = zone.rstrip(".")
        for spelling in (f"hostedzones/{name}.yaml", f"hostedzones/{name}..yaml"):
            done = run("git", "show", f"{tree}:{spelling}", cwd=self.git.folder, ok=False)
            if not done.returncode:
                return done.stdout.decode(errors="replace")
        return None

    def wanted(self, tree, zone):
        text = self.text(tree, zone)
        return None if text is None else records(text, zone)

    def start(self, first):
        """The repository's first commit, as an admin brings it."""
        commit = self.git.commit(self.git.tree(first), None, None, "the zones as they are")
        self.git("push", "-q", self.server.url("root"), f"{commit}:refs/heads/main")
        self.ours[first] = self.main = commit

    def head(self, commit, parent, number):
        """The merge request's head on our history, and whether it is the true one."""
        expected = self.git.tree(commit)
        if number:
            true = f"refs/pull/{number}/head"
            fork = self.git("merge-base", parent, true, ok=False)
            if fork in self.ours and self.git.zones_tree(true):
                head = self.git.commit(self.git.tree(true), self.ours[fork], true, f"merge request {number}")
                merged = run("git", "merge-tree", "--write-tree", self.main, head, cwd=self.git.folder, ok=False).stdout.decode().split("\n")[0]
                if merged == expected:
                    return head, True
        return self.git.commit(expected, self.main, commit, f"commit {commit[:9]}"), False

    def play(self, commit, parent, number):
        """One merge request through its whole life; what came of it."""
        head, true = self.head(commit, parent, number)
        expected, before = self.git.tree(commit), self.git("rev-parse", f"{self.main}^{{tree}}")
        touched = sorted({zone for zone in map(zone_of, self.git.changed(before, expected)) if zone})
        live = {zone: self.bind.read(zone) for zone in touched}
        branch = f"mr-{number or commit[:9]}"
        self.git("push", "-qf", self.server.url("dev"), f"{head}:refs/heads/{branch}")
        title = self.git("show", "-s", "--format=%s", commit)[:200]
        opened = self.server.ask("dev", "POST", "/repos/dns/mrs", {"source": branch, "title": title})["number"]
        change = self.server.wait(opened, ("awaiting_approval", "empty", *ENDS))
        if change["phase"] in ("awaiting_approval", "empty"):
            self.server.ask("boss", "POST", f"/repos/dns/mrs/{opened}/approve", {})
            change = self.server.wait(opened, ENDS)
        if change["phase"] == "merged":
            wrong = self.check(expected, touched, live, head)
            return ("wrong" if wrong else "merged exactly"), wrong, true, opened
        why = self.reasons(change)
        kind = "refused" if change["phase"] in ("refused", "conflicted") else "wrong"
        if not change["phase"].startswith("stuck"):
            self.server.ask("dev", "POST", f"/repos/dns/mrs/{opened}/close", {})
        self.force(commit, expected, touched)
        return kind, why, true, opened

    def reasons(self, change):
        told = [one.get("text") or f"{one['place']['file']}:{one['place']['line']}: {one['what']}" if one.get("place") else one["what"] for one in change.get("refusals") or []]
        told += [f"conflict in {path}" for path in change.get("conflicts") or []] + [json.dumps(one) for one in change.get("failures") or []]
        return f"{change['phase']}: " + ("; ".join(map(str, told)) or change["waits_for"])

    def check(self, expected, touched, live, head):
        """Everything that is not as it must be after a merge."""
        wrong, old = [], self.main
        self.git("fetch", "-q", self.server.bare, "main")
        self.main = self.git("rev-parse", "FETCH_HEAD")
        if self.git("rev-parse", f"{self.main}^{{tree}}") != expected:
            wrong.append("the merged tree is another one")
        for zone in touched:
            serial, found = self.bind.read(zone)
            wrong += self.zone_faults(zone, expected, found)
            gone, new = live[zone][1] - found, found - live[zone][1]
            sent = self.bind.journal(zone, live[zone][0])
            if sent and (sorted(sent[0]) != sorted(gone) or sorted(sent[1]) != sorted(new)):
                wrong.append(f"{zone} more was sent than differs: {len(sent[0])}-{len(sent[1])}+ for {len(gone)}-{len(new)}+")
        again = run(self.server.program, "plan", "--repo", self.server.bare, "--config", self.server.config, "--base", old, "--head", head, ok=False)
        if again.returncode:
            wrong.append(f"a second plan is not empty: {(again.stdout + again.stderr).decode(errors='replace').strip()[:300]}")
        return "; ".join(wrong)

    def zone_faults(self, zone, tree, found):
        try:
            wanted = self.wanted(tree, zone)
        except Unreadable as error:
            # The judge itself cannot read it: said in the result, and neither right nor wrong.
            self.notes.append(("not judged", f"octoDNS cannot read {error}"))
            return []
        at = {one for one in found if one[0] == zone and one[1] == "NS"}
        # The apex keeps name servers whatever the file says: a zone without them is none.
        wanted = wanted or frozenset()
        if not any(one[0] == zone and one[1] == "NS" for one in wanted):
            found = found - at
        found, wanted = joined(found), joined(wanted)
        return [] if found == wanted else [f"{zone} differs: {len(found - wanted)} too many {sorted(found - wanted)[:2]}, {len(wanted - found)} missing {sorted(wanted - found)[:2]}"]

    def force(self, commit, expected, touched):
        """Brings repository and zones to where history went on, past trueup."""
        self.git("fetch", "-q", self.server.bare, "main")
        self.main = self.git.commit(expected, self.git("rev-parse", "FETCH_HEAD"), commit, f"past trueup: {commit[:9]}")
        self.git("push", "-q", self.server.url("dev"), f"{self.main}:refs/heads/past-{commit[:9]}")
        run("git", "update-ref", "refs/heads/main", self.main, cwd=self.server.bare)
        for zone in touched:
            try:
                wanted = self.wanted(expected, zone) or frozenset()
            except Unreadable:
                continue
            _, found = self.bind.read(zone)
            apex = {one for one in found if one[0] == zone and one[1] == "NS"}
            self.bind.make(zone, wanted if any(one[0] == zone and one[1] == "NS" for one in wanted) else wanted | apex)

    def everything(self):
        """Compares every zone with the tree of main."""
        tree = self.git("rev-parse", f"{self.main}^{{tree}}")
        wrong = []
        for path in self.git("ls-tree", "--name-only", tree, "hostedzones/").splitlines():
            zone = zone_of(path)
            if zone:
                wrong += self.zone_faults(zone, tree, self.bind.read(zone)[1])
        return wrong


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--count", type=int, default=40, help="merge requests to replay (40)")
    args.add_argument("--all", action="store_true", help="all of them")
    args.add_argument("--skip", type=int, default=0, help="start after this many")
    args.add_argument("--bundle", default=os.environ.get("TRUEUP_REPLAY_BUNDLE") or os.path.join(ROOT, "..", "shared", "data", "ministryofjustice-dns.bundle"))
    args.add_argument("--trueup", default=os.environ.get("TRUEUP_PROGRAM") or os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "release", "trueup"))
    args.add_argument("--result", help="write the result as Markdown")
    args.add_argument("--keep", action="store_true", help="leave the folder with logs and repositories")
    args = args.parse_args()
    if not os.path.exists(args.bundle):
        print(f"replay: skipped, there is no {args.bundle}; name the bundle with --bundle")
        return 0
    if not os.path.exists(args.trueup):
        sys.exit(f"replay: there is no {args.trueup}; build it with cargo build --release, or name it with --trueup")
    # Told to stop, it stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="trueup-replay-")
    bind = server = None
    try:
        run("git", "clone", "-q", "--mirror", args.bundle, f"{folder}/mirror")
        git = Git(f"{folder}/mirror")
        history = git("rev-list", "--first-parent", "--reverse", "main").splitlines()
        history = history[next(n for n, commit in enumerate(history) if git.zones_tree(commit)):]
        git("update-ref", "--no-deref", "HEAD", history[0])
        work = []
        for before, commit in zip(history, history[1:]):
            if git.zones_tree(before) != git.zones_tree(commit):
                found = re.search(r"\(#(\d+)\)$|^Merge pull request #(\d+) ", git("show", "-s", "--format=%s", commit))
                number = found and (found.group(1) or found.group(2))
                known = number and not run("git", "rev-parse", "-q", "--verify", f"refs/pull/{number}/head", cwd=git.folder, ok=False).returncode
                work.append((commit, before, number if known else None))
        work = work[args.skip : None if args.all else args.skip + args.count]
        first = work[0][1]
        print(f"replay: {len(work)} merge requests, seeding the zones", flush=True)
        zones = seeds(git, first, history)
        bind_folder = f"{folder}/bind"
        os.mkdir(bind_folder)
        bind = Bind(bind_folder, zones)
        server = Server(args.trueup, folder, bind)
        replay = Replay(git, server, bind, work)
        replay.start(first)
        rows, begun = follow(replay, history, work, first)
        wrong = replay.everything()
        if wrong:
            replay.counts["wrong"] += 1
            rows.append(("end", "wrong", "; ".join(wrong)[:500]))
        took = time.monotonic() - begun
        report(args, replay, rows, len(work), took)
        return 1 if replay.counts["wrong"] else 0
    finally:
        for running in (server, bind):
            if running:
                running.stop()
        if args.keep:
            print(f"replay: kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def seeds(git, first, history):
    """Every zone there ever is: with its records at the start, or with the name servers it will ask for."""
    paths = {}
    for commit in history:
        for line in git("ls-tree", commit, "hostedzones/").splitlines():
            meta, path = line.split("\t", 1)
            paths.setdefault(path, []).append(meta.split()[2])
    start = {line.split("\t", 1)[1]: line.split()[2] for line in git("ls-tree", first, "hostedzones/").splitlines()}
    zones = {}
    for path, blobs in paths.items():
        zone = zone_of(path)
        if not zone:
            continue
        rows = frozenset()
        if path in start:
            try:
                rows = records(git("cat-file", "blob", start[path]), zone)
            except Unreadable as error:
                print(f"replay: not seeded: {error}")
        name_servers = {one for one in rows if one[0] == zone and one[1] == "NS"}
        for blob in dict.fromkeys(blobs):
            if name_servers:
                break
            try:
                name_servers = {one for one in records(git("cat-file", "blob", blob), zone) if one[0] == zone and one[1] == "NS"}
            except Unreadable:
                continue
        fallback = {row(dns.name.from_text(zone), 300, dns.rdata.from_text("IN", "NS", "ns1.replay.test."))}
        zones[zone] = frozenset(rows | (name_servers or fallback))
    return zones


def follow(replay, history, work, first):
    """Plays the work in order; every commit between belongs to the main that follows it."""
    rows, begun = [], time.monotonic()
    jobs = {commit: (before, number) for commit, before, number in work}
    started, done = False, 0
    for commit in history:
        if commit == first:
            started = True
            continue
        if not started:
            replay.ours[commit] = replay.main
            continue
        if commit in jobs:
            before, number = jobs[commit]
            try:
                kind, why, true, opened = replay.play(commit, before, number)
            except Exception as error:
                kind, why, true, opened = "wrong", f"{type(error).__name__}: {error}", False, None
            replay.counts[kind] += 1
            done += 1
            if kind != "merged exactly":
                name = f"#{number}" if number else commit[:9]
                rows.append((name, kind, why))
                print(f"replay: {name} (here !{opened}) {kind}: {why[:400]}", flush=True)
            if done % 50 == 0:
                wrong = replay.everything()
                if wrong:
                    replay.counts["wrong"] += 1
                    rows.append((f"all zones after {done}", "wrong", "; ".join(wrong)[:500]))
                    print(f"replay: all zones after {done}: {'; '.join(wrong)[:400]}", flush=True)
            if done % 10 == 0 or done == len(jobs):
                took = time.monotonic() - begun
                print(f"replay: {done}/{len(jobs)} {replay.counts} {done / took:.2f}/s", flush=True)
            if done == len(jobs):
                break
        replay.ours[commit] = replay.main
    return rows, begun


def report(args, replay, rows, total, took):
    counts = ", ".join(f"{count} {kind}" for kind, count in replay.counts.items())
    print(f"replay: {counts}; {total} merge requests in {took:.0f}s, {total / took:.2f}/s")
    notes = list(dict.fromkeys(replay.notes))
    for kind, what in notes:
        print(f"replay: {kind}: {what}")
    if args.result:
        with open(args.result, "w") as out:
            out.write(f"# Replay\n\n{counts} of {total} merge requests in {took:.0f} s ({total / took:.2f}/s).\n")
            out.write("".join(f"\n- {name}: {kind}: {why}" for name, kind, why in [*rows, *((kind, "note", what) for kind, what in notes)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
