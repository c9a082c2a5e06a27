//! Plays a story line by line: people act at their forge, and what is expected is waited for.

use super::{
    stage::{FIRST, Scene, Stage, octodns, zone_file},
    words::{Edits, Line, On, Story},
};
use crate::harness::wait_for;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// Far above what anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(600);

/// Whoever asks all the time keeps those busy who should get it done.
const PAUSE: Duration = Duration::from_millis(300);

/// What takes long is asked for less and less often.
const SLOWEST: Duration = Duration::from_secs(2);

/// Plays a story to its end; what stands against it, with file and line.
pub fn play(stage: &Stage, story: &Story) -> Result<(), String> {
    let first: BTreeMap<String, String> = FIRST.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect();
    let mut play = Play { stage, scene: stage.scene(&story.name), story, numbers: BTreeMap::new(), it: String::new(), main: first, branches: BTreeMap::new(), said: 0 };
    for (line, act) in &story.lines {
        let done = catch_unwind(AssertUnwindSafe(|| play.act(act))).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            Err(said.unwrap_or_else(|| "it panicked".into()))
        });
        done.map_err(|why| format!("tests/real/forges/stories/{}.story:{line}: {why}", story.name))?;
    }
    Ok(())
}

/// What a branch was made from, and what it holds now.
#[derive(Clone, Default)]
struct Branch {
    from: BTreeMap<String, String>,
    now: BTreeMap<String, String>,
}

struct Play<'a> {
    stage: &'a Stage,
    scene: &'a Scene,
    story: &'a Story,
    /// The requests by their branches.
    numbers: BTreeMap<String, u64>,
    /// The branch of the last one.
    it: String,
    /// What `main` asks for, as far as the story merged something.
    main: BTreeMap<String, String>,
    branches: BTreeMap<String, Branch>,
    /// The last comment of a person.
    said: u64,
}

