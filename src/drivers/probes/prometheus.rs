//! Whether a number of a Prometheus is right. No number (no series, NaN) tells nothing; an answer that can never be one number is wrong.

use super::{config::Prometheus, excerpt::excerpt, http};
use crate::core::model::{Comparison, PrometheusProbe, Saw};
use reqwest::{Client, Url};
use serde_json::Value as Json;
use std::time::Duration;

/// The number of an answer, or what the answer is instead.
#[derive(Debug, PartialEq)]
enum Answer {
    Number(f64),
    /// No number now.
    None(String),
    /// Never one number.
    Wrong(String),
}

pub(super) async fn ask(client: &Client, at: &Prometheus, probe: &PrometheusProbe, timeout: Duration) -> Saw {
    let name = &probe.server;
    let nothing = |why: String| Saw::Nothing(format!("Prometheus {name}: {why}").into());
    let Ok(mut url) = Url::parse(&format!("{}/api/v1/query", at.url.trim_end_matches('/'))) else { return nothing("its URL cannot be read".into()) };
    url.query_pairs_mut().append_pair("query", &probe.query).append_pair("timeout", &format!("{}ms", timeout.as_millis().max(1)));
    let mut request = client.get(url);
    if let Some(token) = &at.token {
        request = request.bearer_auth(token.expose());
    }
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return nothing(format!("no answer: {}", http::innermost(&error))),
    };
    let status = response.status();
    let body = match http::body(response).await {
        Ok((body, false)) => body,
        Ok((_, true)) => return Saw::Bad(format!("Prometheus {name}: the answer is larger than one number can be").into()),
        Err(why) => return nothing(why),
    };
    let Ok(json) = serde_json::from_slice::<Json>(&body) else { return nothing(format!("it answered {} and no JSON: {}", status.as_u16(), excerpt(&body))) };
    if !status.is_success() || json["status"] != "success" {
        let why = json["error"].as_str().map_or_else(|| "without a word".to_owned(), |why| excerpt(why.as_bytes()));
        // A query that it cannot read stays wrong however often it is asked.
        return if status.as_u16() == 400 {
            Saw::Bad(format!("Prometheus {name} does not take the query: {why}").into())
        } else {
            nothing(format!("it answered {}: {why}", status.as_u16()))
        };
    }
    match number(&json["data"]) {
        Answer::None(why) => nothing(why),
        Answer::Wrong(why) => Saw::Bad(format!("Prometheus {name}: {why}").into()),
        Answer::Number(is) => match probe.comparison().and_then(|(how, than)| Some(holds(is, how, than.parse().ok()?))) {
            None => nothing(format!("{} compares with no number", excerpt(probe.test.as_bytes()))),
            Some(true) => Saw::Good(format!("it is {is}").into()),
            Some(false) => Saw::Bad(format!("it is {is}, and must be {}", probe.test.trim()).into()),
        },
    }
}

fn holds(is: f64, how: Comparison, than: f64) -> bool {
    match how {
        Comparison::Below => is < than,
        Comparison::AtMost => is <= than,
        Comparison::Equal => is == than,
        Comparison::Unequal => is != than,
        Comparison::AtLeast => is >= than,
        Comparison::Above => is > than,
    }
}

fn number(data: &Json) -> Answer {
    let value = match (data["resultType"].as_str(), data["result"].as_array()) {
        (Some("scalar"), Some(pair)) => pair.get(1),
        (Some("vector"), Some(series)) => match series.as_slice() {
            [] => return Answer::None("the query finds no series".to_owned()),
            [one] => one["value"].get(1),
            [_, _, ..] => return Answer::Wrong(format!("the query finds {} series; make it one, with `sum()` or a label", series.len())),
        },
        (Some(other), _) => return Answer::Wrong(format!("the query's result is a {}, not a number; make it a scalar or a vector of one series", excerpt(other.as_bytes()))),
        (None, _) => return Answer::Wrong("the answer has no result; is that a Prometheus?".to_owned()),
    };
    // Prometheus writes `+Inf`, which Rust reads too.
    match value.and_then(Json::as_str).map(str::parse::<f64>) {
        Some(Ok(number)) if number.is_nan() => Answer::None("the query's result is NaN: it divides by nothing, or there is no data".to_owned()),
        Some(Ok(number)) => Answer::Number(number),
        Some(Err(_)) | None => Answer::Wrong("the answer holds something that is no number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, number};
    use serde_json::json;

    #[test]
    fn only_one_number_is_a_number() {
        assert_eq!(number(&json!({"resultType": "scalar", "result": [1, "0.5"]})), Answer::Number(0.5));
        assert_eq!(number(&json!({"resultType": "vector", "result": [{"metric": {}, "value": [1, "+Inf"]}]})), Answer::Number(f64::INFINITY));
        let none = [json!({"resultType": "vector", "result": []}), json!({"resultType": "scalar", "result": [1, "NaN"]})];
        assert!(none.iter().all(|data| matches!(number(data), Answer::None(_))));
        let wrong = [
            json!({"resultType": "vector", "result": [{"value": [1, "1"]}, {"value": [1, "2"]}]}),
            json!({"resultType": "matrix", "result": [{"values": []}]}),
            json!({"resultType": "string", "result": [1, "up"]}),
            json!({"resultType": "vector", "result": [{"histogram": [1, {}]}]}),
            json!({"resultType": "scalar", "result": [1, 5]}),
            json!({}),
            json!(null),
        ];
        assert!(wrong.iter().all(|data| matches!(number(data), Answer::Wrong(_))));
    }
}
