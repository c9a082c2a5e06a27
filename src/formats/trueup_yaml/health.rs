//! Faults of health rules: no question or several, addresses that are none, tests that compare nothing.

use super::check::{PATTERN, pattern_fault};
use crate::{
    core::model::{DnsProbe, HealthRule, HttpMethod, HttpProbe, PrometheusProbe, Question, Refusal, RefusalKind, Span, Str},
    formats::yaml::Node,
    kinds::dns::{DnsName, RType, parse_rdata},
};
use std::net::IpAddr;

/// More than this of one thing is no health check but a load on what it asks.
const LEAST_EVERY: Span = Span(250);
/// A reader must be able to take it in, and it is part of every plan.
const LONGEST: usize = 2000;

/// A fault whose line is not repeated.
const PASSWORD: &str = "the URL holds a user or a password, which a plan would show";

/// A fault of one key: the keys below the rule that lead to it, what it is, what to do.
type Fault = (Vec<&'static str>, RefusalKind, String, String);

/// Every fault of the rules that stand at `path`. `matched`: they must say what they are for.
pub(super) fn health(node: &Node, path: &[&str], rules: &[HealthRule], matched: bool) -> Vec<Refusal> {
    let mut found = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let at = i.to_string();
        let faults = of_rule(rule);
        // One line may hold all of the rule.
        let hides = faults.iter().any(|(_, _, what, _)| what == PASSWORD);
        let mut fault = |below: &[&str], kind, what: String, advice: String| {
            let place = node.nearest_to(&[path, &[&*at], below].concat()).place.clone();
            let refusal = Refusal::new(kind, what).at(place).advice(advice);
            found.push(if hides { refusal.excerpt("(not shown)") } else { refusal });
        };
        if matched && rule.r#match.is_empty() && rule.name.is_none() {
            fault(&[], RefusalKind::Schema, "it does not say what it is for".into(), "add `match:` with patterns over resource ids, or a `name:` for plan templates".into());
        }
        if let Some(name) = &rule.name {
            if !matched {
                let what = "a name is for plan templates, which the branch that is merged into says".to_owned();
                fault(&["name"], RefusalKind::Schema, what, "remove it, or name a rule of `policy.health`".into());
            } else if !is_name(name) {
                fault(&["name"], RefusalKind::Value, format!("`{name}` is no name"), "use letters, digits, `.`, `-` and `_`".into());
            } else if rules[..i].iter().any(|other| other.name.as_ref() == Some(name)) {
                fault(&["name"], RefusalKind::Overlap, format!("two rules are named `{name}`"), "name each once".into());
            }
        }
        for (n, pattern) in rule.r#match.iter().enumerate() {
            if let Some(what) = pattern_fault(pattern) {
                fault(&["match", &n.to_string()], RefusalKind::Value, what, PATTERN.into());
            }
        }
        for (below, kind, what, advice) in faults {
            fault(&below, kind, what, advice);
        }
    }
    found
}

