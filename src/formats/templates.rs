//! Plan templates: YAML under `plans/`, read into what the planner expands.

use super::{cel::Cel, yaml};
use crate::core::{
    model::{Policy, Refusal, RefusalKind, Span},
    plan::{BUILT_IN, Between, Hold, Template},
};

/// The folder of a repository's own templates.
pub const FOLDER: &str = "plans";

/// Reads one template.
pub fn read(file: &str, bytes: &[u8]) -> Result<Template, Refusal> {
    let node = yaml::load(file, bytes, &yaml::Budget::default())?;
    let told = |refusal: Refusal| yaml::with_excerpt(refusal, bytes);
    let mut template: Template = yaml::from_node(&node).map_err(told)?;
    let fault = |path: &[&str], what: String, advice: &str| Err(told(Refusal::new(RefusalKind::Value, what).at(node.nearest_to(path).place.clone()).advice(advice)));
    for (i, pattern) in template.r#match.resources.iter().enumerate() {
        if let Err(error) = globset::Glob::new(pattern) {
            return fault(&["match", "resources", &i.to_string()], format!("`{pattern}` is no pattern: {}", error.kind()), "write it like `dns-inside/rrset/example.com./*`");
        }
    }
    let Some(waves) = &mut template.waves else { return Ok(template) };
    if waves.size == 0 {
        return fault(&["waves", "size"], "a wave of no write never ends".into(), "write 1 or more");
    }
    let held = match &mut waves.between {
        Between::Wait(hold) => Some(("wait", hold)),
        Between::Check(hold) => Some(("check", hold)),
        Between::Approve(_) | Between::Pause => None,
    };
    if let Some((word, hold)) = held {
        let path = ["waves", "between", word];
        hold.place = node.nearest_to(&[&path[..], &["probe"]].concat()).place.clone();
        if let Some((below, what, advice)) = faulty(hold) {
            return fault(&[&path[..], below].concat(), what.to_owned(), advice);
        }
    }
    match &waves.between {
        Between::Approve(rule) => match rule.when.as_deref().map(|when| Cel.check(when)) {
            Some(Err(refusal)) => Err(told(refusal.at(node.nearest_to(&["waves", "between", "approve", "when"]).place.clone()))),
            Some(Ok(())) | None => Ok(template),
        },
        Between::Pause | Between::Wait(_) | Between::Check(_) => Ok(template),
    }
}

/// What makes waiting for it no sense: the keys below it, what it is, what to do.
fn faulty(hold: &Hold) -> Option<(&'static [&'static str], &'static str, &'static str)> {
    /// More often is a load, not a wait.
    const LEAST_EVERY: Span = Span(250);
    match (&hold.fact, &hold.probe) {
        (None, None) => return Some((&[], "it waits for nothing", "add `probe:` with the name of a rule of `policy.health`, or `fact:`")),
        (Some(_), Some(_)) => return Some((&["fact"], "it waits for two things", "keep `probe` or `fact`, one of the two")),
        (None, Some(_)) if hold.test.is_some() => return Some((&["test"], "a probe holds or does not: its own rule says when", "remove `test`")),
        (None, Some(_)) | (Some(_), None) => {}
    }
    if hold.samples == 0 {
        return Some((&["samples"], "after no answer it is known of nothing", "write 1 or more"));
    }
    if hold.every < LEAST_EVERY {
        return Some((&["every"], "so often is a load, not a wait", "write 250ms or more"));
    }
    (hold.deadline < hold.every).then_some((&["deadline"], "the deadline passes before the second answer", "write a longer `deadline`, or a shorter `every`"))
}

/// Takes the probes that templates name from the policy they stand beside; every name that it does not have.
pub fn ask(templates: &mut [Template], policy: &Policy) -> Vec<Refusal> {
    templates.iter_mut().filter_map(|template| template.ask(policy).err()).collect()
}

/// The templates that every binary brings.
pub fn built_in() -> Result<Vec<Template>, Refusal> {
    BUILT_IN.iter().map(|(file, text)| read(file, text.as_bytes())).collect()
}
