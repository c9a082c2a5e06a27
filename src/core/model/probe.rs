//! Probes: what else must hold before a change counts as healthy, as policy and sources say it.

use super::{Fingerprint, Span, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// One health check and the resources it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthRule {
    /// Resource id patterns (glob over `target/kind/name`) of what it is for. Beside a source: empty for all that the source asks for.
    pub r#match: Vec<Str>,
    /// In `policy.health`: how plan templates call it (`wait: {probe: shop}`). A rule with a name may match nothing.
    pub name: Option<Str>,
    /// A web page or endpoint must answer. Exactly one of `http`, `tcp`, `dns`, `command` and `prometheus` is said.
    pub http: Option<HttpProbe>,
    /// `host:port` must take a connection.
    pub tcp: Option<Str>,
    /// A name server must answer.
    pub dns: Option<DnsProbe>,
    /// A command that the server's configuration defines must end well.
    pub command: Option<CommandProbe>,
    /// A number that a Prometheus of the server's configuration computes must be right.
    pub prometheus: Option<PrometheusProbe>,
    /// How often it is asked; without it, policy's `every`.
    pub every: Option<Span>,
    /// How long it must hold without a gap; without it, policy's `window`.
    pub window: Option<Span>,
    /// How long that may take before the change fails; without it, policy's `deadline`.
    pub deadline: Option<Span>,
    /// How long one answer may take; without it, 10s. A later one counts as none.
    pub timeout: Option<Span>,
}

/// One request and what its answer must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    /// `http://…` or `https://…`, without a user or password in it.
    pub url: Str,
    /// `GET` or `HEAD`: a probe changes nothing.
    #[serde(default)]
    pub method: HttpMethod,
    /// The status of the last answer, after redirects.
    #[serde(default = "ok")]
    pub status: u16,
    /// Text that the body's first 1 MiB must hold.
    #[serde(default)]
    pub contains: Option<Str>,
    /// A value that the body, read as JSON, must hold.
    #[serde(default)]
    pub json: Option<JsonIs>,
    /// The address, or another name, that is connected to in place of the URL's host, which is asked for all the same (`Host`, and the name in TLS). Redirects away from that host are not followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Str>,
}

impl HttpProbe {
    /// GET, and 200 whatever the body says.
    pub fn of(url: impl Into<Str>) -> Self {
        Self { url: url.into(), method: HttpMethod::Get, status: ok(), contains: None, json: None, at: None }
    }
}

fn ok() -> u16 {
    200
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HttpMethod {
    #[default]
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "HEAD")]
    Head,
}

/// One value inside JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonIs {
    /// A JSON pointer (RFC 6901): `/status/db`.
    pub pointer: Str,
    /// The text that must stand there; a number or `true` as JSON writes it, in quotes.
    pub equals: Str,
}

/// One question to one name server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsProbe {
    /// `host:port` of the name server; without a port, 53.
    pub server: Str,
    /// The whole name: `www.example.com.`.
    pub name: Str,
    /// The type: `A`.
    pub r#type: Str,
    /// All that the answer must hold, in any order, as a zone file writes it. Empty: anything.
    #[serde(default)]
    pub expect: Vec<Str>,
}

/// One command of the server's configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandProbe {
    /// Its name there.
    pub name: Str,
    /// Its arguments by name, each inside what the configuration lets through.
    #[serde(default)]
    pub args: BTreeMap<Str, Str>,
}

/// One query and the test of its result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrometheusProbe {
    /// The Prometheus by its name in the server's configuration.
    pub server: Str,
    /// PromQL whose result is a scalar, or a vector of exactly one series.
    pub query: Str,
    /// A comparison with a number: `< 0.01`, `>= 3`, `== 0`.
    pub test: Str,
    /// How far its numbers may lie behind what happens: the scrape interval, and the range of the query (`[1m]`) beside it. The row of samples is that much longer, so that
    /// what was measured before the write cannot fill it. Without it, 1m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Span>,
}

/// One thing to ask, whoever asks for it: two equal ones are asked once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Probe {
    pub ask: Question,
    /// Policy's, where it says none.
    pub every: Option<Span>,
    pub window: Option<Span>,
    pub deadline: Option<Span>,
    pub timeout: Span,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    Http(HttpProbe),
    Tcp(Str),
    Dns(DnsProbe),
    Command(CommandProbe),
    Prometheus(PrometheusProbe),
}

/// What one probe saw, in a line without more than a bounded, escaped excerpt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saw {
    Good(Str),
    /// It answered, and not as it must.
    Bad(Str),
    /// Nothing answered that could be judged: a hole in the row, and the row's end once it is too wide.
    Nothing(Str),
}

