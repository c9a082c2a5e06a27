//! Faults that the shape of `trueup.yaml` does not show: paths that lead out, sources that overlap, patterns, times and conditions that are none.

use super::{Repository, Source, health::health};
use crate::{
    core::{
        drift::LONGEST,
        model::{Freeze, Place, Refusal, RefusalKind, Span, Str, nearest},
        review::team_of,
    },
    formats::{cel::Cel, keytree, octodns::OctoDns, yaml::Node},
};
use std::collections::BTreeSet;

/// Finds every fault, in the order of the file, and gives sources their place and their paths one form.
pub(super) fn check(repository: &mut Repository, node: &Node, formats: &[&str], conditions: &Cel) -> Vec<Refusal> {
    let mut check = Check { node, found: Vec::new() };
    for (i, source) in repository.sources.iter_mut().enumerate() {
        check.source(source, &i.to_string(), formats);
    }
    check.overlaps(&repository.sources);
    check.afters(&mut repository.sources);
    for (i, ordered) in repository.order.iter_mut().enumerate() {
        let at = i.to_string();
        ordered.place = check.place(&["order", &at]);
        check.pattern(&ordered.first, &["order", &at, "first"]);
        check.pattern(&ordered.then, &["order", &at, "then"]);
    }
    check.moved(repository);
    let policy = &repository.policy;
    let patterns: [(&[&str], &[Str]); 4] = [
        (&["release"], &repository.release),
        (&["policy", "ignore"], &policy.ignore),
        (&["policy", "sensitive"], &policy.sensitive),
        (&["policy", "protected"], &policy.protected),
    ];
    for (path, patterns) in patterns {
        for (i, pattern) in patterns.iter().enumerate() {
            check.pattern(pattern, &[path, &[&i.to_string()]].concat());
        }
    }
    let approvers = check.approvals(repository, conditions);
    check.found.extend(health(node, &["policy", "health"], &policy.health, true));
    for (i, freeze) in policy.freeze.iter().enumerate() {
        check.freeze(freeze, &i.to_string());
    }
    check.found.extend(super::rules::rules(node, policy));
    for (key, span) in [("every", policy.every), ("deadline", policy.deadline), ("max_age", policy.max_age), ("exemption", policy.exemption)] {
        if span == Span(0) {
            check.fault(RefusalKind::Value, &["policy", key], format!("`{key}` of no length can never be kept"), "write a second or more");
        }
    }
    if policy.exemption > LONGEST {
        check.fault(
            RefusalKind::Value,
            &["policy", "exemption"],
            format!("{} is too long for what is live and not asked for", policy.exemption),
            format!("write {LONGEST} or less"),
        );
    }
    for (key, percent) in [("delete_percent", policy.budgets.delete_percent), ("change_percent", policy.budgets.change_percent)] {
        if percent > 100 {
            check.fault(RefusalKind::Value, &["policy", "budgets", key], format!("{percent} percent is more than everything"), "write 0 to 100");
        }
    }
    let mut found = check.found;
    repository.approvers = approvers;
    found.sort_by(|a, b| (&a.place, &a.what).cmp(&(&b.place, &b.what)));
    found
}

struct Check<'a> {
    node: &'a Node,
    found: Vec<Refusal>,
}

