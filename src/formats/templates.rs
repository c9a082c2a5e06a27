//! Plan templates: YAML under `plans/`, read into what the planner expands.

use super::{cel::Cel, yaml};
use crate::core::{
    model::{Refusal, RefusalKind},
    plan::{BUILT_IN, Between, Template},
};

/// The folder of a repository's own templates.
pub const FOLDER: &str = "plans";

/// Reads one template.
pub fn read(file: &str, bytes: &[u8]) -> Result<Template, Refusal> {
    let node = yaml::load(file, bytes, &yaml::Budget::default())?;
    let told = |refusal: Refusal| yaml::with_excerpt(refusal, bytes);
    let template: Template = yaml::from_node(&node).map_err(told)?;
    let fault = |path: &[&str], what: String, advice: &str| Err(told(Refusal::new(RefusalKind::Value, what).at(node.nearest_to(path).place.clone()).advice(advice)));
    for (i, pattern) in template.r#match.resources.iter().enumerate() {
        if let Err(error) = globset::Glob::new(pattern) {
            return fault(&["match", "resources", &i.to_string()], format!("`{pattern}` is no pattern: {}", error.kind()), "write it like `dns-inside/rrset/example.com./*`");
        }
    }
    let Some(waves) = &template.waves else { return Ok(template) };
    if waves.size == 0 {
        return fault(&["waves", "size"], "a wave of no write never ends".into(), "write 1 or more");
    }
    match &waves.between {
        Between::Approve(rule) => match rule.when.as_deref().map(|when| Cel.check(when)) {
            Some(Err(refusal)) => Err(told(refusal.at(node.nearest_to(&["waves", "between", "approve", "when"]).place.clone()))),
            Some(Ok(())) | None => Ok(template),
        },
        Between::Pause | Between::Wait(_) => Ok(template),
    }
}

/// The templates that every binary brings.
pub fn built_in() -> Result<Vec<Template>, Refusal> {
    BUILT_IN.iter().map(|(file, text)| read(file, text.as_bytes())).collect()
}