/// A sample that takes longer is none: people who want more say so.
const TIMEOUT: Span = Span(10_000);

/// The interval at which a Prometheus scrapes unless its configuration says another.
const LAG: Span = Span(60_000);

impl HealthRule {
    /// The questions it asks; exactly one in a sound rule.
    pub fn questions(&self) -> Vec<Question> {
        let Self { r#match: _, name: _, http, tcp, dns, command, prometheus, every: _, window: _, deadline: _, timeout: _ } = self;
        let all = [
            http.clone().map(Question::Http),
            tcp.clone().map(Question::Tcp),
            dns.clone().map(Question::Dns),
            command.clone().map(Question::Command),
            prometheus.clone().map(Question::Prometheus),
        ];
        all.into_iter().flatten().collect()
    }

    /// The probe of a sound rule.
    pub fn probe(&self) -> Option<Probe> {
        let mut questions = self.questions();
        let mut ask = questions.pop().filter(|_| questions.is_empty())?;
        if let Question::Prometheus(asked) = &mut ask {
            asked.lag.get_or_insert(LAG);
        }
        Some(Probe { ask, every: self.every, window: self.window, deadline: self.deadline, timeout: self.timeout.unwrap_or(TIMEOUT) })
    }
}

impl PrometheusProbe {
    /// The comparison and the number of `test`, which is checked where it is read; `None`: it is none.
    pub fn comparison(&self) -> Option<(Comparison, &str)> {
        let known =
            [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("==", Comparison::Equal), ("!=", Comparison::Unequal), ("<", Comparison::Below), (">", Comparison::Above)];
        let text = self.test.trim();
        let (sign, comparison) = known.into_iter().find(|(sign, _)| text.starts_with(sign))?;
        let number = text[sign.len()..].trim();
        let plain = number.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c)) && number.chars().any(|c| c.is_ascii_digit());
        (plain && serde_json::from_str::<serde_json::Number>(number.trim_start_matches('+')).is_ok()).then_some((comparison, number))
    }
}

/// How a number is compared with the one of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Below,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    Above,
}

impl Probe {
    /// How old what an answer tells may be at the moment it is given. Plans of older versions waited for none of it.
    pub fn lag(&self) -> Span {
        match &self.ask {
            Question::Prometheus(asked) => asked.lag.unwrap_or(Span(0)),
            Question::Http(_) | Question::Tcp(_) | Question::Dns(_) | Question::Command(_) => Span(0),
        }
    }

    /// Its name by content.
    pub fn key(&self) -> Fingerprint {
        let bytes = serde_json::to_vec(self).expect("probes have string keys and no floats, so they always encode");
        Fingerprint::of("trueup/probe/1", &[&bytes])
    }
}

impl fmt::Display for Probe {
    /// Prints what must hold, after `healthy when`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ask)?;
        if let Some(window) = self.window {
            write!(f, ", for {window}")?;
        }
        if let Some(every) = self.every {
            write!(f, ", asked every {every}")?;
        }
        if let Some(deadline) = self.deadline {
            write!(f, ", within {deadline}")?;
        }
        if self.timeout != TIMEOUT {
            write!(f, ", each answer within {}", self.timeout)?;
        }
        Ok(())
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(HttpProbe { url, method, status, contains, json, at }) => {
                let method = match method {
                    HttpMethod::Get => "GET",
                    HttpMethod::Head => "HEAD",
                };
                write!(f, "{method} {url}")?;
                if let Some(at) = at {
                    write!(f, " at {at}")?;
                }
                write!(f, " answers {status}")?;
                if let Some(text) = contains {
                    write!(f, " with {text:?}")?;
                }
                if let Some(JsonIs { pointer, equals }) = json {
                    write!(f, " with {equals:?} at {pointer}")?;
                }
                Ok(())
            }
            Self::Tcp(address) => write!(f, "{address} takes a connection"),
            Self::Dns(DnsProbe { server, name, r#type, expect }) if expect.is_empty() => write!(f, "{server} has an answer for {name} {type}"),
            Self::Dns(DnsProbe { server, name, r#type, expect }) => write!(f, "{server} answers {name} {type} with {}", expect.join(", ")),
            Self::Command(CommandProbe { name, args }) => {
                write!(f, "the command {name}")?;
                args.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))?;
                f.write_str(" ends well")
            }
            Self::Prometheus(PrometheusProbe { server, query, test, lag: _ }) => write!(f, "on Prometheus {server}, {query} {test}"),
        }
    }
}