impl Check<'_> {
    fn place(&self, path: &[&str]) -> Place {
        self.node.nearest_to(path).place.clone()
    }

    fn fault(&mut self, kind: RefusalKind, path: &[&str], what: String, advice: impl Into<String>) {
        self.found.push(Refusal::new(kind, what).at(self.place(path)).advice(advice));
    }

    fn source(&mut self, source: &mut Source, at: &str, formats: &[&str]) {
        source.place = self.place(&["sources", at]);
        match folder(&source.path) {
            Ok(path) => source.path = path,
            Err((what, advice)) => self.fault(RefusalKind::Path, &["sources", at, "path"], format!("the path `{}` {what}", source.path), advice),
        }
        if !formats.contains(&&*source.format) {
            let advice = match nearest(&source.format, formats.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", formats.join(", ")),
            };
            self.fault(RefusalKind::Unknown, &["sources", at, "format"], format!("the format `{}` is not known", source.format), advice);
        }
        if source.targets.is_empty() {
            self.fault(RefusalKind::Schema, &["sources", at, "targets"], "the source has no target".into(), "name at least one target of the server's configuration");
        }
        self.key_tree(source, at);
        source.health_places = (0..source.health.len()).map(|i| self.place(&["sources", at, "health", &i.to_string()])).collect();
        self.found.extend(health(self.node, &["sources", at, "health"], &source.health, false));
        let mut seen = BTreeSet::new();
        source.target_places = (0..source.targets.len()).map(|i| self.place(&["sources", at, "targets", &i.to_string()])).collect();
        for (i, target) in source.targets.iter().enumerate() {
            let path = ["sources", at, "targets", &i.to_string()];
            if target.is_empty() || target.contains('/') {
                self.fault(RefusalKind::Value, &path, format!("`{target}` is no target name"), "use a name of the server's configuration");
            }
            if !seen.insert(target) {
                self.fault(RefusalKind::Overlap, &path, format!("the target `{target}` is named twice"), "name it once");
            }
        }
    }

    /// Settings of key trees: none on other formats, and none that makes no key.
    fn key_tree(&mut self, source: &Source, at: &str) {
        let given = [
            ("prefix", source.prefix.is_some()),
            ("expand", !source.expand.is_empty()),
            ("separator", source.separator.is_some()),
            ("schemas", source.schemas),
            ("atomic", !source.atomic.is_empty()),
        ];
        for (key, _) in given.into_iter().filter(|(_, given)| *given && *source.format != *keytree::NAME) {
            self.fault(RefusalKind::Schema, &["sources", at, key], format!("`{key}` means nothing to `{}`", source.format), "remove it, or set `format: keytree`");
        }
        if source.references && ![keytree::NAME, OctoDns::NAME].contains(&&*source.format) {
            let advice = "remove it, or set `format: keytree` or `format: octodns`; other programs read zone files as well, and know no references";
            self.fault(RefusalKind::Schema, &["sources", at, "references"], format!("`references` means nothing to `{}`", source.format), advice);
        }
        if source.healthchecks && *source.format != *OctoDns::NAME {
            let advice = "remove it, and write a rule under `health:` of the source";
            self.fault(RefusalKind::Schema, &["sources", at, "healthchecks"], format!("`healthchecks` means nothing to `{}`", source.format), advice);
        }
        if source.separator.as_ref().is_some_and(|separator| separator.is_empty() || separator.chars().any(char::is_control)) {
            self.fault(RefusalKind::Value, &["sources", at, "separator"], "the separator must be visible text".into(), "write `/`, `.` or another character");
        }
        let prefix = source.prefix.as_deref().unwrap_or_default();
        for (i, group) in source.atomic.iter().enumerate() {
            let start = group.strip_suffix('*').unwrap_or(group);
            let reaches = start.starts_with(prefix) || (prefix.starts_with(start) && start.len() < group.len());
            if !reaches {
                let advice = format!("write it like `{prefix}db/*`");
                self.fault(RefusalKind::Value, &["sources", at, "atomic", &i.to_string()], format!("no key of this source starts like `{group}`"), advice);
            }
        }
        if source.prefix.as_ref().is_some_and(|prefix| prefix.chars().any(char::is_control)) {
            self.fault(RefusalKind::Value, &["sources", at, "prefix"], "the prefix holds a control character".into(), "write it like `/app/`");
        }
    }

    /// Sources must not share a folder: each file has one format and one set of targets.
    fn overlaps(&mut self, sources: &[Source]) {
        for (i, first) in sources.iter().enumerate() {
            for (j, second) in sources.iter().enumerate().skip(i + 1) {
                let inside = |outer: &Source, inner: &Source| inner.path == outer.path || outer.inside(&inner.path).is_some();
                if inside(first, second) || inside(second, first) {
                    let what = match first.path == second.path {
                        true => format!("two sources have the folder `{}`", first.path),
                        false => format!("the folder `{}` of this source and `{}` of another lie inside each other", second.path, first.path),
                    };
                    let refusal = Refusal::new(RefusalKind::Overlap, what).at(self.place(&["sources", &j.to_string(), "path"]));
                    let refusal = refusal.also(self.place(&["sources", &i.to_string(), "path"]));
                    self.found.push(refusal.advice("give each source a folder of its own; one source may have several targets"));
                }
            }
        }
    }

    /// `after:` of sources names other sources, and no source comes after itself, however far round.
    fn afters(&mut self, sources: &mut [Source]) {
        let paths: Vec<Str> = sources.iter().map(|source| source.path.clone()).collect();
        for (i, source) in sources.iter_mut().enumerate() {
            let at = i.to_string();
            source.after_places = (0..source.after.len()).map(|n| self.place(&["sources", &at, "after", &n.to_string()])).collect();
            for (first, place) in source.after.iter_mut().zip(&source.after_places) {
                if let Ok(path) = folder(first) {
                    *first = path;
                }
                if !paths.contains(first) {
                    let advice = match nearest(first, paths.iter().filter(|path| **path != source.path).map(|path| &**path)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "name the `path` of another source".to_owned(),
                    };
                    self.found.push(Refusal::new(RefusalKind::Unknown, format!("no source has the path `{first}`")).at(place.clone()).advice(advice));
                }
            }
        }
        for source in sources.iter() {
            if let Some((first, second)) = around(sources, source) {
                let what = format!("`{}` comes after itself", source.path);
                let fault = Refusal::new(RefusalKind::Cycle, what).at(first).advice("remove one of these `after:`");
                self.found.push(match second {
                    Some(second) => fault.also(second),
                    None => fault,
                });
                // One loop a time: its other sources would say the same again.
                break;
            }
        }
    }

    fn moved(&mut self, repository: &Repository) {
        let mut ends = BTreeSet::new();
        for (i, moved) in repository.moved.iter().enumerate() {
            let at = i.to_string();
            for (key, id) in [("from", &moved.from), ("to", &moved.to)] {
                if !ends.insert(id) {
                    self.fault(RefusalKind::Overlap, &["moved", &at, key], format!("{id} is moved twice"), "say it in one move, from where it was at last to where it is now");
                }
            }
        }
    }

    fn pattern(&mut self, pattern: &str, path: &[&str]) {
        let fault = pattern_fault(pattern).map(|what| (RefusalKind::Value, what));
        if let Some((kind, what)) = fault {
            self.fault(kind, path, what, PATTERN);
        }
    }

    /// Checks the rules; everybody they name comes back with the place.
    fn approvals(&mut self, repository: &Repository, conditions: &Cel) -> Vec<(Str, Place)> {
        let mut named = Vec::new();
        for (i, rule) in repository.policy.approvals.iter().enumerate() {
            let at = i.to_string();
            let path = |key| ["policy", "approvals", &at, key].map(str::to_owned);
            if let Some(when) = &rule.when
                && let Err(refusal) = conditions.check(when)
            {
                let place = self.place(&path("when").each_ref().map(String::as_str));
                self.found.push(refusal.at(place));
            }
            let count = path("count");
            let count = count.each_ref().map(String::as_str);
            if rule.count == 0 {
                self.fault(RefusalKind::Value, &count, "a rule of no approval is no rule".into(), "write 1 or more, or remove the rule");
            }
            let people: BTreeSet<&Str> = rule.by.iter().collect();
            for (j, name) in rule.by.iter().enumerate() {
                named.push((name.clone(), self.place(&["policy", "approvals", &at, "by", &j.to_string()])));
            }
            // How many a group has, only the server knows; how many a team, only its forge.
            let groups = rule.by.iter().any(|name| name.starts_with('@') || team_of(name).is_some() || &**name == "codeowners");
            if !people.is_empty() && !groups && rule.count as usize > people.len() {
                self.fault(RefusalKind::Value, &count, format!("{} approvals are asked of {} people", rule.count, people.len()), "name more people, or ask fewer");
            }
        }
        named
    }

    fn freeze(&mut self, freeze: &Freeze, at: &str) {
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        for (key, text) in [("from", &freeze.from), ("until", &freeze.until)] {
            if time(text).is_none() {
                self.fault(
                    RefusalKind::Value,
                    &["policy", "freeze", at, key],
                    format!("`{text}` is no time with an offset"),
                    "write it as `2026-12-24T00:00:00Z` or `2026-12-24T00:00:00+01:00`",
                );
            }
        }
        if let (Some(from), Some(until)) = (time(&freeze.from), time(&freeze.until))
            && from >= until
        {
            self.fault(RefusalKind::Value, &["policy", "freeze", at, "until"], "the freeze ends before it begins".into(), "swap `from` and `until`, or mend one");
        }
    }
}

