"""What came of the replay: counted, printed as it goes, and written as Markdown."""

import re, time

import judge
from servers import resident, seconds

KINDS = ("merged exactly", "refused", "wrong")


class Result:
    def __init__(self, total, unmerged, texts):
        """`texts`: commit → subject and message, by which reverts are known."""
        self.total, self.unmerged, self.texts = total, unmerged, texts
        self.counts = {(kind, true): 0 for kind in KINDS for true in (True, False)}
        self.anew = []
        self.rows, self.unjudged, self.backs, self.nevers, self.faults = [], {}, [], [], []
        self.done, self.sweeps, self.whole = 0, 0, False

    def begin(self, trueup, bind):
        self.trueup, self.bind = trueup, bind
        self.begun = self.last = time.monotonic()
        self.samples = [(0, 0.0, resident(trueup), seconds(trueup))]

    def add(self, name, kind, why, true):
        self.counts[kind, true] += 1
        self.done += 1
        if kind != "merged exactly":
            self.rows.append((name, kind, why, true))
            print(f"replay: {name} {kind}: {why[:400]}", flush=True)

    def all_zones(self, faults):
        self.sweeps += 1
        for fault in faults:
            self.fault(f"all zones after {self.done}: {fault}")

    def never(self, number, when, told, wrong):
        self.nevers.append((number, when, told, wrong))
        print(f"replay: #{number}, never merged, {when}: {told[:300]}{' WRONG ' + wrong if wrong else ''}", flush=True)
        if wrong:
            self.fault(f"#{number}, never merged, {when}: {wrong}")

    def fault(self, what):
        self.faults.append(what)
        print(f"replay: wrong: {what[:400]}", flush=True)

    def wrong(self):
        return self.counts["wrong", True] + self.counts["wrong", False] + len(self.faults)

    def count(self, kind):
        return self.counts[kind, True] + self.counts[kind, False]

    def progress(self):
        """A line every ten, with what it costs now and on average."""
        if self.done % 10 and self.done != self.total:
            return
        n, at, _, cpu = self.samples[-1]
        took, used = time.monotonic() - self.begun, seconds(self.trueup)
        rate, average = (self.done - n) / max(took - at, 1e-9), self.done / took
        self.samples.append((self.done, took, resident(self.trueup), used))
        left = int((self.total - self.done) / max(rate, 1e-9))
        counts = ", ".join(f"{self.count(kind)} {kind}" for kind in KINDS)
        print(
            f"replay: {self.done}/{self.total} {counts}; {rate:.2f}/s now, {average:.2f}/s on average, {left // 60}:{left % 60:02} left; "
            f"trueup {resident(self.trueup)} MB and {1000 * (used - cpu) / max(self.done - n, 1):.0f} ms of CPU each, BIND {resident(self.bind)} MB",
            flush=True,
        )

    def end(self, path, whole):
        took = time.monotonic() - self.begun
        print(f"replay: {', '.join(f'{self.count(kind)} {kind}' for kind in KINDS)} of {self.total} in {took:.0f}s{'' if self.whole else ', stopped before its end'}; {self.wrong()} wrong in all", flush=True)
        for fault, times in self.unjudged.items():
            print(f"replay: not judged, {times} times: octoDNS cannot read {fault}")
        if path:
            with open(path, "w") as out:
                out.write(self.text(took, whole))

    def text(self, took, whole):
        what = "all merge requests" if whole else f"the first {self.total} merge requests"
        out = f"# Replay of real merge requests\n\n`tests/replay/replay.py` wrote this page after replaying {what} that change zones in a public DNS repository (octoDNS YAML, some 400 zones)\n"
        out += "through the whole life on a running `trueup serve` with the local forge and a real BIND: push, merge request, plan, approval by somebody else, run, window, merge.\n"
        out += "After each merge the transfer of every touched zone must equal what octoDNS reads from the merged tree, the name server's own journal must hold only the difference,\n"
        out += "the merged tree must be the one history has, and a second plan must be empty. `tests/run` replays 40, `tests/run --all` all.\n\n"
        if not self.whole:
            out += f"It was stopped after {self.done} of {self.total}.\n\n"
        out += f"**{self.wrong()} wrong.**\n\n| what | true merge requests | the replay's own | together |\n|---|---|---|---|\n"
        for kind in KINDS:
            out += f"| {kind} | {self.counts[kind, True]} | {self.counts[kind, False]} | {self.count(kind)} |\n"
        sums = [sum(self.counts[kind, true] for kind in KINDS) for true in (True, False)]
        out += f"| all | {sums[0]} | {sums[1]} | {sum(sums)} |\n\n"
        out += "A merge request is a true one when its own head, on the commit it forked from, merges to the tree that history has. The replay's own bring commits that no merge\n"
        out += f"request brought, and those whose head is not in the history any more. All zones were compared {self.sweeps} times.\n"
        if self.anew:
            out += f"\n{len(self.anew)} zones were deleted and came again with other name servers ({', '.join(self.anew)}): a provider assigns those when it makes a zone, so the replay makes it first.\n"
        for kind, title in (("refused", "Refused"), ("wrong", "Wrong")):
            rows = [one for one in self.rows if one[1] == kind]
            if rows:
                out += f"\n## {title}\n\n" + "".join(f"- {name}: {plain(why)}\n" for name, _, why, _ in rows)
                if kind == "refused":
                    out += "\nHistory goes on past each: its tree and its zones are put where they went, outside of trueup.\n"
        out += "".join(f"- {plain(fault)}\n" for fault in self.faults)
        out += self.text_of_nevers() + self.text_of_backs()
        out += f"\n## What the judge leaves out\n\n{judge.LEFT_OUT}\n"
        out += "".join(f"- Not judged {times} times: octoDNS cannot read {plain(fault)}\n" for fault, times in sorted(self.unjudged.items()))
        return out + self.text_of_cost(took)

    def text_of_nevers(self):
        if not self.nevers:
            return ""
        out = f"\n## Never merged\n\n{len({one[0] for one in self.nevers})} of the {self.unmerged} merge requests that were never merged and change zones, spread evenly over time. Each is opened where it was made, on the main of\n"
        out += "that day, closed, and opened again at the end on a main that has gone on. Each must say what it would do or why it cannot, and nothing live may move.\n\n"
        return out + "| merge request | where it was made | on main at the end |\n|---|---|---|\n" + "".join(
            f"| #{number} | " + " | ".join(next((plain(told or wrong) for n, when, told, wrong in self.nevers if n == number and when.startswith(at)), "") for at in ("where", "on")) + " |\n"
            for number in dict.fromkeys(one[0] for one in self.nevers)
        )

    def text_of_backs(self):
        named = [commit for commit, text in self.texts.items() if re.search(r"\brevert", text, re.I)]
        backs = {commit for commit, _ in self.backs}
        out = f"\n## Reverts\n\n{len(backs)} merges brought {len(self.backs)} zone files back to bytes they had before: each zone had to be exactly what it was then, whatever had happened in between.\n"
        out += f"{len(named)} merges say that they revert something; {len([one for one in named if one in backs])} of them are among these, the others leave the file as it never was before and are judged as any other.\n"
        return out

    def text_of_cost(self, took):
        out = f"\n## Cost\n\n{self.done} merge requests took {took:.0f} s, {self.done / took:.2f} a second, with a window of 0.2 s each. It is no benchmark: the machine did other work. What must not grow with the\n"
        out += "number of past changes is the CPU time of trueup (its git programs included) and its memory:\n\n| merge requests | CPU each | memory |\n|---|---|---|\n"
        step = max(1, (len(self.samples) - 1) // 10)
        marks = self.samples[::step] if (len(self.samples) - 1) % step == 0 else [*self.samples[::step], self.samples[-1]]
        for (n, _, _, before), (m, _, memory, cpu) in zip(marks, marks[1:]):
            out += f"| {n + 1}–{m} | {1000 * (cpu - before) / max(m - n, 1):.0f} ms | {memory} MB |\n"
        return out


def plain(text):
    """A fault on one line of a Markdown list or table."""
    text = re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) < 400 else text[:400] + "…"
