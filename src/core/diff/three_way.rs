//! The three-way diff of one resource: what is live, what base asks for, what the merged tree asks for.

use super::{Asked, Delta, Op, Reason};
use crate::core::model::{Fingerprint, Kind, MrId, OnDrift, Path, Place, Refusal, RefusalKind, RepoId, ResourceId, Sure, VEIL, Value, lines};

/// One resource, looked at from all sides, in one canonical form.
pub struct Case<'a> {
    pub id: &'a ResourceId,
    pub kind: &'a dyn Kind,
    pub live: Option<Value>,
    pub base: Option<Value>,
    pub merged: Option<Value>,
    /// What the delta comes from.
    pub place: Place,
    /// What this change's own run wrote last, if it did; inside: `None` when it deleted the resource.
    pub ours: Option<&'a Option<Fingerprint>>,
    /// The repository that asks.
    pub repo: &'a RepoId,
    /// The content that an override covers here, if one stands; inside: `None` when it covers that the resource is gone.
    pub covered: Option<&'a Option<Fingerprint>>,
    /// What another open change has applied here.
    pub ahead: Option<&'a (MrId, Option<Value>)>,
    pub fate: Fate,
    pub on_drift: OnDrift,
    /// Values are not shown.
    pub sensitive: bool,
    pub sure: Sure,
}

/// What became of the resource's place in the repository between base and merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Governed,
    /// The source that asks for it is new.
    Fresh,
    /// The source that asked for it is gone.
    Released,
    /// It is the live object that `was` named before.
    Moved {
        was: ResourceId,
    },
    /// The way back: base is what the change wrote, merged what was there before.
    TakenBack,
}

/// Compares the three values: live is what merged asks for → keep or adopt; what (effective) base asks for → the delta;
/// what this change wrote → go on from there; anything else is drift, and policy says what then.
pub fn three_way(case: Case<'_>) -> Result<Delta, Refusal> {
    let named: Vec<&Value> = case.base.iter().chain(&case.merged).collect();
    let live = case.live.as_ref().map(|live| live.project(&named));
    if case.fate == Fate::Released {
        return Ok(delta(&case, Op::Release, live.clone(), live, Reason::MergeRequest));
    }
    // The way back leads from what this change wrote.
    let ahead = case.ahead.filter(|_| case.fate != Fate::TakenBack);
    let asked = Asked::new(case.repo, case.base.as_ref(), ahead);
    let effective = asked.effective();
    let wrote_it = case.ours.is_some_and(|wrote| *wrote == live.as_ref().map(Value::fingerprint));
    if live == case.merged {
        let (op, reason) = match (&case.fate, case.ahead) {
            _ if wrote_it => (Op::Keep, Reason::Continues),
            (_, Some((change, applied))) if *applied == live => (Op::Keep, Reason::AheadBy(change.clone())),
            (Fate::Moved { was }, _) => (Op::Move { was: was.clone() }, Reason::AlreadyTrue),
            (Fate::Fresh, _) if live.is_some() => (Op::Adopt, Reason::AlreadyTrue),
            (Fate::Governed | Fate::Fresh | Fate::Released | Fate::TakenBack, _) if live.is_some() && case.base.is_none() => (Op::Adopt, Reason::AlreadyTrue),
            (Fate::Governed | Fate::Fresh | Fate::Released | Fate::TakenBack, _) => (Op::Keep, Reason::AlreadyTrue),
        };
        let to = case.merged.clone();
        return Ok(delta(&case, op, live, to, reason));
    }
    let reason = if live.as_ref() == effective {
        asked.ahead.map_or(Reason::MergeRequest, |(change, _)| Reason::AheadBy(change.clone()))
    } else if wrote_it {
        Reason::Continues
    } else if covers(&case) {
        Reason::OverrideEnds
    } else {
        match case.on_drift {
            // Approving a plan approved its way back from what it writes, and from nothing else.
            OnDrift::Overwrite if case.fate != Fate::TakenBack => Reason::DriftOverwritten,
            OnDrift::Block | OnDrift::Overwrite => return Err(drifted(&case, live.as_ref(), effective)),
        }
    };
    let op = match (&case.fate, &live, &case.merged) {
        (Fate::Moved { was }, Some(_), _) => Op::Move { was: was.clone() },
        (_, None, _) => Op::Create,
        (_, Some(_), Some(_)) => Op::Update,
        (_, Some(_), None) => Op::Delete,
    };
    let to = case.merged.clone();
    Ok(delta(&case, op, live, to, reason))
}

