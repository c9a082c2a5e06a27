//! What a datacenter lets be seen of itself without a write: its agents, the token, what it allows, limits and servers.

use super::{driver::Consul, wire::encoded_json};
use crate::{
    cluster::{Answer, Fault},
    core::model::Str,
    drivers::config::center::{Center as _, error},
    ports::Exam,
};
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::time::Instant;

/// A name below a prefix that nobody has, to ask for rights to it.
const NOBODY: &str = "trueup-doctor-asks-for-a-key-that-is-not-there";

/// Examines the agents, the token, and whether what is granted may be read and written.
pub(super) async fn probe(driver: &Consul, deadline: Instant, granted: &[Str]) -> Vec<Exam> {
    let about = |what: &str| format!("target {}: {what}", driver.target());
    let mut exams = Vec::new();
    let mut reached = false;
    for (at, endpoint) in driver.wire.members.endpoints().iter().enumerate() {
        let asked = driver.wire.members.ask_one(at, deadline, |client, endpoint| driver.wire.request(client, endpoint, Method::GET, "/v1/status/leader")).await;
        let name = about(&format!("agent {endpoint}"));
        exams.push(match asked {
            Ok(answer) if answer.good() && answer.text().len() > 2 => {
                reached = true;
                Exam::ok(name, format!("it answers, and its leader is {}", answer.text().trim_matches('"')))
            }
            Ok(answer) if answer.good() => Exam::fail(name, "it knows no leader", "look whether most of the servers run and reach each other"),
            Ok(answer) => Exam::fail(name, why(driver, &driver.wire.fault(&answer)), "name Consul's HTTP port under `endpoints`"),
            Err(fault) => Exam::fail(name, why(driver, &fault), "start it, or mend `endpoints` and `tls`"),
        });
    }
    if !reached {
        return exams;
    }
    let token = token(driver, deadline, about("token")).await;
    let known = token.found != crate::ports::Found::Fail;
    exams.push(token);
    if known {
        exams.extend(rights(driver, deadline, granted, &about("rights")).await);
    }
    exams.push(limits(driver, deadline, about("limits")).await);
    exams.push(servers(driver, deadline, about("servers")).await);
    exams
}

fn why(driver: &Consul, fault: &Fault) -> String {
    error(driver, fault, Vec::new()).what
}

async fn get(driver: &Consul, path: &str, deadline: Instant) -> Result<Answer, Fault> {
    driver.wire.members.ask(deadline, |client, endpoint| driver.wire.request(client, endpoint, Method::GET, path)).await
}

async fn token(driver: &Consul, deadline: Instant, about: String) -> Exam {
    let answer = match get(driver, "/v1/acl/token/self", deadline).await {
        Ok(answer) => answer,
        Err(fault) => return Exam::fail(about, why(driver, &fault), "ask again"),
    };
    if answer.status == 401 && answer.text().contains("ACL support disabled") {
        return Exam::warn(about, "ACLs are off: whoever reaches its port may read and write every key", "turn them on, and name a token under `token`");
    }
    if !driver.wire.signed() {
        return Exam::warn(about, "no token: the rights of the anonymous token hold", "name a token under `token`");
    }
    if !answer.good() {
        return Exam::fail(about, why(driver, &driver.wire.fault(&answer)), "compare the token with `consul acl token list`");
    }
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = format!("it is known, as {}", body["AccessorID"].as_str().unwrap_or("a token without a name"));
    match body["ExpirationTime"].as_str() {
        Some(end) => Exam::warn(about, format!("{said}, and expires {end}"), "replace it before that"),
        None => Exam::ok(about, said),
    }
}

