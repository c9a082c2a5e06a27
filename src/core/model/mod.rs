//! The words of trueup as values: ids, places, desired and observed state, refusals, policy.
//!
//! Everything here is content only: no revision token, no wall-clock time and no float enters a value that is digested.

mod check;
mod desired;
mod grant;
mod ids;
mod kind;
mod late;
mod natural;
mod nearest;
mod observed;
mod place;
mod policy;
mod probe;
mod refusal;
mod secret;
mod time;
mod value;

pub use check::{Check, Door, HealthCheck};
pub use desired::{Desired, Wanted};
pub use grant::{Grant, ProbeGrant};
pub use ids::{BlobId, CommitId, Digest, FileId, Fingerprint, MrId, RepoId, ResourceId, StepId, Str, TreeId, Unit, User};
pub use kind::{Kind, Limits, Mention, VerbSpec, lines};
pub use late::{Late, Piece, Refers};
pub use natural::natural;
pub use nearest::nearest;
pub use observed::{ABSENCE_LINGERS, CHANGED, Fact, FactValue, Health, Observed, Reading, Sure, Token, Want, Why};
pub use place::{Path, Place};
pub use policy::{ApprovalRule, Budget, Freeze, LinkRule, OnDrift, Policy, Require, Rollout, SkippedType, StartWhen};
pub use probe::{CommandProbe, Comparison, DnsProbe, HealthRule, HttpMethod, HttpProbe, JsonIs, Probe, PrometheusProbe, Question, Saw};
pub use refusal::{Refusal, RefusalKind};
pub use secret::{Hidden, SecretRef, VEIL};
pub use time::{Span, Time};
pub use value::{Decimal, Value};
