//! Listing what is live below a prefix.

use super::{
    driver::Consul,
    wire::{Pair, path},
};
use crate::{
    cluster::Fault,
    core::model::Observed,
    drivers::config::center::{Center as _, error, listed},
    ports::ObserveError,
};
use reqwest::Method;
use std::time::Instant;

/// Every key that starts so; an error where the server leaves out what the token may not read.
pub(super) async fn list(driver: &Consul, prefix: &str, deadline: Instant) -> Result<Vec<Observed>, ObserveError> {
    let of = |fault: Fault| error(driver, &fault, Vec::new());
    let question = format!("{}?recurse&consistent", path(prefix));
    let answer = driver.wire.members.ask(deadline, |client, endpoint| driver.wire.request(client, endpoint, Method::GET, &question)).await.map_err(of)?;
    // Nobody without a token is told that something was left out.
    let in_part = answer.header("x-consul-results-filtered-by-acls") == Some("true") || !driver.wire.signed() && answer.header("x-consul-default-acl-policy") == Some("deny");
    let pairs: Vec<Pair> = match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|_| of(Fault::Other("the server's answer is no list of keys".into())))?,
        404 => Vec::new(),
        _ => return Err(of(driver.wire.fault(&answer))),
    };
    if in_part {
        let words = driver.words();
        let all = if prefix.is_empty() { "all keys".to_owned() } else { format!("all keys below `{prefix}`") };
        return Err(of(Fault::Stranger(format!("{} may not read {all}; {}, or name a longer prefix", words.who, words.grant))));
    }
    let mut found = pairs.iter().map(|pair| Ok(listed(driver, &pair.key, &pair.live()?))).collect::<Result<Vec<_>, Fault>>().map_err(of)?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}
