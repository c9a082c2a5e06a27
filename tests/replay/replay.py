#!/usr/bin/env python3
"""Replays the true merge requests of a DNS repository through a running trueup, against a real BIND.

    tests/replay/replay.py [--count N] [--all] [--bundle FILE] [--trueup PROGRAM] [--result FILE]

The judge is octoDNS: after every merge each touched zone, transferred whole, must equal what octoDNS reads from the merged tree; the
name server's own journal must hold the difference and nothing else; a second plan must be empty; a zone whose file is again what it
once was must be again what it was then. Merge requests that were never merged are opened where they were made and once more at the
end: each must be told as it is, and nothing live may move. The server, git and the name server are used as people use them: HTTP with
tokens, `git push`, transfers with TSIG. Exits 1 when anything was wrong.

Every merge request keeps its fork point, its files and its author. Of the repository only `hostedzones/` is taken, because nothing
else is desired state; a commit that no merge request brought comes as one of the replay's own.
"""

import argparse, json, os, re, shutil, signal, subprocess, sys, tempfile, time

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
    # No compiled files beside the tests.
    os.execv(python, [python, "-B", *sys.argv])


in_venv()

import dns.name, dns.rdata, dns.update  # noqa: E402
import judge  # noqa: E402
from result import Result  # noqa: E402
from servers import Bind, Following, Git, Server, run  # noqa: E402

# Nobody resolves the replayed names, so nothing waits for caches.
ROOT_POLICY = """sources:
  - path: hostedzones
    format: octodns
    targets: [bind]
policy:
  window: 200ms
  every: 100ms
  lenient: true
  rollout: at_once
  budgets: {delete_percent: 100, change_percent: 100}
  skip:
    - {type: Route53Provider/ALIAS, reason: an alias of one provider that no name server holds}
"""
ENDS = ("merged", "refused", "conflicted", "failed", "closed", "restored", "paused")
PLANNED = ("awaiting_approval", "empty")


