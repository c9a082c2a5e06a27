//! What must stand at a forge for a repository to be governed there: one list for each, which `trueup doctor` reads and `trueup forge setup` makes true.

use super::NetError;
use crate::{
    core::model::{RepoId, Str},
    ports::{Exam, Found, Furnished, Fut, Outcome, Wish},
};
use reqwest::Method;
use serde_json::Value as Json;

/// What a server goes without while no webhook tells it of news.
const LATE: &str = "until then news is found by the sweep alone";

/// One thing that must stand.
#[derive(Clone, Debug)]
pub struct Need {
    /// What it is: `repository dns: webhook`.
    pub about: String,
    /// What is seen of it; not one is empty.
    pub exams: Vec<Exam>,
    /// What makes it true, in this order; none where nothing is to be done, or a person must do it.
    pub mends: Vec<Mend>,
    /// What a person does where we may not.
    pub by_hand: String,
}

/// One request that makes something true.
#[derive(Clone, Debug)]
pub struct Mend {
    /// What it does, as an order: `protect main: …`.
    pub does: String,
    pub method: Method,
    pub path: String,
    pub body: Json,
}

impl Need {
    /// Something that is looked at and that nobody but a person can change.
    pub fn seen(exam: Exam) -> Self {
        Self { about: exam.about.clone(), by_hand: exam.next.clone().unwrap_or_default(), exams: vec![exam], mends: Vec::new() }
    }

    /// A rule that takes only what is up to date; people may mean it.
    pub fn newest(about: &str, why: &str) -> Self {
        let said = format!("{why}: each merge makes every other open request wait for a rebase, also one that is written already");
        Self::seen(Exam::warn(about, said, "take that rule off: each plan is made over the newest of the branch, and what lands is compared with it"))
    }

    /// A webhook that is not there; `make` makes it.
    pub fn no_hook(about: &str, url: &str, make: Mend, by_hand: String) -> Self {
        let exam = Exam::warn(about, format!("none leads to {url}"), format!("`trueup forge setup` makes it; {LATE}"));
        Self { about: about.to_owned(), exams: vec![exam], mends: vec![make], by_hand }
    }

    /// A webhook that is there, and what is `wrong` with it. `mends`: made of what they do, where there is something to do; `anew` says its secret again in any case.
    pub fn hook(about: &str, url: &str, wrong: &[String], anew: bool, by_hand: String, mends: impl FnOnce(String) -> Vec<Mend>) -> Self {
        let (well, wrong) = (wrong.is_empty(), wrong.join(", "));
        let exam = match well {
            true => Exam::ok(about, format!("{url} hears of everything")),
            false => Exam::warn(about, format!("{url} {wrong}"), format!("`trueup forge setup` mends it; {LATE}")),
        };
        if well && !anew {
            return Self::seen(exam);
        }
        let does = if well { "set the webhook's secret again".to_owned() } else { format!("mend the webhook, which {wrong}") };
        Self { about: about.to_owned(), exams: vec![exam], mends: mends(does), by_hand }
    }

    /// The labels that are missing; they are made when they are first set, too. `known`: those that are there; `make` is the request for one.
    pub fn labels(about: &str, wanted: &[Str], known: Result<Vec<String>, NetError>, same: fn(&str, &str) -> bool, by_hand: &str, make: impl Fn(&str, String) -> Mend) -> Self {
        let known = match known {
            Ok(known) => known,
            Err(error) => return Self::seen(Exam::warn(about, error.to_string(), "try again; labels are made when they are first set")),
        };
        let missing = wanted.iter().filter(|name| !known.iter().any(|there| same(there, name)));
        let mends: Vec<Mend> = missing.map(|name| make(name, format!("make the label `{name}`"))).collect();
        let said = format!("{} of {} are there, and what is missing is made when it is first set", wanted.len() - mends.len(), wanted.len());
        Self { about: about.to_owned(), exams: vec![Exam::ok(about, said)], mends, by_hand: by_hand.to_owned() }
    }

    /// Whether there is something to do.
    fn stands(&self) -> bool {
        self.mends.is_empty() && self.exams.iter().all(|exam| exam.found == Found::Ok)
    }

    /// What is wrong with it, in one line; what is well where nothing is.
    fn said(&self) -> String {
        let wrong: Vec<&str> = self.exams.iter().filter(|exam| exam.found != Found::Ok).map(|exam| &*exam.said).collect();
        if wrong.is_empty() { self.exams.iter().map(|exam| &*exam.said).collect::<Vec<_>>().join("; ") } else { wrong.join("; ") }
    }
}

/// A forge that can be set up.
pub trait Furnishes: Sync {
    /// Everything that must stand for a repository, as it is now.
    fn needs<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish) -> Fut<'a, Vec<Need>>;

    /// Sends one request.
    fn mend<'a>(&'a self, repo: &'a RepoId, mend: &'a Mend) -> Fut<'a, Result<(), NetError>>;
}

/// Makes everything stand that can be made to; `dry`: says what it would do and sends nothing that writes.
///
/// What was sent is read back: only what then stands counts as made.
pub async fn furnish(forge: &dyn Furnishes, repo: &RepoId, wish: &Wish, dry: bool) -> Vec<Furnished> {
    let mut out = Vec::new();
    let mut tried: Vec<(String, Vec<String>, Option<NetError>)> = Vec::new();
    for need in forge.needs(repo, wish).await {
        if need.stands() {
            out.push(Furnished { about: need.about.clone(), outcome: Outcome::Stands, said: need.said(), next: None });
        } else if need.mends.is_empty() {
            out.push(Furnished { about: need.about.clone(), outcome: Outcome::Lacks, said: need.said(), next: Some(need.by_hand) });
        } else if dry {
            let does = need.mends.iter().map(|mend| mend.does.clone()).collect::<Vec<_>>().join("; ");
            out.push(Furnished { about: need.about.clone(), outcome: Outcome::Would, said: does, next: None });
        } else {
            let (mut does, mut refused) = (Vec::new(), None);
            for mend in &need.mends {
                match forge.mend(repo, mend).await {
                    Ok(()) => does.push(mend.does.clone()),
                    // What comes after may take away what stands, for what was not made.
                    Err(error) => {
                        refused = Some(error);
                        break;
                    }
                }
            }
            tried.push((need.about, does, refused));
        }
    }
    if tried.is_empty() {
        return out;
    }
    let after = forge.needs(repo, wish).await;
    for (about, does, refused) in tried {
        let now = after.iter().find(|need| need.about == about);
        let stands = now.is_some_and(|need| need.exams.iter().all(|exam| exam.found == Found::Ok));
        let next = now.map(|need| need.by_hand.clone());
        out.push(match refused {
            // Good to have, and nothing that a change waits for.
            Some(error) if stands => Furnished { about, outcome: Outcome::Stands, said: format!("{}; more was refused: {error}", now.map_or_else(String::new, Need::said)), next },
            Some(error) => Furnished { about, outcome: Outcome::Lacks, said: error.to_string(), next },
            None if stands => Furnished { about, outcome: Outcome::Made, said: does.join("; "), next: None },
            None => {
                let said = now.map_or_else(|| "it cannot be read back".to_owned(), |need| format!("it was asked for, and is not so: {}", need.said()));
                Furnished { about, outcome: Outcome::Lacks, said, next }
            }
        });
    }
    out
}

/// What a person is told who must make a webhook by hand.
pub fn hook_by_hand(url: &str, events: &str) -> String {
    format!("make it by hand in the repository's settings: {url}, content type JSON, the secret that `webhook_secret` names, TLS verified, events: {events}")
}
