//! A preview of a merge request's plan, as a job of CI prints, posts and uploads it.
//!
//! Its JSON, version 1: `version`, `outcome` (`empty`, `changes`, `refused`, `conflicted`), `observed` (null where there is no plan and a server was asked), `because` (why nothing was observed, or null), `repo` and
//! `number` (null without a server), `base` and `head` (commits), `base_branch`, `phase` and `waits_for` (null without a server), `digest` (null where nothing was
//! observed: there is nothing to approve), `page` (a URL or null), `plan` (see `render::json`, or null), `refusals` (each with `what`, `place`, `advice`, `also`,
//! `text`) and `conflicts` (paths).

use super::{Room, Sheet, Style, json, markdown, place, refusal, text};
use crate::core::{
    model::{CommitId, MrId, Refusal, Str, User},
    plan::Plan,
    review::{MOST_CHARS, Phase, escape::plain, words},
};
use serde_json::{Value as Json, json};

/// What a comment begins with that holds a preview of the live systems; the server's own comment begins in another way.
pub const PREVIEW_MARKER: &str = "<!-- trueup:preview -->\n";

/// The same of one for which nothing was observed.
pub const UNSEEN_MARKER: &str = "<!-- trueup:preview not-observed -->\n";

/// The version of its JSON.
const VERSION: u32 = 1;

/// What is previewed, and what came of it.
#[derive(Clone, Debug)]
pub struct Preview<'a> {
    /// The merge request, where a server knows it.
    pub mr: Option<&'a MrId>,
    pub base_branch: &'a str,
    pub base: &'a CommitId,
    pub head: &'a CommitId,
    /// Why the live systems were not asked; none where they were.
    pub unseen: Option<Unseen<'a>>,
    pub found: Found<'a>,
    /// Where the change is and what it waits for, where a server follows it.
    pub now: Option<(Phase, &'a str)>,
    /// The change's page.
    pub page: Option<&'a str>,
}

/// Why nothing was observed.
#[derive(Clone, Debug)]
pub enum Unseen<'a> {
    /// No server was asked.
    Alone,
    /// The author may not write the repository, and nobody who may has asked for a plan (I10).
    Untrusted(&'a User),
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    Plan(Sheet<'a>),
    Refused(&'a [Refusal]),
    /// The paths that do not merge.
    Conflicted(&'a [Str]),
}

/// A preview in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Empty,
    Changes,
    Refused,
    Conflicted,
}

impl Outcome {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Changes => "changes",
            Self::Refused => "refused",
            Self::Conflicted => "conflicted",
        }
    }
}

/// Whether a plan leaves everything as it is: nothing is written, and nothing is let go of.
pub fn changes_nothing(plan: &Plan) -> bool {
    plan.writes_nothing() && !plan.gives_up()
}

