//! The verbs of scenario files, one function a verb.

use super::{
    plans::{self, id, value},
    trace,
    world::{World, right},
};
use trueup::core::{
    model::{CommitId, Digest, Health, MrId, Place, Refusal, RefusalKind, RepoId, Saw, Span, Time, TreeId, User},
    review::{Check, Command, Depended, Dependency, MrState, Review, Right, Team, command, team_of},
    run::{ClaimAnswer, Effect, Input, MergeAnswer, PlanResult},
};

/// Does one line and tells what followed.
pub fn run(world: &mut World, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (verb, rest) = words.split_first().expect("a verb");
    match *verb {
        "see" => see(world, rest),
        "say" => world.comment(rest[0], &format!("/trueup {}", name_digest(world, &rest[1..].join(" ")))),
        // Written before, and read with the next look.
        "said" => world.comment_at(Time(world.now.0 - span(rest[1])), rest[0], &format!("/trueup {}", rest[2..].join(" "))),
        // Somebody answers for a drift, and the server has what it may have held up planned again.
        "again" => world.hear(&[Input::Command { by: User::new(rest[0]), right: Right::Approve, command: Command::PlanAgain, plan: None }]),
        "page" => page(world, rest, world.change.digest()),
        // Kept in the inbox while another plan came.
        "late" => page(world, rest, Some(Digest([7; 32]))),
        "plan" => plan(world, rest),
        "next" => world.next_plan = plans::read(rest),
        "live" => live(world, rest),
        "health" => world.health = if rest[0] == "good" { Health::Current } else { Health::InProgress(rest.join(" ").into()) },
        "probe" => probe(world, rest),
        "fact" => drop(world.facts.insert(rest[0].to_owned(), rest[1].parse().expect("a number"))),
        "claims" => claims(world, rest),
        "act" => world.act(rest[0], &rest[1..]),
        "read" => read(world, rest),
        "merge" => merge(world, rest),
        "unbacked" => world.hear(&[Input::Unbacked([MrId { repo: RepoId::new("infra"), number: rest[0].parse().expect("a number") }].into())]),
        "owners" => world.hear(&[Input::OwnersMoved]),
        "halt" => world.hear(&[Input::Halt(rest[0] == "on")]),
        "tick" => world.pass(Time(world.now.0 + span(rest[0]))),
        "clock" => clock(world, rest[0]),
        "auto" => world.auto(),
        "crash" => world.crash(),
        "reply" => reply(world, rest[0]),
        // The forge is slow to show what it is told, and shows it at last.
        "hides" => world.hides = true,
        "shows" => {
            world.hides = false;
            world.shows = world.shows.map(|(plan, _)| (plan, world.now));
            world.shown();
        }
        "state" => return unnamed(world, state(world)),
        "wrote" => return wrote(world),
        other => panic!("no such verb: {other}"),
    }
    let mut out = trace::take(world);
    out.push(trace::state(world));
    unnamed(world, out)
}

/// Digests as words, so that a scenario says the same when the digest's own rules change.
fn unnamed(world: &World, lines: Vec<String>) -> Vec<String> {
    let exemption = world.change.exemption().map(|shown| shown.except.digest.short());
    let name = |line: String| exemption.as_ref().map_or(line.clone(), |digest| line.replace(digest, "EXEMPTION"));
    let Some(digest) = world.change.digest() else { return lines };
    lines.into_iter().map(|line| name(line.replace(&digest.short(), "DIGEST"))).collect()
}

/// `DIGEST` stands for the plan's digest, `EXEMPTION` for that of what was skipped, `OLD` for another.
fn name_digest(world: &World, text: &str) -> String {
    let digest = world.change.digest().map(|digest| digest.short()).unwrap_or_default();
    let exemption = world.change.exemption().map(|shown| shown.except.digest.short()).unwrap_or_default();
    text.replace("EXEMPTION", &exemption).replace("DIGEST", &digest).replace("OLD", "0123456789ab")
}

fn reply(world: &mut World, to: &str) {
    let Some(Effect::Reply { to, text, .. }) = world.open.get(&format!("reply {to}")).cloned() else { panic!("no reply to {to} is open") };
    world.hear(&[Input::Replied { to, text }]);
}

fn span(text: &str) -> i64 {
    i64::try_from(Span::parse(text).expect("a span").0).expect("a short span")
}