impl Play<'_> {
    fn act(&mut self, line: &Line) -> Result<(), String> {
        let hands = &*self.scene.hands;
        match line {
            Line::Opens { who, branch, edits, draft, fork } => {
                let title = if *draft { format!("WIP: {branch}") } else { branch.clone() };
                let files = self.edited(branch, edits, false);
                let number = if *fork {
                    hands.open_from_fork(who, branch, &lent(&files), &title)
                } else {
                    hands.push(who, branch, &lent(&files));
                    hands.open(who, branch, &title, "")
                };
                self.numbers.insert(branch.clone(), number);
                self.it.clone_from(branch);
            }
            Line::Pushes { who, branch, edits, anew } => {
                let files = self.edited(branch, edits, *anew);
                let hands = &*self.scene.hands;
                if *anew {
                    hands.force_push(who, branch, &lent(&files))
                } else {
                    hands.push(who, branch, &lent(&files))
                };
            }
            Line::Branches { who, branch, edits } => {
                let files = self.edited(branch, edits, false);
                self.scene.hands.push(who, branch, &lent(&files));
            }
            Line::Renames { who, branch, to } => {
                hands.rename(who, branch, to);
                let records = self.branches.get(branch).cloned().unwrap_or_default();
                self.branches.insert(to.clone(), records);
            }
            Line::Approves { who, on } => self.approves(who, on)?,
            Line::Comments { who, on, text } => self.said = self.comments(who, on, text)?,
            Line::EditsComment { who, text } => {
                self.another_second();
                hands.edit_comment(self.said, who, text);
            }
            Line::DeletesOurs { who } => {
                let (id, _) = self.sticky(&On::It).ok_or("there is no comment of ours")?;
                hands.delete_comment(id, who);
            }
            Line::Reviews { who, on, good } => {
                if *good {
                    self.reads(on)?;
                }
                self.another_second();
                let number = self.number(on)?;
                if *good { hands.approve(number, who) } else { hands.request_changes(number, who) }
            }
            Line::Dismisses { who, whose } => hands.dismiss(self.number(&On::It)?, who, whose),
            Line::Drafts { who, on, draft } => {
                let branch = self.branch(on);
                hands.describe(self.number(on)?, who, &if *draft { format!("WIP: {branch}") } else { branch }, "");
            }
            Line::Retargets { who, on, to } => hands.retarget(self.number(on)?, who, to),
            Line::Closes { who, on } => hands.close(self.number(on)?, who),
            Line::Reopens { who, on } => hands.reopen(self.number(on)?, who),
            Line::MergesByHand { who, on } => hands.merge(self.number(on)?, who),
            Line::Depends { who, on, first } => {
                let first = self.number(&On::Branch(first.clone()))?;
                hands.describe(self.number(on)?, who, &self.branch(on), &format!("Depends-On: !{first}"));
            }
            Line::Labels { who, on, label, set } => hands.label(self.number(on)?, who, label, *set),
            Line::Checks { who, on, context, state } => {
                let head = hands.tip(&self.branch(on)).ok_or("the branch is gone")?;
                hands.status(&head, who, context, state);
            }
            Line::OnlyNewest { who } => hands.only_newest(who),
            Line::ByHand { name, address } => {
                let zone = &self.scene.zone;
                self.stage.dns.by_hand(zone, &format!("update delete {name}.{zone} A\nupdate add {name}.{zone} 300 A {address}"));
            }
            Line::Health(health) => self.stage.health(&self.story.name, *health),
            Line::Waits { on } => self.asked(on)?,
            Line::WaitsFor { on, text } => self.until(on, &format!("wait for {text:?}"), |show| show["waits_for"].as_str().is_some_and(|waits| waits.contains(text)))?,
            Line::Is { on, phase } => self.until(on, &format!("be {phase}"), |show| show["phase"] == phase.as_str())?,
            Line::Still { on, phase } => {
                let show = self.show(on)?;
                if show["phase"] != phase.as_str() {
                    return Err(format!("it is {}, and waits for {}", show["phase"], show["waits_for"]));
                }
            }
            Line::Merges { on } => self.merges(on)?,
            Line::Before { first, second } => self.before(first, second)?,
            Line::Answers { on, text } => {
                let number = self.number(on)?;
                let answered = |(_, by, body): &(u64, String, String)| by == "trueup" && !is_sticky(body) && body.contains(text);
                self.until_held(on, &format!("answer {text:?}"), || hands.comments(number).iter().any(answered))?;
            }
            Line::Says { on, text } => self.until_held(on, &format!("say {text:?}"), || self.sticky(on).is_some_and(|(_, body)| body.contains(text)))?,
            Line::Tells { on, text } => {
                let number = self.number(on)?;
                self.until_held(on, &format!("tell {text:?}"), || self.stage.journal(self.scene, number).contains(text))?;
            }
            Line::Status { on, context, state } => {
                let head = hands.tip(&self.branch(on)).ok_or("the branch is gone")?;
                self.until_held(on, &format!("show {context} as {state}"), || hands.statuses(&head).get(context).is_some_and(|(stands, _)| stands == state))?;
            }
            Line::Labelled { on, label } => {
                let number = self.number(on)?;
                self.until_held(on, &format!("be labelled {label}"), || hands.labels(number).contains(label))?;
            }
            Line::Bind { name, address, still: true } => {
                if !self.answers(name, address) {
                    return Err(format!("BIND holds {:?}", self.stage.dns.records(&self.scene.zone)));
                }
            }
            Line::Bind { name, address, still: false } => {
                self.until_held(&On::It, &format!("have BIND answer {name} {address}"), || self.answers(name, address))?;
            }
            Line::Main { text, holds } => {
                let file = hands.file("main", &zone_file(&self.scene.zone)).unwrap_or_default();
                if file.contains(text) != *holds {
                    return Err(format!("main holds:\n{file}"));
                }
            }
        }
        Ok(())
    }

    fn branch(&self, on: &On) -> String {
        match on {
            On::It => self.it.clone(),
            On::Branch(branch) => branch.clone(),
        }
    }

    fn number(&self, on: &On) -> Result<u64, String> {
        let branch = self.branch(on);
        self.numbers.get(&branch).copied().ok_or_else(|| format!("nobody opened a request from `{branch}` yet"))
    }

    /// The files of a push, with what the branch holds after it kept in mind.
    fn edited(&mut self, branch: &str, edits: &Edits, anew: bool) -> Vec<(String, String)> {
        let made = || Branch { from: self.main.clone(), now: self.main.clone() };
        let mut held = self.branches.get(branch).filter(|_| !anew).cloned().unwrap_or_else(made);
        let mut files = Vec::new();
        for (name, value) in &edits.0 {
            if name.contains('.') {
                files.push((name.clone(), format!("{value}\n")));
            } else if value == "gone" {
                held.now.remove(name);
            } else {
                held.now.insert(name.clone(), value.clone());
            }
        }
        if files.len() < edits.0.len() {
            files.push((zone_file(&self.scene.zone), octodns(&self.scene.zone, &held.now)));
        }
        self.branches.insert(branch.to_owned(), held);
        files
    }

    fn show(&self, on: &On) -> Result<Value, String> {
        Ok(self.stage.show(self.scene, self.number(on)?))
    }

    fn until_held(&self, on: &On, what: &str, mut holds: impl FnMut() -> bool) -> Result<(), String> {
        let mut pause = PAUSE;
        let found = wait_for(LONG, || {
            let holds = holds() || wait_for(pause, || false);
            pause = (pause * 5 / 4).min(SLOWEST);
            holds
        });
        if found {
            return Ok(());
        }
        let show = self.show(on)?;
        let ours: Vec<String> =
            self.scene.hands.comments(self.number(on)?).into_iter().filter(|(_, by, body)| by == "trueup" && !is_sticky(body)).map(|(_, _, body)| body).collect();
        Err(format!("it did not {what}; it is {}, waits for {}, and answered {ours:?}", show["phase"], show["waits_for"]))
    }

    fn until(&self, on: &On, what: &str, holds: impl Fn(&Value) -> bool) -> Result<(), String> {
        let number = self.number(on)?;
        self.until_held(on, what, || holds(&self.stage.show(self.scene, number)))
    }

    /// Until people are asked to approve the plan of what is pushed now.
    fn asked(&self, on: &On) -> Result<(), String> {
        let tip = self.scene.hands.tip(&self.branch(on));
        self.until(on, "wait for approval", |show| show["phase"] == "awaiting_approval" && (tip.is_none() || show["head"].as_str() == tip.as_deref()) && show["digest"].is_string())
    }

    fn answers(&self, name: &str, address: &str) -> bool {
        self.stage.dns.records(&self.scene.zone).iter().any(|line| line.starts_with(&format!("{name}.")) && line.ends_with(&format!(" A {address}")))
    }

    /// Our comment that is edited in place.
    fn sticky(&self, on: &On) -> Option<(u64, String)> {
        let all = self.scene.hands.comments(self.number(on).ok()?);
        all.into_iter().find(|(_, by, body)| by == "trueup" && is_sticky(body)).map(|(id, _, body)| (id, body))
    }

    /// Waits for another second than the one in which somebody read what stands there: forges tell no less.
    fn another_second(&self) {
        let now = jiff::Timestamp::now().as_second();
        assert!(wait_for(LONG, || jiff::Timestamp::now().as_second() > now), "the clock stands still");
    }

    fn comments(&self, who: &str, on: &On, text: &str) -> Result<u64, String> {
        self.another_second();
        Ok(self.scene.hands.comment(self.number(on)?, who, text))
    }

    /// Somebody reads the plan that stands where the forge shows it: an approval of what was not shown is none.
    fn reads(&self, on: &On) -> Result<(), String> {
        self.until_held(on, "show its plan", || {
            let show = self.show(on).unwrap_or_default();
            let digest = show["digest"].as_str().and_then(|digest| digest.get(..12));
            digest.is_some_and(|digest| self.sticky(on).is_some_and(|(_, body)| body.contains(digest)))
        })
    }

    /// Somebody approves the plan that stands, and reads it again where it was made anew while they wrote.
    fn approves(&self, who: &str, on: &On) -> Result<(), String> {
        let number = self.number(on)?;
        let stale = || self.scene.hands.comments(number).iter().filter(|(_, by, body)| by == "trueup" && body.contains("was shown only after you wrote that")).count();
        loop {
            let before = stale();
            self.reads(on)?;
            self.comments(who, on, "/trueup approve")?;
            let mut heard = false;
            self.until_held(on, &format!("hear {who}'s approval"), || {
                let show = self.stage.show(self.scene, number);
                let mut given = show["approvals"].as_array().into_iter().flatten().flat_map(|rule| rule["given"].as_array().into_iter().flatten());
                heard = !matches!(show["phase"].as_str(), None | Some("awaiting_approval" | "planning" | "empty")) || given.any(|one| one["by"] == who && one["void"].is_null());
                heard || stale() > before
            })?;
            if heard {
                return Ok(());
            }
            self.until(on, "be planned", |show| matches!(show["phase"].as_str(), Some("awaiting_approval" | "empty")))?;
        }
    }

    /// Until it is merged by us; what it brought is what main asks for.
    fn merges(&mut self, on: &On) -> Result<(), String> {
        self.until(on, "merge", |show| show["phase"] == "merged")?;
        let mine = self.branches.get(&self.branch(on)).cloned().unwrap_or_default();
        let file = self.scene.hands.file("main", &zone_file(&self.scene.zone)).unwrap_or_default();
        self.main.retain(|name, _| mine.now.contains_key(name) || !mine.from.contains_key(name));
        for (name, address) in mine.now.into_iter().filter(|(name, address)| mine.from.get(name) != Some(address)) {
            if !file.lines().any(|line| line.trim() == format!("value: {address}")) {
                return Err(format!("main does not hold {name} {address}:\n{file}"));
            }
            self.main.insert(name, address);
        }
        Ok(())
    }

    /// Both merge, and the first starts first.
    fn before(&mut self, first: &str, second: &str) -> Result<(), String> {
        let mut starts = Vec::new();
        for branch in [first, second] {
            let on = On::Branch(branch.to_owned());
            self.merges(&on)?;
            let started = self.show(&on)?["times"]["started"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            starts.push(started.ok_or_else(|| format!("{branch} says not when it started"))?);
        }
        if starts[0] < starts[1] { Ok(()) } else { Err(format!("{first} started at {}, {second} at {}", starts[0], starts[1])) }
    }
}

fn is_sticky(body: &str) -> bool {
    body.contains("<!-- trueup:change ")
}

fn lent(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
}
