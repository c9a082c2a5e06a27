//! What a cluster lets be seen of itself without a write: its members, the sign-in, what the user's roles allow, quota and alarms.

use super::{driver::Etcd, list::after};
use crate::{
    core::model::Str,
    drivers::config::center::{Center as _, error},
    etcd::{Fault, NO_SPACE, encoded},
    ports::Exam,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use std::time::Instant;

/// From this part of its quota on a member's data is told: compaction alone gives nothing back before it is defragmented.
const FULL_PERCENT: u64 = 80;

/// Keys from the first up to the second, which is none of them; a zero byte: no end.
type Range = (Vec<u8>, Vec<u8>);

/// Examines the members, the sign-in, and whether all that is granted may be read and written.
pub(super) async fn probe(driver: &Etcd, deadline: Instant, granted: &[Str]) -> Vec<Exam> {
    let about = |what: &str| format!("target {}: {what}", driver.target());
    let why = |fault: &Fault| error(driver, fault, Vec::new()).what;
    let mut exams = Vec::new();
    // One linearizable read, as a run begins: it needs a leader, the sign-in, and nothing of the key.
    let read = driver.wire.ask("/v3/kv/range", &json!({ "key": encoded(b"trueup-doctor"), "count_only": true }), deadline).await;
    match &read {
        Ok(_) | Err(Fault::Denied(_)) => exams.push(Exam::ok(about("reach"), "the cluster answers, and has a leader")),
        Err(fault @ Fault::Stranger(_)) => {
            exams.push(Exam::fail(about("sign-in"), why(fault), "compare `user` and `password` with what the cluster knows"));
            return exams;
        }
        Err(fault) => {
            exams.push(Exam::fail(about("reach"), why(fault), "start its members, or mend `endpoints` and `tls`"));
            return exams;
        }
    }
    for (at, endpoint) in driver.wire.endpoints().iter().enumerate() {
        let name = about(&format!("member {endpoint}"));
        match driver.wire.ask_member(at, "/v3/maintenance/status", &json!({}), deadline).await {
            Ok(status) => exams.extend(member(name, &status)),
            // Only root may ask for the state of a member; what it tells anybody has to do.
            Err(Fault::Denied(_)) => exams.push(as_anybody(driver, at, name, deadline).await),
            Err(fault) => exams.push(Exam::warn(name, why(&fault), "the others carry on without it: start it, or take it out of `endpoints`")),
        }
    }
    if driver.wire.signs_in() {
        exams.push(Exam::ok(about("sign-in"), format!("signed in as `{}`", driver.wire.user())));
        exams.extend(rights(driver, deadline, granted).await);
    } else {
        exams.push(Exam::warn(about("sign-in"), "nobody signs in: whoever reaches its port may read and write every key", "turn authentication on, and add `user` and `password`"));
    }
    let shape = driver.shape();
    exams.push(Exam::ok(about("limits"), format!("{} writes and {} bytes in a transaction, as configured; etcd does not tell its own", shape.ops, shape.bytes)));
    exams
}

fn member(about: String, status: &Json) -> Vec<Exam> {
    let number = |field: &str| status[field].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let (size, quota) = (number("dbSize"), number("dbSizeQuota"));
    let said = format!("version {}, {} MiB of data", status["version"].as_str().unwrap_or("unknown"), size >> 20);
    let alarms: Vec<&str> = status["errors"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if alarms.iter().any(|alarm| alarm.contains("NOSPACE")) {
        vec![Exam::fail(about, format!("{said}; alarm NOSPACE: it takes no write"), NO_SPACE)]
    } else if number("leader") == 0 {
        vec![Exam::fail(about, format!("{said}; it has no leader"), "look whether most of the members run and reach each other")]
    } else if let Some(alarm) = alarms.first() {
        vec![Exam::fail(about, format!("{said}; {alarm}"), "look at the member's log; `etcdctl alarm list` tells more")]
    } else if quota > 0 && size.saturating_mul(100) / quota >= FULL_PERCENT {
        vec![Exam::warn(about, format!("{said} of {} MiB that it may have", quota >> 20), "compact and defragment it, or raise --quota-backend-bytes, before it takes no write")]
    } else {
        vec![Exam::ok(about, said)]
    }
}

/// Health and version, as a member tells anybody.
async fn as_anybody(driver: &Etcd, at: usize, about: String, deadline: Instant) -> Exam {
    let asked = async { Ok::<_, Fault>((driver.wire.get_member(at, "/version", deadline).await?, driver.wire.get_member(at, "/health", deadline).await?)) };
    match asked.await {
        Ok((version, health)) => {
            let said = format!("version {}", version["etcdserver"].as_str().unwrap_or("unknown"));
            let reason = health["reason"].as_str().unwrap_or_default();
            if health["health"].as_str() == Some("true") {
                Exam::ok(about, format!("{said}, healthy"))
            } else if reason.contains("NOSPACE") {
                Exam::fail(about, format!("{said}; alarm NOSPACE: it takes no write"), NO_SPACE)
            } else {
                Exam::fail(about, format!("{said}, not healthy: {reason}"), "look at the member's log; `etcdctl alarm list` tells more")
            }
        }
        Err(fault) => Exam::warn(about, error(driver, &fault, Vec::new()).what, "look at the member's log"),
    }
}

/// What the user's roles allow of what is granted.
async fn rights(driver: &Etcd, deadline: Instant, granted: &[Str]) -> Vec<Exam> {
    let about = format!("target {}: rights", driver.target());
    let who = driver.words().who;
    let (reads, writes) = match allowed(driver, deadline).await {
        Ok(allowed) => allowed,
        Err(fault) => {
            let why = error(driver, &fault, Vec::new()).what;
            return vec![Exam::warn(
                about,
                format!("what {who} may do cannot be seen: {why}"),
                "make a plan to see whether it reads, and a small merge request to see whether it writes",
            )];
        }
    };
    if granted.is_empty() {
        return vec![Exam::warn(about, "no repository is granted anything here", "nothing to do, unless one should: add the target under `grants:`")];
    }
    let mut exams = Vec::new();
    let mut good: Vec<&str> = Vec::new();
    for pattern in granted {
        let range = meant(pattern);
        let missing: Vec<&str> = [("read", &reads), ("write", &writes)].into_iter().filter(|(_, ranges)| !covers(ranges, &range)).map(|(what, _)| what).collect();
        if missing.is_empty() {
            good.push(pattern);
            continue;
        }
        let command = match pattern.strip_suffix('*') {
            Some(prefix) => format!("etcdctl role grant-permission ROLE readwrite --prefix=true '{prefix}'"),
            None => format!("etcdctl role grant-permission ROLE readwrite '{pattern}'"),
        };
        exams.push(Exam::fail(about.clone(), format!("{who} may not {} all of `{pattern}`", missing.join(" and ")), format!("give one of its roles the right: {command}")));
    }
    if !good.is_empty() {
        exams.insert(0, Exam::ok(about, format!("{who} may read and write {}", good.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(", "))));
    }
    exams
}

/// What may be read and what may be written, by all roles together.
async fn allowed(driver: &Etcd, deadline: Instant) -> Result<(Vec<Range>, Vec<Range>), Fault> {
    let user = driver.wire.ask("/v3/auth/user/get", &json!({ "name": driver.wire.user() }), deadline).await?;
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for role in user["roles"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if role == "root" {
            return Ok((vec![(vec![0], vec![0])], vec![(vec![0], vec![0])]));
        }
        let role = driver.wire.ask("/v3/auth/role/get", &json!({ "role": role }), deadline).await?;
        for one in role["perm"].as_array().into_iter().flatten() {
            let field = |name: &str| STANDARD.decode(one[name].as_str().unwrap_or_default()).unwrap_or_default();
            let (key, end) = (field("key"), field("range_end"));
            let end = if end.is_empty() { [key.as_slice(), &[0]].concat() } else { end };
            // What stands first in the protocol is left out of JSON: reading.
            let (read, write) = match one["permType"].as_str() {
                Some("WRITE") => (false, true),
                Some("READWRITE") => (true, true),
                Some(_) | None => (true, false),
            };
            reads.extend(read.then(|| (key.clone(), end.clone())));
            writes.extend(write.then_some((key, end)));
        }
    }
    Ok((reads, writes))
}

/// The keys that a grant's pattern means.
fn meant(pattern: &str) -> Range {
    match pattern.strip_suffix('*') {
        Some("") => (vec![0], vec![0]),
        Some(prefix) => (prefix.as_bytes().to_vec(), after(prefix.as_bytes())),
        None => (pattern.as_bytes().to_vec(), [pattern.as_bytes(), &[0]].concat()),
    }
}

/// Whether ranges together hold all keys of another.
fn covers(ranges: &[Range], (begin, end): &Range) -> bool {
    let mut sorted: Vec<&Range> = ranges.iter().collect();
    sorted.sort();
    let mut reached = begin.clone();
    for (from, to) in sorted {
        // A range from the zero byte on begins with the first key there is.
        if *from > reached {
            break;
        }
        if to.as_slice() == [0] {
            return true;
        }
        if *to > reached {
            reached.clone_from(to);
        }
    }
    end.as_slice() != [0] && reached >= *end
}

#[cfg(test)]
mod tests {
    use super::{Range, covers, meant};

    fn range(from: &str, to: &str) -> Range {
        (from.as_bytes().to_vec(), to.as_bytes().to_vec())
    }

    #[test]
    fn rights_side_by_side_cover_what_lies_across_them() {
        let both = [range("/app/m", "/app0"), range("/app/", "/app/m")];
        assert!(covers(&both, &meant("/app/*")) && covers(&both, &meant("/app/key")));
        assert!(!covers(&both[..1], &meant("/app/*")) && !covers(&both, &meant("*")) && !covers(&both, &meant("/app0")));
        assert!(!covers(&[range("/app/", "/app/m"), range("/app/n", "/app0")], &meant("/app/*")), "a gap");
        assert!(covers(&[(vec![0], vec![0])], &meant("*")) && covers(&[range("/a", "\0")], &meant("/app/*")));
        assert!(!covers(&[], &meant("/app/*")));
    }
}