/// `see head=h2 base=b2 draft=yes check:ci=success threads=1 state=closed review=bob trusted=no`.
fn see(world: &mut World, words: &[&str]) {
    for word in words {
        let (key, is) = word.split_once('=').expect("key=value");
        let sighting = &mut world.sighting;
        match key {
            // `team:platform/sre=carl,dan`; `=?` where the forge does not tell.
            team if let Some(team) = team_of(team) => {
                let told = if is == "?" { Team::Unread("404".into()) } else { Team::Members(is.split(',').map(User::new).collect()) };
                sighting.teams.insert(team.into(), told);
            }
            "head" => sighting.head = CommitId::new(is),
            "base" => sighting.base = CommitId::new(is),
            "into" => sighting.base_branch = is.into(),
            // `depends=!8:open`, `depends=!8:merged`, `depends=none`.
            "depends" => sighting.depends_on = depends(is),
            "incident" => sighting.incident = (is != "no").then(|| User::new(is)),
            "draft" => sighting.draft = is == "yes",
            "title" => sighting.title = is.into(),
            "threads" => sighting.unresolved_threads = is.parse().expect("a number"),
            "trusted" => sighting.author_trusted = is == "yes",
            "pusher" => drop(sighting.pushers.insert(User::new(is))),
            "review" if is == "none" => sighting.reviews.clear(),
            "unread" => sighting.unread = (is != "none").then(|| is.into()).into_iter().collect(),
            "review" => sighting.reviews.push(Review { by: User::new(is), right: right(is), at: world.now, head: sighting.head.clone() }),
            "state" => {
                sighting.state = match is {
                    "open" => MrState::Open,
                    "closed" => MrState::Closed,
                    by if by.starts_with("with:") => {
                        let with = MrId { repo: RepoId::new("infra"), number: by[5..].parse().expect("a number") };
                        MrState::Merged { commit: CommitId::new("x1"), by: User::new("trueup"), with: Some(with) }
                    }
                    by => MrState::Merged { commit: CommitId::new("x1"), by: User::new(by), with: None },
                }
            }
            check => {
                let name = check.strip_prefix("check:").expect("a known key");
                let state = match is {
                    "success" => Check::Success,
                    "failure" => Check::Failure,
                    _ => Check::Pending,
                };
                sighting.checks.insert(name.into(), state);
            }
        }
    }
    world.see();
}

fn depends(text: &str) -> Vec<Dependency> {
    let other = |number: &str| MrId { repo: RepoId::new("infra"), number: number.trim_start_matches('!').parse().expect("a number") };
    let one = |word: &str| {
        let (said, state) = word.split_once(':').expect("!number:state");
        let state = match state {
            "merged" => Depended::Merged,
            "open" => Depended::Open(other(said)),
            "closed" => Depended::Closed(other(said)),
            "unknown" => Depended::Unknown,
            "cycle" => Depended::Cycle(vec![other(said)]),
            state => panic!("no such state: {state}"),
        };
        Dependency { said: said.into(), state }
    };
    text.split(',').filter(|word| *word != "none").map(one).collect()
}

/// A command by page or CLI.
fn page(world: &mut World, words: &[&str], plan: Option<Digest>) {
    let said = command::parse(&format!("/trueup {}", words[1..].join(" "))).remove(0);
    world.hear(&[Input::Command { by: User::new(words[0]), right: right(words[0]), command: said, plan }]);
}

fn plan(world: &mut World, words: &[&str]) {
    let result = match words.first() {
        Some(&"refused") => PlanResult::Refused(vec![Refusal::new(RefusalKind::Syntax, words[1..].join(" ")).at(Place::new("dns/example.com.yaml", 3, 1))]),
        Some(&"drifted") => PlanResult::Refused(vec![Refusal::new(RefusalKind::Drift, words[1..].join(" "))]),
        Some(&"conflict") => PlanResult::Conflicted(words[1..].iter().map(|path| (*path).into()).collect()),
        Some(&"failed") => PlanResult::Failed { why: words[1..].join(" ") },
        _ => {
            let (plan, policy) = plans::read_after(words, &world.change.ledger().earlier());
            world.next_plan = (plan.clone(), policy.clone());
            for write in plan.steps.values().flat_map(|step| step.writes()) {
                // What nobody spoke of yet is as the plan says it is.
                if let Some(from) = &write.from
                    && !world.live.contains_key(&write.id)
                {
                    world.live.insert(write.id.clone(), from.clone());
                }
            }
            PlanResult::Plan { plan, policy }
        }
    };
    world.plan(result);
}

/// What a probe sees from here on: `probe /a good`, `probe /a bad answered 503`, `probe /a nothing timed out`; or the open one is answered late: `probe /a`.
fn probe(world: &mut World, words: &[&str]) {
    let text = || words[2..].join(" ").into();
    let saw = match words.get(1) {
        None => return world.probed(words[0]),
        Some(&"good") => Saw::Good("answered 200".into()),
        Some(&"bad") => Saw::Bad(text()),
        Some(&"nothing") => Saw::Nothing(text()),
        Some(&"hangs") => {
            world.hangs.insert(words[0].to_owned());
            return;
        }
        Some(other) => panic!("no such answer: {other}"),
    };
    world.hangs.remove(words[0]);
    world.probes.insert(words[0].to_owned(), saw);
}

