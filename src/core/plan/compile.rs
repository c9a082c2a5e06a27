//! Material in, plan out: scope, diff, order, steps, safety, rules, lint.

use crate::core::{
    model::Want,
    plan::{CompileError, Material, Plan, Scope},
};

/// The wants to observe for a plan: what the merge request changes, what this change wrote, and nothing else (I11).
///
/// Refuses what lies outside the grants, before anything is read (I10).
pub fn wants(_scope: &Scope<'_>) -> Result<Vec<Want>, CompileError> {
    Ok(Vec::new())
}

/// Compiles one plan, or says everything that is wrong.
pub fn compile(material: &Material<'_>) -> Result<Plan, CompileError> {
    Ok(Plan { notes: material.notes.clone(), parent: material.parent, ..Plan::default() })
}
