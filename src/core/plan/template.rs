//! Templates: how groups of deltas become steps.

use crate::core::{
    model::{ApprovalRule, Fact, FactValue, Place, Policy, Probe, Refusal, RefusalKind, ResourceId, Span, Str, nearest},
    plan::{OnDeadline, Test, Until},
};
use serde::{Deserialize, Serialize};

/// One way to roll out, as `plans/*.yaml` says it. It arranges writes; it never decides what is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Printed with every step it made: `direct`, `waves`.
    pub name: Str,
    /// What the template is for, in a sentence.
    #[serde(default)]
    pub about: Str,
    /// Which deltas it takes; the first template that takes a delta has it.
    #[serde(default)]
    pub r#match: Match,
    /// Absent: everything as soon as its order allows.
    #[serde(default)]
    pub waves: Option<Waves>,
}

/// Selects deltas; an empty list selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// Targets by name.
    pub targets: Vec<Str>,
    /// Resource id patterns (glob over `target/kind/name`).
    pub resources: Vec<Str>,
}

/// Writes in waves, each waiting for the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waves {
    /// How many writes make a wave; writes that belong in one message are never parted for it.
    pub size: u32,
    /// What happens between two waves.
    pub between: Between,
}

/// What stands between two waves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// People say go.
    Approve(ApprovalRule),
    /// The run stops until somebody resumes it.
    Pause,
    /// Something is waited for.
    Wait(Hold),
    /// Something must be so, or the run stops.
    Check(Hold),
}

/// What is waited for between two waves, or checked: a fact of the wave's resources, or a probe of policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What a target measures of each resource of the wave: `answered_by_all`. Exactly one of `fact` and `probe` is said.
    #[serde(default)]
    pub fact: Option<Fact>,
    /// The name of a rule of `policy.health`, whose probe must hold.
    #[serde(default)]
    pub probe: Option<Str>,
    /// What the fact must be; without it, true.
    #[serde(default)]
    pub test: Option<Test>,
    /// Good answers in a row.
    #[serde(default = "one")]
    pub samples: u32,
    /// The time between two answers; a gap of more than twice of it begins the row again.
    pub every: Span,
    /// How long it may take.
    pub deadline: Span,
    #[serde(default)]
    pub on_deadline: OnDeadline,
    /// The probe of that name, once policy was asked for it.
    #[serde(skip)]
    pub asks: Option<Box<Probe>>,
    /// Where the template says it.
    #[serde(skip)]
    pub place: Place,
}

fn one() -> u32 {
    1
}

impl Hold {
    /// What a step waits for after these resources.
    pub(super) fn until(&self, of: Vec<ResourceId>) -> Until {
        let fact = self.probe.clone().or_else(|| self.fact.clone()).unwrap_or_default();
        let test = self.test.clone().unwrap_or(Test::Is(FactValue::Bool(true)));
        let Self { samples, every, deadline, on_deadline, .. } = *self;
        Until { fact, of, test, samples, every, deadline, on_deadline, probe: self.asks.clone() }
    }

    /// Why its probe is not known.
    pub(super) fn unknown(&self) -> Option<Refusal> {
        let name = self.probe.as_ref().filter(|_| self.asks.is_none())?;
        Some(Refusal::new(RefusalKind::Unknown, format!("`policy.health` has no probe named `{name}`")).at(self.place.clone()))
    }
}

impl Template {
    /// What it waits for between waves.
    pub(super) fn hold(&self) -> Option<&Hold> {
        match &self.waves.as_ref()?.between {
            Between::Wait(hold) | Between::Check(hold) => Some(hold),
            Between::Approve(_) | Between::Pause => None,
        }
    }

    /// Takes the probe that it names from the policy it stands beside, or says that there is none.
    pub fn ask(&mut self, policy: &Policy) -> Result<(), Refusal> {
        let hold = match self.waves.as_mut().map(|waves| &mut waves.between) {
            Some(Between::Wait(hold) | Between::Check(hold)) => hold,
            Some(Between::Approve(_) | Between::Pause) | None => return Ok(()),
        };
        let Some(name) = &hold.probe else { return Ok(()) };
        let names = || policy.health.iter().filter_map(|rule| rule.name.as_deref());
        hold.asks = policy.health.iter().find(|rule| rule.name.as_ref() == Some(name)).and_then(|rule| rule.probe()).map(Box::new);
        let advice = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add `name: {name}` to a rule there, or a rule of that name"),
        };
        hold.unknown().map_or(Ok(()), |fault| Err(fault.advice(advice)))
    }

    /// The built-in default: every write as soon as its order allows.
    pub fn direct() -> Self {
        Self { name: "direct".into(), about: "writes as soon as the order allows".into(), r#match: Match::default(), waves: None }
    }
}

/// The built-in templates by file name, as YAML for the formats layer to read; a repository's own `plans/` (from base) comes first.
pub const BUILT_IN: [(&str, &str); 2] = [("plans/direct.yaml", include_str!("../../../plans/direct.yaml")), ("plans/waves.yaml", include_str!("../../../plans/waves.yaml"))];