/// Whether what is live is just what somebody claimed: seen on the fields that base asks for, as it was claimed.
fn covers(case: &Case<'_>) -> bool {
    let named: Vec<&Value> = case.base.iter().collect();
    case.covered.is_some_and(|covered| *covered == case.live.as_ref().map(|live| live.project(&named).fingerprint()))
}

fn delta(case: &Case<'_>, op: Op, from: Option<Value>, to: Option<Value>, reason: Reason) -> Delta {
    let paths = match (&from, &to) {
        (Some(from), Some(to)) => from.paths_that_differ(to),
        (None, None) => Vec::new(),
        (None, Some(_)) | (Some(_), None) => vec![Path::root()],
    };
    Delta { id: case.id.clone(), op, from, to, paths, sure: case.sure.clone(), reason, place: case.place.clone() }
}

fn drifted(case: &Case<'_>, live: Option<&Value>, effective: Option<&Value>) -> Refusal {
    let show = |value: Option<&Value>| match value {
        None => "nothing".to_owned(),
        Some(hidden @ Value::Hidden(_)) => hidden.to_string(),
        Some(_) if case.sensitive => VEIL.to_owned(),
        Some(value) => format!("`{}`", lines(case.kind, case.id, value).join("`, `")),
    };
    let title = case.kind.title(case.id);
    let (live_text, merged) = (show(live), show(case.merged.as_ref()));
    let (what, advice) = match (&case.fate, effective, case.ahead) {
        (Fate::TakenBack, _, ahead) => {
            let by = ahead.map_or(String::new(), |(change, _)| format!(", which the open change {change} wrote"));
            let wrote = show(case.base.as_ref());
            (
                format!("not put back: `{title}` is {live_text} now{by}; this change wrote {wrote}, restoring means {merged}"),
                "undo that change on the live system and say `/trueup restore` again, or push a commit that asks for what is live, or leave all that this change wrote as it is with `/trueup free REASON`".to_owned(),
            )
        }
        (Fate::Moved { was }, _, _) => (
            format!("`{title}` is said to be what `{was}` was, but live is {live_text} where base asks for {}", show(effective)),
            "correct `moved:`, or undo the live change, then plan again (`/trueup plan`)".to_owned(),
        ),
        (_, _, Some((change, _))) if change.repo != *case.repo => (
            format!(
                "`{title}` was written by {change}, an open change of another repository: live is {live_text}, base asks for {}, this merge request asks for {merged}",
                show(effective)
            ),
            "each resource has one owner: take it out of one of the two repositories, and have the server's grants say whose it is".to_owned(),
        ),
        (_, None, None) => (
            format!("`{title}` is live already and nobody asked for it here: live is {live_text}, this merge request asks for {merged}"),
            "ask for exactly what is live to adopt it first, or set `policy.on_drift: overwrite` on the base branch".to_owned(),
        ),
        (_, _, Some((change, _))) => (
            format!("`{title}` was changed by another writer: live is {live_text}, the open change {change} wrote {}, this merge request asks for {merged}", show(effective)),
            format!("wait until {change} is merged or restored, or undo the live change, then plan again"),
        ),
        (_, Some(_), None) => (
            format!("`{title}` was changed by another writer: live is {live_text}, base asks for {}, this merge request asks for {merged}", show(effective)),
            format!(
                "undo the live change and plan again (`/trueup plan`), or take it into the merge request: ask for {live_text}; or let an approver answer for it, so that this merge request may write over it: `/trueup override {} until 1d REASON`; `policy.on_drift: overwrite` on the base branch would always write over it",
                case.id
            ),
        ),
    };
    Refusal::new(RefusalKind::Drift, what).at(case.place.clone()).advice(advice)
}