impl Preview<'_> {
    pub fn outcome(&self) -> Outcome {
        match &self.found {
            Found::Plan(sheet) if changes_nothing(sheet.plan) => Outcome::Empty,
            Found::Plan(_) => Outcome::Changes,
            Found::Refused(_) => Outcome::Refused,
            Found::Conflicted(_) => Outcome::Conflicted,
        }
    }

    /// The preview as text, ended by a line feed.
    pub fn text(&self, style: Style) -> String {
        let mut out = format!("Preview{}: {}\n", if self.unseen.is_some() { ", not observed" } else { "" }, self.compared());
        out.push_str(&self.because().map_or_else(String::new, |why| format!("{why}\n")));
        if let Some((phase, waits_for)) = self.now {
            out.push_str(&format!("The change is {}: {waits_for}\n", words::phase_words(phase)));
        }
        out.push('\n');
        match &self.found {
            Found::Plan(sheet) => out.push_str(&text(sheet, style)),
            Found::Refused(faults) => {
                for fault in *faults {
                    out.push_str(&format!("{}\n", refusal(fault)));
                }
                out.push_str(&format!("{} to mend; nothing was planned.\n", words::count(faults.len(), "fault")));
            }
            Found::Conflicted(paths) => out.push_str(&format!("{}: {}\n", words::CONFLICTS, paths.iter().map(|path| plain(path)).collect::<Vec<_>>().join(", "))),
        }
        if let Some(page) = self.page {
            out.push_str(&format!("{page}\n"));
        }
        out
    }

    /// The preview as a comment: it fits where forges take one.
    pub fn markdown(&self) -> String {
        let room = Room { chars: 0, line: 240, lines: 24, rest: self.page };
        let (marker, title) = match &self.unseen {
            None => (PREVIEW_MARKER, "### Preview of the plan"),
            Some(_) => (UNSEEN_MARKER, "### Preview of the plan: **not observed**"),
        };
        let mut out = format!("{marker}{title}\n\n{}\n\n", self.compared());
        out.push_str(&self.because().map_or_else(String::new, |why| format!("{why}\n\n")));
        if let Some((phase, waits_for)) = self.now {
            out.push_str(&format!("**{}** · {waits_for}\n\n", words::phase_words(phase)));
        }
        let mut after = String::new();
        match &self.found {
            Found::Plan(sheet) => {
                let digest = sheet.digest.map_or(String::new(), |digest| format!(" Digest `{}`.", digest.short()));
                let what = if sheet.is_unproven() { words::UNPROVEN.to_owned() } else { format!("Plan: {}{}.", sheet.summary(), words::waits(sheet.plan)) };
                out.push_str(&format!("**{what}**{digest}\n\n"));
                after.push_str(&markdown::order(sheet, &|_| None, room.of(6000)));
                after.push_str(&markdown::healthy(sheet, room.of(1500)));
                after.push_str(&markdown::list("Who must approve", sheet.plan.rules.iter().map(words::approval).collect(), room.of(4000)));
                after.push_str(&markdown::list("Cannot be undone", words::never(sheet.plan, &sheet.kinds), room.of(3000)));
                after.push_str(&markdown::list("Notes", sheet.plan.notes.iter().map(|note| words::note(note, &sheet.kinds)).collect(), room.of(3000)));
                after.push_str(&markdown::way_back(sheet, room.of(4000)));
            }
            Found::Refused(faults) => out.push_str(&markdown::refused(faults, room.of(20_000))),
            Found::Conflicted(paths) => {
                out.push_str(&format!("{}\n\n", words::CONFLICTS));
                out.push_str(&markdown::list("Paths in conflict", paths.iter().map(|path| words::code(path)).collect(), room.of(6000)));
            }
        }
        if let Some(page) = self.page {
            after.push_str(&format!("{}\n", words::leads_to(page)));
        }
        let used = out.chars().count() + after.chars().count();
        if let Found::Plan(sheet) = &self.found {
            out.push_str(&markdown::changes(sheet, room.of(MOST_CHARS.saturating_sub(used))));
        }
        out + &after
    }

    /// The preview as JSON for programs.
    pub fn json(&self) -> Json {
        let (plan, refusals, conflicts): (Json, &[Refusal], &[Str]) = match &self.found {
            Found::Plan(sheet) => (json(sheet), &[], &[]),
            Found::Refused(faults) => (Json::Null, faults, &[]),
            Found::Conflicted(paths) => (Json::Null, &[], paths),
        };
        let digest = match &self.found {
            Found::Plan(sheet) => sheet.digest.map(|digest| digest.to_string()),
            Found::Refused(_) | Found::Conflicted(_) => None,
        };
        // What was refused may have been so before anything was looked at.
        let observed = match (&self.unseen, &self.found) {
            (Some(_), _) => Some(false),
            (None, Found::Plan(_)) => Some(true),
            (None, Found::Refused(_) | Found::Conflicted(_)) => None,
        };
        let at = |at: &Option<crate::core::model::Place>| at.as_ref().map_or(Json::Null, place);
        let fault = |fault: &Refusal| json!({ "what": plain(&fault.what), "place": at(&fault.place), "advice": fault.advice, "also": at(&fault.also), "text": refusal(fault) });
        json!({
            "version": VERSION,
            "outcome": self.outcome().as_str(),
            "observed": observed,
            "because": self.because(),
            "repo": self.mr.map(|mr| &mr.repo),
            "number": self.mr.map(|mr| mr.number),
            "base_branch": self.base_branch,
            "base": self.base,
            "head": self.head,
            "phase": self.now.map(|(phase, _)| phase),
            "waits_for": self.now.map(|(_, waits_for)| waits_for),
            "digest": digest,
            "page": self.page,
            "plan": plan,
            "refusals": refusals.iter().map(fault).collect::<Vec<_>>(),
            "conflicts": conflicts,
        })
    }

    fn compared(&self) -> String {
        words::compared(self.mr, self.base_branch, self.base, self.head)
    }

    /// Why nothing was observed, as a sentence.
    fn because(&self) -> Option<String> {
        match &self.unseen {
            None => None,
            Some(Unseen::Alone) => Some(words::ALONE.to_owned()),
            Some(Unseen::Untrusted(author)) => Some(words::untrusted(author)),
        }
    }
}