/// A hand edits the live system: `live www=5`.
fn live(world: &mut World, words: &[&str]) {
    for word in words {
        let (name, is) = word.split_once('=').expect("name=value");
        match value(is) {
            Some(is) => drop(world.live.insert(id(name), is)),
            None => drop(world.live.remove(&id(name))),
        }
    }
}

fn claims(world: &mut World, words: &[&str]) {
    let n = world.open.values().filter_map(|effect| if let Effect::Claim { n, .. } = effect { Some(*n) } else { None }).max().expect("a claim is open");
    let answer = match words {
        ["granted"] => ClaimAnswer::Granted,
        ["queued", number] => {
            let mr = MrId { repo: RepoId::new("infra"), number: number.parse().expect("a number") };
            ClaimAnswer::Queued { ahead: vec![(mr, "holds www".to_owned())] }
        }
        other => panic!("no such answer: {other:?}"),
    };
    world.hear(&[Input::Claimed { n, answer }]);
}

/// `read start`, `read proof 1`, `read sample`, with `error WHY`.
fn read(world: &mut World, words: &[&str]) {
    let at = words.iter().position(|word| *word == "error").unwrap_or(words.len());
    let wanted = format!("read {}", words[..at].join(" "));
    let about = world.open.keys().rev().find(|about| about.starts_with(&wanted)).unwrap_or_else(|| panic!("no {wanted} is open: {:?}", world.open.keys()))[5..].to_owned();
    let error = words.get(at + 1..).map(|words| words.join(" "));
    world.read(&about, error.as_deref());
}

fn merge(world: &mut World, words: &[&str]) {
    let Some(Effect::Merge(ticket)) = world.open.get("merge").cloned() else { panic!("no merge is open") };
    let merged = |tree| MergeAnswer::Merged { commit: CommitId::new("m1"), parents: Vec::new(), tree };
    world.merge(match words {
        ["ok"] => merged(ticket.tree().clone()),
        ["wrong-tree"] => merged(TreeId::new("other")),
        ["elsewhere", branch] => MergeAnswer::Elsewhere { commit: CommitId::new("m1"), branch: (*branch).into() },
        ["moved"] => MergeAnswer::Moved { why: "base moved".to_owned() },
        ["refused", why @ ..] => MergeAnswer::Refused { transient: false, why: why.join(" ") },
        ["waits"] => MergeAnswer::waits("another replica merges first"),
        ["busy"] => MergeAnswer::Refused { transient: true, why: "the forge is busy".to_owned() },
        other => panic!("no such answer: {other:?}"),
    });
}

/// The machine's clock jumps: `clock -1h`.
fn clock(world: &mut World, by: &str) {
    let (sign, by) = if let Some(by) = by.strip_prefix('-') { (-1, by) } else { (1, by.trim_start_matches('+')) };
    world.now = Time(world.now.0 + sign * span(by));
    world.hear(&[Input::Tick]);
}

/// What all runs wrote, one by one.
fn wrote(world: &World) -> Vec<String> {
    let is = |value: &Option<_>| value.as_ref().map_or_else(|| "absent".to_owned(), ToString::to_string);
    let one = |earlier: trueup::core::plan::Earlier| {
        let healthy = if earlier.healthy { ", healthy since" } else { "" };
        format!("{} {} → {} at {}{healthy}", earlier.id, is(&earlier.from), is(&earlier.to), earlier.at)
    };
    world.change.ledger().earlier().into_iter().map(one).collect()
}

/// Everything there is to know, for people who read the file.
fn state(world: &World) -> Vec<String> {
    let mut out = vec![trace::state(world)];
    for rule in world.change.approvals() {
        out.push(format!("approvals: {} of {}, by {:?}", rule.needed - rule.missing.min(rule.needed), rule.needed, rule.given.iter().map(User::as_str).collect::<Vec<_>>()));
    }
    let ledger = world.change.ledger();
    if let Some(plan) = world.change.plan() {
        out.extend(plan.steps.keys().map(|step| format!("step {step}: {:?} {:?}", ledger.doing(*step), ledger.items(*step))));
    }
    if let Some(shown) = world.change.exemption() {
        for item in &shown.except.items {
            out.push(format!(
                "except: step {} {}: {}, by {} until {}",
                item.step,
                item.id.as_ref().map_or_else(String::new, ToString::to_string),
                item.reason,
                item.by,
                item.until
            ));
        }
        out.push(format!("exempted by {:?}, {} missing", shown.given.iter().map(User::as_str).collect::<Vec<_>>(), shown.missing));
    }
    out.extend(ledger.faults().iter().map(|(item, fault)| format!("fault {}.{}: {}", item.step, item.item, fault.why)));
    out.extend(world.change.applied().iter().map(|(id, is)| format!("ahead: {id} = {}", is.as_ref().map_or_else(|| "absent".to_owned(), ToString::to_string))));
    out
}
