//! The page of drift: what the sweep found when it last looked, and who answers for what.

use super::{
    page::{Reader, with_frame},
    template::render,
};
use crate::core::{
    drift::{Ended, Ending, Found, FoundShape, Override, Swept},
    model::{RepoId, Str},
};
use serde_json::{Value as Json, json};

/// What sweeps found, by repository and target, and the overrides that stand and that ended last.
pub fn drift(swept: &[(RepoId, Str, Swept)], standing: &[Override], ended: &[Ended], reader: &Reader) -> String {
    let sweeps: Vec<Json> = swept.iter().map(|(repo, target, swept)| sweep(repo, target, swept)).collect();
    let standing: Vec<Json> = standing.iter().map(claimed).collect();
    let ended: Vec<Json> = ended.iter().map(|Ended { was, why, at }| json!({ "was": claimed(was), "why": why_words(why), "at": at.to_string() })).collect();
    render("drift.html", with_frame(reader, "Drift", json!({ "sweeps": sweeps, "standing": standing, "ended": ended })))
}

fn sweep(repo: &RepoId, target: &Str, swept: &Swept) -> Json {
    let faults: Vec<Json> = swept.faults().map(|fault| json!({ "area": fault.area, "what": fault.what })).collect();
    json!({
        "repo": repo, "target": target, "drifted": swept.drifted(), "overridden": swept.overridden(), "compared": swept.compared_last,
        "ended": swept.ended.map_or_else(|| "not yet".to_owned(), |at| at.to_string()),
        "found": swept.found().map(row).collect::<Vec<_>>(), "faults": faults,
    })
}

fn row(found: &Found) -> Json {
    let lines = |lines: &[String]| if lines.is_empty() { "nothing".to_owned() } else { lines.join(", ") };
    json!({
        "title": found.title, "id": found.id.to_string(), "area": found.area, "place": found.place, "word": FoundShape::of(found).word, "asked": lines(&found.asked), "live": lines(&found.live),
        "known": found.known.clone().unwrap_or_default(),
        "covered": found.covered.as_ref().map(|covered| format!("{} until {}: {}", covered.by, covered.until, covered.reason)).unwrap_or_default(),
    })
}

fn claimed(known: &Override) -> Json {
    json!({ "id": known.id.to_string(), "repo": known.repo, "by": known.by, "reason": known.reason, "until": known.until.to_string(), "soon": known.noticed })
}

fn why_words(why: &Ending) -> String {
    match why {
        Ending::Said(by) => format!("ended by {by}"),
        Ending::Changed(mr) => format!("changed by {mr}"),
        Ending::Deadline => "its time was over".to_owned(),
        Ending::Gone => "live is what is asked for again".to_owned(),
    }
}