class Replay:
    def __init__(self, git, server, bind, history, result):
        self.git, self.server, self.bind, self.history, self.result = git, server, bind, history, result
        self.ours = {}
        # What a zone held while its file was these bytes.
        self.held = {}
        self.bare = Git(server.bare)

    def tree(self, commit):
        return self.git.tree(self.git.zones_tree(commit), ROOT_POLICY)

    def files(self, tree):
        """Zone → blob of one of our trees."""
        listed = self.git.zones(self.git.id(f"{tree}:hostedzones"))
        return {zone: blob for zone, blob in ((judge.zone_of(name), blob) for name, blob in listed.items()) if zone}

    def wanted(self, tree, zone):
        blob = self.files(tree).get(zone)
        return blob and judge.records(self.git.read(blob).decode(errors="replace"), zone)

    def touched(self, before, after):
        one, two = self.files(before), self.files(after)
        return sorted(zone for zone in one.keys() | two.keys() if one.get(zone) != two.get(zone))

    def start(self, first):
        """The repository's first commit, as an admin brings it."""
        commit = self.git.commit(self.tree(first), None, None, "the zones as they are")
        self.git("push", "-q", self.server.url("root"), f"{commit}:refs/heads/main")
        self.ours[first] = self.main = commit

    def adapted(self, true):
        """A true head on our history, where its fork is known."""
        fork = self.git("merge-base", self.history[-1], true, ok=False)
        if fork not in self.ours or not self.git.zones_tree(true):
            return None
        return self.git.commit(self.tree(true), self.ours[fork], true, f"head {true[:9]}")

    def head(self, commit, number):
        """The merge request's head on our history, and whether it is the true one."""
        expected = self.tree(commit)
        # Its fork from the main it went into: main may hold the head by now.
        true = number and self.git.id(f"refs/pull/{number}/head")
        fork = true and self.git("merge-base", self.history[self.history.index(commit) - 1], true, ok=False)
        if true and fork in self.ours and self.git.zones_tree(true):
            head = self.git.commit(self.tree(true), self.ours[fork], true, f"merge request {number}")
            merged = run("git", "merge-tree", "--write-tree", self.main, head, cwd=self.git.folder, ok=False).stdout.decode().split("\n")[0]
            if merged == expected:
                return head, True
        return self.git.commit(expected, self.main, commit, f"commit {commit[:9]}"), False

    def opened(self, head, branch, title):
        self.git("push", "-qf", self.server.url("dev"), f"{head}:refs/heads/{branch}")
        return self.server.ask("dev", "POST", "/repos/dns/mrs", {"source": branch, "title": title[:200] or branch})["number"]

    def play(self, commit, number):
        """One merge request through its whole life: what came of it, why, and whether it was a true one."""
        head, true = self.head(commit, number)
        expected, before = self.tree(commit), self.git.id(f"{self.main}^{{tree}}")
        touched = self.touched(before, expected)
        for zone in touched:
            self.operator(zone, before, expected)
        live = {zone: self.bind.look(zone) for zone in touched}
        opened = self.opened(head, f"mr-{number or commit[:9]}", self.git.subject(commit))
        with Following(self.server, opened) as change:
            phase = change.until((*PLANNED, *ENDS))
            if phase in PLANNED:
                self.server.ask("boss", "POST", f"/repos/dns/mrs/{opened}/approve", {})
                phase = change.until(ENDS)
        if phase == "merged":
            wrong = self.check(commit, before, expected, touched, live, head)
            return ("wrong" if wrong else "merged exactly"), wrong, true
        why = reasons(self.server.show(opened), phase)
        if not phase.startswith("stuck"):
            self.server.ask("dev", "POST", f"/repos/dns/mrs/{opened}/close", {})
        self.force(commit, expected, touched)
        return ("refused" if phase in ("refused", "conflicted") else "wrong"), why, true

    def operator(self, zone, before, expected):
        """A zone that was deleted and comes again was made anew by its provider, with the name servers the file then asks for."""
        if zone in self.files(before) or zone not in self.files(expected):
            return
        try:
            wanted = judge.name_servers(self.wanted(expected, zone), zone)
        except judge.Unreadable:
            return
        _, found = self.bind.look(zone)
        if wanted and found == judge.name_servers(found, zone) and found != wanted:
            self.bind.make(zone, wanted)
            self.result.anew.append(zone)

    def check(self, commit, before, expected, touched, live, head):
        """Everything that is not as it must be after a merge."""
        wrong, old = [], self.main
        self.main = self.bare.id("refs/heads/main")
        if self.bare.id("refs/heads/main^{tree}") != expected:
            wrong.append("the merged tree is another one")
        one, two = self.files(before), self.files(expected)
        for zone in touched:
            _, found = self.bind.read(zone)
            wrong += self.zone_faults(zone, expected, found)
            gone, new = live[zone][1] - found, found - live[zone][1]
            sent = self.bind.journal(zone, live[zone][0])
            if sent and (sorted(sent[0]) != sorted(gone) or sorted(sent[1]) != sorted(new)):
                wrong.append(f"{zone} more was sent than differs: {len(sent[0])}-{len(sent[1])}+ for {len(gone)}-{len(new)}+")
            wrong += self.back(commit, zone, one.get(zone), two.get(zone), live[zone][1], found)
        return "; ".join(wrong + self.second(old, head))

    def second(self, old, head):
        """A second plan of the same merge request must find nothing to write. What it gives up (the name servers of a zone whose file is gone) it gives up each time."""
        again = run(self.server.program, "plan", "--repo", self.server.bare, "--config", self.server.config, "--base", old, "--head", head, "-o", "json", ok=False)
        try:
            summary = json.loads(again.stdout)["summary"]
        except (ValueError, KeyError):
            return [f"there is no second plan: {(again.stdout + again.stderr).decode(errors='replace').strip()[:300]}"]
        return [f"a second plan is not empty: {summary}"] if summary["writes"] or summary["steps"] else []

    def back(self, commit, zone, before, after, live, found):
        """A file that is again what it once was must bring the zone back to what it was then."""
        if before:
            self.held[zone, before] = live
        if not after:
            return []
        once = self.held.get((zone, after))
        self.held[zone, after] = found
        if once is None:
            return []
        self.result.backs.append((commit, zone))
        return [] if once == found else [f"{zone} is not back to what it was: {len(found - once)} too many {sorted(found - once)[:2]}, {len(once - found)} missing {sorted(once - found)[:2]}"]

    def zone_faults(self, zone, tree, found):
        try:
            return judge.faults(zone, self.wanted(tree, zone), found)
        except judge.Unreadable as error:
            self.result.unjudged[str(error)] = self.result.unjudged.get(str(error), 0) + 1
            return []

    def force(self, commit, expected, touched):
        """Brings repository and zones to where history went on, past trueup."""
        self.main = self.git.commit(expected, self.bare.id("refs/heads/main"), commit, f"past trueup: {commit[:9]}")
        self.git("push", "-q", self.server.url("dev"), f"{self.main}:refs/heads/past-{commit[:9]}")
        run("git", "update-ref", "refs/heads/main", self.main, cwd=self.server.bare)
        for zone in touched:
            try:
                wanted = self.wanted(expected, zone) or frozenset()
            except judge.Unreadable:
                continue
            _, found = self.bind.read(zone)
            self.bind.make(zone, wanted if judge.name_servers(wanted, zone) else wanted | judge.name_servers(found, zone))

    def everything(self):
        """Compares every zone with the tree of main."""
        tree = self.git.id(f"{self.main}^{{tree}}")
        return [fault for zone in self.files(tree) for fault in self.zone_faults(zone, tree, self.bind.look(zone)[1])]

    def never(self, number, branch, again=None):
        """A merge request that was never merged: it must be told as it is and change nothing live. Its number here, and what was told or is wrong."""
        true = self.git.id(f"refs/pull/{number}/head")
        head = self.adapted(true)
        zones = self.touched(self.git.id(f"{head}^^{{tree}}"), self.git.id(f"{head}^{{tree}}"))
        live = {zone: self.bind.look(zone) for zone in zones if zone in self.bind.zones}
        if again:
            opened = again
            self.server.ask("dev", "POST", f"/repos/dns/mrs/{opened}/reopen", {})
        else:
            opened = self.opened(head, branch, self.git.subject(true))
        with Following(self.server, opened) as change:
            phase = change.until((*PLANNED, *(end for end in ENDS if end != "closed")))
        shown = self.server.show(opened)
        told, wrong = as_told(shown, phase)
        wrong += [f"{zone} moved" for zone in live if self.bind.look(zone) != live[zone]]
        if self.bare.id("refs/heads/main") != self.main:
            wrong.append("main moved")
        self.server.ask("dev", "POST", f"/repos/dns/mrs/{opened}/close", {})
        with Following(self.server, opened) as change:
            closed = change.until(("closed",))
        if closed != "closed":
            wrong.append(f"it is not closed: {closed}")
        return opened, told, "; ".join(wrong)