/// What Consul's own pages ask to know which buttons to show; nothing is written.
async fn rights(driver: &Consul, deadline: Instant, granted: &[Str], about: &str) -> Vec<Exam> {
    if granted.is_empty() {
        return vec![Exam::warn(about, "no repository is granted anything here", "nothing to do, unless one should: add the target under `grants:`")];
    }
    let segments = |pattern: &Str| match pattern.strip_suffix('*') {
        Some(prefix) => vec![format!("{prefix}{NOBODY}")],
        None => vec![pattern.to_string()],
    };
    let asked: Vec<(&Str, &str, String)> =
        granted.iter().flat_map(|pattern| segments(pattern).into_iter().flat_map(move |key| ["read", "write"].map(|access| (pattern, access, key.clone())))).collect();
    let body: Vec<Json> = asked.iter().map(|(_, access, key)| json!({ "Resource": "key", "Access": access, "Segment": key })).collect();
    let body = encoded_json(&body);
    let question = |client: &reqwest::Client, endpoint: &str| driver.wire.request(client, endpoint, Method::POST, "/v1/internal/acl/authorize").body(body.clone());
    let answer = match driver.wire.members.ask(deadline, question).await {
        Ok(answer) if answer.status == 401 => return Vec::new(),
        Ok(answer) => answer,
        Err(fault) => return vec![Exam::warn(about, format!("what it may do cannot be seen: {}", why(driver, &fault)), "make a plan to see whether it reads")],
    };
    let answers: Vec<Json> = serde_json::from_slice(&answer.body).unwrap_or_default();
    if !answer.good() || answers.len() != asked.len() {
        let said = format!("this server does not tell what the token may do: {}", answer.text());
        return vec![Exam::warn(about, said, "make a plan to see whether it reads, and a small merge request to see whether it writes")];
    }
    let who = driver.words().who;
    let mut exams = Vec::new();
    let mut good: Vec<String> = Vec::new();
    for pattern in granted {
        let of = asked.iter().zip(&answers).filter(|((of, ..), _)| *of == pattern);
        let missing: Vec<&str> = of.filter(|(_, answer)| answer["Allow"] != true).map(|((_, access, _), _)| *access).collect();
        if missing.is_empty() {
            good.push(format!("`{pattern}`"));
            continue;
        }
        let rule = match pattern.strip_suffix('*') {
            Some(prefix) => format!("key_prefix \"{prefix}\" {{ policy = \"write\" }}"),
            None => format!("key \"{pattern}\" {{ policy = \"write\" }}"),
        };
        exams.push(Exam::fail(about, format!("{who} may not {} `{pattern}`", missing.join(" and ")), format!("put into its policy: {rule}")));
    }
    if !good.is_empty() {
        let said = format!("{who} may read and write {}, as far as can be seen without writing (rules for single keys cannot)", good.join(", "));
        exams.insert(0, Exam::ok(about, said));
    }
    exams
}

/// The agent's own limits beside those configured.
async fn limits(driver: &Consul, deadline: Instant, about: String) -> Exam {
    let configured = driver.shape().value_bytes;
    let body = match get(driver, "/v1/agent/self", deadline).await {
        Ok(answer) if answer.good() => serde_json::from_slice::<Json>(&answer.body).unwrap_or_default(),
        Ok(_) | Err(_) => return Exam::ok(about, format!("{configured} bytes a value, as configured; the token may not see the agent's own (`agent:read`)")),
    };
    let version = body["Config"]["Version"].as_str().unwrap_or("unknown");
    match body["DebugConfig"]["KVMaxValueSize"].as_u64() {
        Some(own) if own < configured as u64 => {
            let said = format!("version {version} takes {own} bytes a value, and {configured} are configured");
            Exam::warn(about, said, format!("write `max_request_bytes: {own}`, so that what is larger is refused before anything is written"))
        }
        Some(own) => Exam::ok(about, format!("version {version} takes {own} bytes a value")),
        None => Exam::ok(about, format!("version {version}; {configured} bytes a value, as configured")),
    }
}

async fn servers(driver: &Consul, deadline: Instant, about: String) -> Exam {
    // Where something is wrong it answers 429 with the same body.
    let answer = match get(driver, "/v1/operator/autopilot/health", deadline).await {
        Ok(answer) if answer.good() || answer.status == 429 => answer,
        Ok(_) | Err(_) => return Exam::ok(about, "the token may not see whether the servers are healthy (`operator:read`)"),
    };
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let servers = body["Servers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sick: Vec<&str> = servers.iter().filter(|server| server["Healthy"] != true).filter_map(|server| server["Name"].as_str()).collect();
    if body["Healthy"] == true {
        Exam::ok(about, format!("{} healthy; {} may fail before writes stop", servers.len(), body["FailureTolerance"].as_u64().unwrap_or(0)))
    } else {
        Exam::warn(
            about,
            format!("not healthy: {}", if sick.is_empty() { "the cluster as a whole".to_owned() } else { sick.join(", ") }),
            "look at `consul operator raft list-peers` and the server's log",
        )
    }
}