fn of_rule(rule: &HealthRule) -> Vec<Fault> {
    let mut found = spans(rule);
    match rule.questions().as_slice() {
        [] => found.push((vec![], RefusalKind::Schema, "it asks nothing".into(), "add one of `http`, `tcp`, `dns`, `command` and `prometheus`".into())),
        [one] => found.extend(of_question(one)),
        [_, ..] => found.push((vec![], RefusalKind::Schema, "it asks several things".into(), "write a rule for each".into())),
    }
    found
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn spans(rule: &HealthRule) -> Vec<Fault> {
    let mut found = Vec::new();
    for (key, span) in [("deadline", rule.deadline), ("timeout", rule.timeout)] {
        if span == Some(Span(0)) {
            found.push((vec![key], RefusalKind::Value, format!("`{key}` of no length can never be kept"), "write a second or more".into()));
        }
    }
    if rule.every.is_some_and(|every| every < LEAST_EVERY) {
        found.push((vec!["every"], RefusalKind::Value, "so often is a load, not a check".into(), format!("write {LEAST_EVERY} or more")));
    }
    found
}

fn of_question(question: &Question) -> Vec<Fault> {
    let mut found: Vec<Fault> = Vec::new();
    let mut fault = |path: &[&'static str], what: String, advice: &str| found.push((path.to_vec(), RefusalKind::Value, what, advice.to_owned()));
    match question {
        Question::Http(HttpProbe { url, method, status, contains, json, at }) => {
            if let Some(what) = url_fault(url) {
                fault(&["http", "url"], what, "write it as `https://api.example.com/healthz`");
            }
            if let Some(at) = at {
                if !is_host(at) {
                    fault(&["http", "at"], format!("`{at}` is no address and no name"), "write it as `192.0.2.1`, `2001:db8::1` or `web1.example.com`; the port is the URL's");
                } else if host_of(url).parse::<IpAddr>().is_ok() {
                    fault(&["http", "at"], "the URL names an address already".into(), "write the site's name there, or leave `at` out");
                }
            }
            if !(100..600).contains(status) {
                fault(&["http", "status"], format!("{status} is no HTTP status"), "write 200, or another from 100 to 599");
            }
            if *method == HttpMethod::Head && (contains.is_some() || json.is_some()) {
                fault(&["http", "method"], "the answer to HEAD has no body to look at".into(), "use GET, or compare the status alone");
            }
            if let Some(json) = json.as_ref().filter(|json| !json.pointer.is_empty() && !json.pointer.starts_with('/')) {
                fault(&["http", "json", "pointer"], format!("`{}` is no JSON pointer", json.pointer), "start it with `/`, as in `/status/db`");
            }
            for (path, text) in [(&["http", "contains"][..], contains.as_ref()), (&["http", "json", "equals"], json.as_ref().map(|json| &json.equals))] {
                if text.is_some_and(|text| text.len() > LONGEST) {
                    fault(path, "it is longer than anybody reads".into(), "write up to 2000 characters");
                }
            }
        }
        Question::Tcp(address) => {
            if !is_address(address, false) {
                fault(&["tcp"], format!("`{address}` is no `host:port`"), "write it as `db.example.com:5432` or `[2001:db8::1]:5432`");
            }
        }
        Question::Dns(DnsProbe { server, name, r#type, expect }) => {
            if !is_address(server, true) {
                fault(&["dns", "server"], format!("`{server}` is no `host:port`"), "write it as `ns1.example.com:53` or `192.0.2.53`");
            }
            if !name.ends_with('.') || DnsName::parse(name).is_err() {
                fault(&["dns", "name"], format!("`{name}` is no whole name"), "write it with the dot at its end, as in `www.example.com.`");
            }
            match RType::parse(r#type) {
                Ok(rtype) if rtype.is_meta() => fault(&["dns", "type"], format!("`{type}` is no type that has answers"), "write it as in `A`"),
                Ok(rtype) => {
                    for text in expect.iter().filter(|text| parse_rdata(rtype, text).is_err()) {
                        fault(&["dns", "expect"], format!("`{text}` is no data of a record of type {type}"), "write it as a zone file does, names whole");
                    }
                }
                Err(_) => fault(&["dns", "type"], format!("`{type}` is no record type"), "write it as in `A`"),
            }
        }
        Question::Command(command) => {
            if command.name.is_empty() {
                fault(&["command", "name"], "the command has no name".into(), "name one of `probes.commands` of the server's configuration");
            }
        }
        Question::Prometheus(prometheus) => {
            let PrometheusProbe { server, query, test, lag: _ } = prometheus;
            if server.is_empty() {
                fault(&["prometheus", "server"], "the Prometheus has no name".into(), "name one of `probes.prometheus` of the server's configuration");
            }
            if query.trim().is_empty() || query.len() > LONGEST {
                fault(&["prometheus", "query"], "there is no query, or one longer than anybody reads".into(), "write PromQL of up to 2000 characters");
            }
            if prometheus.comparison().is_none() {
                fault(&["prometheus", "test"], format!("`{test}` compares with no number"), "write it like `< 0.01`, `>= 3` or `== 0`");
            }
        }
    }
    found
}

/// What is wrong with a URL, as far as text tells; where it leads is judged when it is asked.
fn url_fault(url: &Str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return Some(format!("`{url}` is no `http://` or `https://` URL")) };
    if url.len() > LONGEST || url.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Some("the URL holds blanks, control characters or `\\`, or is longer than anybody reads".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        // Not repeated: what stands before the `@` may be a password.
        return Some(PASSWORD.to_owned());
    }
    (authority.is_empty() || authority.starts_with(':')).then(|| format!("`{url}` names no host"))
}

/// The host of a URL as text, without port and brackets.
fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || !text.is_empty() && text.len() < 254 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Whether a text is `host:port`; `bare`: the port may be left out.
fn is_address(text: &str, bare: bool) -> bool {
    if text.parse::<std::net::SocketAddr>().is_ok() || bare && text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None if bare => (text, "53"),
        None => return false,
    };
    // Without brackets an IPv6 address has no port.
    is_host(host) && !host.contains(':') && port.parse::<u16>().is_ok_and(|port| port > 0)
}
