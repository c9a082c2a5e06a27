//! Faults of files that may hold sensitive values: where, never what stands there.

use crate::{
    core::model::{Grant, Policy, Refusal, RefusalKind, VEIL},
    formats::trueup_yaml::Source,
};

/// Takes quotations out of the faults of files that may hold sensitive values; their places stay.
pub(in crate::app) fn unread(faults: &mut [Refusal], sources: &[&Source], policy: &Policy, grants: &[Grant]) {
    if policy.sensitive.is_empty() && grants.iter().all(|grant| grant.sensitive.is_empty()) {
        return;
    }
    for fault in faults {
        let Some(place) = &fault.place else { continue };
        let of = sources.iter().find(|source| source.inside(&place.file).is_some());
        if of.is_some_and(|source| source.targets.iter().any(|target| may_hide(target, policy, grants))) {
            veil(fault);
        }
    }
}

/// Whether anything of a target may be sensitive. A pattern is taken for more than it says: which resource a broken line would have been nobody knows.
fn may_hide(target: &str, policy: &Policy, grants: &[Grant]) -> bool {
    let ids = format!("{target}/");
    let by_policy = policy.sensitive.iter().filter(|pattern| !pattern.starts_with('!')).any(|pattern| {
        let plain = pattern.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default();
        plain.starts_with(&ids) || ids.starts_with(plain)
    });
    by_policy || grants.iter().any(|grant| *grant.target == *target && !grant.sensitive.is_empty())
}

fn veil(fault: &mut Refusal) {
    fault.excerpt = None;
    match fault.kind {
        // These speak of what a value is.
        RefusalKind::Syntax | RefusalKind::Schema | RefusalKind::Value => {
            fault.what = unquoted(&fault.what);
            fault.advice = fault.advice.as_deref().map(unquoted);
        }
        // These speak of names, places and rules.
        RefusalKind::Path
        | RefusalKind::Unknown
        | RefusalKind::Grant
        | RefusalKind::Overlap
        | RefusalKind::Cycle
        | RefusalKind::Budget
        | RefusalKind::Protected
        | RefusalKind::Drift
        | RefusalKind::Target => {}
    }
}

/// A sentence with everything between quotation marks hidden; after an open one that is never closed, all of it.
fn unquoted(said: &str) -> String {
    let (mut out, mut rest) = (String::new(), said);
    while let Some(at) = rest.find(['`', '"', '\'']) {
        out.push_str(&rest[..at]);
        let mark = char::from(rest.as_bytes()[at]);
        let after = &rest[at + 1..];
        // An apostrophe inside a word quotes nothing.
        if mark == '\'' && out.chars().last().is_some_and(char::is_alphanumeric) {
            out.push(mark);
            rest = after;
            continue;
        }
        out.push_str(VEIL);
        rest = after.find(mark).map_or("", |end| &after[end + 1..]);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::{may_hide, unquoted};
    use crate::core::model::Policy;

    #[test]
    fn what_a_fault_quotes_is_not_repeated() {
        assert_eq!(unquoted("`hunter2` is no address; write it like `192.0.2.1`"), "(sensitive) is no address; write it like (sensitive)");
        assert_eq!(unquoted("invalid type: string \"hunter2\", expected a map"), "invalid type: string (sensitive), expected a map");
        assert_eq!(unquoted("the zone's value `hunter2 stands open"), "the zone's value (sensitive)");
        assert_eq!(unquoted("no quotation"), "no quotation");
    }

    #[test]
    fn a_pattern_that_could_mean_a_resource_of_the_target_counts() {
        let policy = |pattern: &str| Policy { sensitive: vec![pattern.into()], ..Policy::default() };
        for pattern in ["*", "*/rrset/*/_token/TXT", "dns/rrset/example.com./x/TXT", "d*"] {
            assert!(may_hide("dns", &policy(pattern), &[]), "{pattern}");
        }
        for pattern in ["other/*", "!dns/*", "dnsx/rrset/*"] {
            assert!(!may_hide("dns", &policy(pattern), &[]), "{pattern}");
        }
    }
}
