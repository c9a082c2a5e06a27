//! Compares one resource: what the effective base asks for, and what is live.

use crate::core::{
    diff::Asked,
    model::{MrId, Value},
};

/// Who may be in the middle of writing a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    Nobody,
    /// A change that runs and holds the claim: what is live may be its own, not told yet.
    Runs(MrId),
}

/// What was found of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Live is what base asks for.
    Same,
    /// Live is what an open change wrote, and not yet what base asks for.
    Ahead(MrId),
    /// An open change is writing it: nothing can be said now.
    Writing(MrId),
    /// Live is something else; the value as far as anybody asks for its fields.
    Drifted(Option<Value>),
}

/// Judges one resource.
pub fn compare(live: Option<&Value>, asked: Asked<'_>, writer: &Writer) -> Verdict {
    let named: Vec<&Value> = asked.base.into_iter().chain(asked.ahead.and_then(|(_, applied)| applied)).collect();
    let live = live.map(|live| live.project(&named));
    let same = |other: Option<&Value>| live.as_ref() == other;
    match (asked.ahead, writer) {
        _ if same(asked.effective()) => match asked.ahead {
            Some((change, applied)) if applied != asked.base => Verdict::Ahead(change.clone()),
            Some(_) | None => Verdict::Same,
        },
        (_, Writer::Runs(change)) => Verdict::Writing(change.clone()),
        (_, Writer::Nobody) => Verdict::Drifted(live),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::RepoId;

    fn mr(number: u64) -> MrId {
        MrId { repo: RepoId::new("dns"), number }
    }

    fn judged(live: Option<&str>, base: Option<&str>, ahead: Option<Option<&str>>, writer: Writer) -> Verdict {
        let value = |text: Option<&str>| text.map(Value::str);
        let (live, base) = (value(live), value(base));
        let ahead = ahead.map(|applied| (mr(7), value(applied)));
        compare(live.as_ref(), Asked::new(&RepoId::new("dns"), base.as_ref(), ahead.as_ref()), &writer)
    }

    #[test]
    fn what_an_open_change_applied_is_ahead_and_no_drift() {
        assert_eq!(judged(Some("new"), Some("old"), Some(Some("new")), Writer::Nobody), Verdict::Ahead(mr(7)));
        assert_eq!(judged(None, Some("old"), Some(None), Writer::Nobody), Verdict::Ahead(mr(7)), "a delete is ahead too");
        assert_eq!(judged(Some("old"), Some("old"), Some(Some("old")), Writer::Nobody), Verdict::Same, "restored to base is not ahead");
    }

    #[test]
    fn what_another_repositorys_change_applied_is_drift() {
        let (theirs, base) = ((MrId { repo: RepoId::new("web"), number: 3 }, Some(Value::str("new"))), Value::str("old"));
        let asked = Asked::new(&RepoId::new("dns"), Some(&base), Some(&theirs));
        assert_eq!(compare(Some(&Value::str("new")), asked, &Writer::Nobody), Verdict::Drifted(Some(Value::str("new"))));
    }

    #[test]
    fn base_restored_by_hand_under_an_open_change_is_drift() {
        assert_eq!(judged(Some("old"), Some("old"), Some(Some("new")), Writer::Nobody), Verdict::Drifted(Some(Value::str("old"))));
    }

    #[test]
    fn what_is_neither_is_drift_unless_a_change_is_writing_it() {
        assert_eq!(judged(Some("hand"), Some("old"), None, Writer::Nobody), Verdict::Drifted(Some(Value::str("hand"))));
        assert_eq!(judged(None, Some("old"), None, Writer::Nobody), Verdict::Drifted(None));
        assert_eq!(judged(Some("new"), Some("old"), None, Writer::Runs(mr(9))), Verdict::Writing(mr(9)));
        assert_eq!(judged(Some("old"), Some("old"), None, Writer::Runs(mr(9))), Verdict::Same);
    }

    #[test]
    fn fields_that_nobody_asks_for_are_not_drift() {
        let live = Value::map([("ttl", Value::Int(60)), ("owner", Value::str("somebody"))]);
        let base = Value::map([("ttl", Value::Int(60))]);
        assert_eq!(compare(Some(&live), Asked { base: Some(&base), ahead: None }, &Writer::Nobody), Verdict::Same);
    }
}