def reasons(change, phase):
    told = [f"{one['place']['file']}:{one['place']['line']}: {one['what']}" if one.get("place") else one["what"] for one in change.get("refusals") or []]
    told += [f"conflict in {path}" for path in change.get("conflicts") or []] + [str(one) for one in change.get("failures") or []]
    return f"{phase}: " + ("; ".join(told) or str(change.get("waits_for")))


def as_told(change, phase):
    """What a change that nobody approves must say in its phase, and what it fails to say."""
    refusals, conflicts, plan = change.get("refusals") or [], change.get("conflicts") or [], change.get("plan")
    told = {
        "awaiting_approval": (plan and change.get("digest"), "a plan"),
        "empty": (True, ""),
        "refused": (refusals and all(one.get("place") or one.get("what") for one in refusals) and any(one.get("place") for one in refusals), "a place"),
        "conflicted": (conflicts, "the paths"),
    }
    if phase not in told:
        return phase, [f"it ended {phase}: {change.get('waits_for')}"]
    ok, lacks = told[phase]
    return (reasons(change, phase) if phase in ("refused", "conflicted") else phase), ([] if ok else [f"it is {phase} and does not tell {lacks}"])


def seeds(git, first, history):
    """Every zone there ever is: with its records at the start, or with the name servers it will ask for."""
    blobs = {}
    for tree in dict.fromkeys(git.zones_tree(commit) for commit in history):
        for name, blob in git.zones(tree).items():
            blobs.setdefault(name, {})[blob] = True
    start, zones = git.zones(git.zones_tree(first)), {}
    for name, known in blobs.items():
        zone = judge.zone_of(name)
        if not zone:
            continue
        rows = frozenset()
        if name in start:
            try:
                rows = judge.records(git.read(start[name]).decode(errors="replace"), zone)
            except judge.Unreadable as error:
                print(f"replay: not seeded: {error}")
        servers = judge.name_servers(rows, zone)
        for blob in known:
            if servers:
                break
            try:
                servers = judge.name_servers(judge.records(git.read(blob).decode(errors="replace"), zone), zone)
            except judge.Unreadable:
                continue
        fallback = {judge.row(dns.name.from_text(zone), 300, dns.rdata.from_text("IN", "NS", "ns1.replay.test."))}
        zones[zone] = frozenset(rows | (servers or fallback))
    return zones


def planned(git, history):
    """The merges in order, each with the number of its merge request where it has one; and of those never merged, by fork, some spread over time."""
    work, merged, place = [], set(), {commit: n for n, commit in enumerate(history)}
    for before, commit in zip(history, history[1:]):
        found = re.search(r"\(#(\d+)\)$|^Merge pull request #(\d+) ", git.subject(commit))
        number = found and (found.group(1) or found.group(2))
        merged.add(number)
        if git.zones_tree(before) != git.zones_tree(commit):
            work.append((commit, number if number and git.id(f"refs/pull/{number}/head") else None))
    never = {}
    for ref in git("for-each-ref", "--format=%(refname)", "refs/pull/*/head").split():
        number = ref.split("/")[2]
        fork = None if number in merged else git("merge-base", history[-1], ref, ok=False)
        if fork in place and git.zones_tree(ref) and git.zones_tree(ref) != git.zones_tree(fork):
            never[int(number)] = fork
    return work, never