/// How a pattern is written.
pub(super) const PATTERN: &str = "write it like `dns-inside/rrset/example.com./*`";

/// What is wrong with a pattern over resource ids.
pub(super) fn pattern_fault(pattern: &str) -> Option<String> {
    let glob = pattern.strip_prefix('!').unwrap_or(pattern);
    match globset::Glob::new(glob) {
        Err(error) => Some(format!("`{pattern}` is no pattern: {}", error.kind())),
        Ok(_) if glob.is_empty() || !(glob.contains('/') || glob.contains('*')) => Some(format!("`{pattern}` matches no resource id")),
        Ok(_) => None,
    }
}

/// The places of the first and the last `after:` on a way from a source back to itself.
fn around(sources: &[Source], start: &Source) -> Option<(Place, Option<Place>)> {
    let steps = |source: &Source, way: Option<Place>| -> Vec<(Str, Place, Option<Place>)> {
        let own = source.after.iter().zip(&source.after_places);
        own.map(|(path, place)| (path.clone(), way.clone().unwrap_or_else(|| place.clone()), way.is_some().then(|| place.clone()))).collect()
    };
    let mut seen = BTreeSet::new();
    let mut open = steps(start, None);
    while let Some((path, first, last)) = open.pop() {
        if path == start.path {
            return Some((first, last));
        }
        if seen.insert(path.clone()) {
            open.extend(sources.iter().filter(|source| source.path == path).flat_map(|source| steps(source, Some(first.clone()))));
        }
    }
    None
}

/// A folder's path in its one form (`dns/zones`), or what is wrong with it.
fn folder(path: &str) -> Result<Str, (&'static str, &'static str)> {
    if path.starts_with('/') || path.contains('\\') || path.contains(':') || path.chars().any(char::is_control) {
        return Err(("is not relative to the repository", "write it like `dns/zones`"));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(("leads out of its folder", "write it from the root of the repository, without `..`"));
    }
    match parts.first() {
        None => Err(("is the whole repository", "name a folder below the root, so that trueup.yaml and plans/ are not in it")),
        Some(&"plans") if parts.len() == 1 => Err(("holds plan templates", "keep desired state in another folder")),
        Some(first) if first.eq_ignore_ascii_case(".git") => Err(("is git's own folder", "name a folder of the tree")),
        Some(_) => Ok(parts.join("/").into()),
    }
}