def follow(replay, work, never, every):
    """Plays the work in order; every commit between belongs to the main that follows it."""
    result, jobs, opened = replay.result, dict(work), {}
    waiting = {}
    for number, fork in never.items():
        waiting.setdefault(fork, []).append(number)
    first, last = replay.history.index(work[0][0]), replay.history.index(work[-1][0])
    for commit in replay.history[: first]:
        replay.ours.setdefault(commit, replay.main)
    for commit in replay.history[first : last + 1]:
        if commit in jobs:
            number = jobs[commit]
            name = f"#{number}" if number else commit[:9]
            try:
                kind, why, true = replay.play(commit, number)
            except Exception as error:  # whatever goes wrong with one is told, and the next is tried
                kind, why, true = "wrong", f"{type(error).__name__}: {error}", False
            result.add(name, kind, why, true)
            if result.done % every == 0:
                result.all_zones(replay.everything())
            result.progress()
        replay.ours[commit] = replay.main
        for number in waiting.pop(commit, []):
            opened[number] = unmerged(replay, number, None)
    result.all_zones(replay.everything())
    # Once more, as stale as they are by now.
    for number, here in opened.items():
        if here:
            unmerged(replay, number, here)
    result.whole = True


def unmerged(replay, number, again):
    when = "on main at the end" if again else "where it was made"
    try:
        here, told, wrong = replay.never(number, f"never-{number}", again)
    except Exception as error:
        here, told, wrong = None, "", f"{type(error).__name__}: {error}"
    replay.result.never(number, when, told, wrong)
    return here


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--count", type=int, default=40, help="merge requests to replay (40)")
    args.add_argument("--all", action="store_true", help="all of them")
    args.add_argument("--skip", type=int, default=0, help="start after this many")
    args.add_argument("--never", type=int, help="at most so many that were never merged (10 with --all, else 3)")
    args.add_argument("--bundle", default=os.environ.get("TRUEUP_REPLAY_BUNDLE") or os.path.join(ROOT, "..", "shared", "data", "ministryofjustice-dns.bundle"))
    args.add_argument("--trueup", default=os.environ.get("TRUEUP_PROGRAM") or os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "release", "trueup"))
    args.add_argument("--result", help="write the result as Markdown")
    args.add_argument("--keep", action="store_true", help="leave the folder with logs and repositories")
    args = args.parse_args()
    args.never = args.never if args.never is not None else 10 if args.all else 3
    if not os.path.exists(args.bundle):
        print(f"replay: skipped, there is no {args.bundle}; name the bundle with --bundle")
        return 0
    if not os.path.exists(args.trueup):
        sys.exit(f"replay: there is no {args.trueup}; build it with cargo build --release, or name it with --trueup")
    # Told to stop, it stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="trueup-replay-")
    running = []
    try:
        run("git", "clone", "-q", "--mirror", args.bundle, f"{folder}/mirror")
        # What the server merges is read where it is; git looks for the folder once, so it is there before the server makes the rest.
        os.makedirs(f"{folder}/data/repos/dns.git/objects")
        with open(f"{folder}/mirror/objects/info/alternates", "w") as out:
            out.write(f"{folder}/data/repos/dns.git/objects\n")
        git = Git(f"{folder}/mirror")
        running.append(git)
        history = git("rev-list", "--first-parent", "--reverse", "main").splitlines()
        history = history[next(n for n, commit in enumerate(history) if git.zones_tree(commit)) :]
        git("update-ref", "--no-deref", "HEAD", history[0])
        work, never = planned(git, history)
        work = work[args.skip : None if args.all else args.skip + args.count]
        span = history[history.index(work[0][0]) : history.index(work[-1][0]) + 1]
        choice = [number for number, fork in sorted(never.items()) if fork in set(span)]
        choice = [choice[len(choice) * n // args.never] for n in range(args.never)] if len(choice) > args.never else choice
        result = Result(len(work), len(never), {commit: git.subject(commit) + "\n" + git.read(commit).decode(errors="replace") for commit, _ in work})
        print(f"replay: {len(work)} merge requests and {len(choice)} of {len(never)} that were never merged; seeding the zones", flush=True)
        first = history[history.index(work[0][0]) - 1]
        zones = seeds(git, first, history)
        os.mkdir(f"{folder}/bind")
        bind = Bind(f"{folder}/bind", zones)
        running.insert(0, bind)
        server = Server(args.trueup, folder, bind)
        running.insert(0, server)
        replay = Replay(git, server, bind, history, result)
        running.append(replay.bare)
        replay.start(first)
        result.begin(server.process, bind.process)
        try:
            follow(replay, work, {number: never[number] for number in choice}, 50)
        finally:
            # Stopped before its end, it still says how far it came and what it saw.
            result.end(args.result, args.all)
        return 1 if result.wrong() else 0
    finally:
        for one in running:
            one.stop()
        if args.keep:
            print(f"replay: kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
