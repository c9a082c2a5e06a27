//! Listing what is live, in pages of one revision.

use super::driver::{Etcd, live};
use crate::{
    core::model::Observed,
    drivers::config::center::{error, listed},
    etcd::{Fault, encoded, kvs},
    ports::ObserveError,
};
use serde_json::json;
use std::time::Instant;

/// Keys of one page.
const PAGE: usize = 1000;

/// A listing whose revision was compacted away under it begins anew so often; after that its pages are of whatever revision there is.
const BEGINNINGS: u32 = 3;

/// Every key that starts so and is text.
pub(super) async fn list(driver: &Etcd, prefix: &str, deadline: Instant) -> Result<Vec<Observed>, ObserveError> {
    let of = |fault: Fault| error(driver, &fault, Vec::new());
    let (mut from, end) = (first(prefix), after(prefix.as_bytes()));
    let (mut revision, mut found, mut begun) = ("0".to_owned(), Vec::new(), 1);
    loop {
        let body = json!({ "key": encoded(&from), "range_end": encoded(&end), "limit": PAGE, "revision": revision });
        let answer = match driver.wire.ask("/v3/kv/range", &body, deadline).await {
            Err(Fault::Other(why)) if why.contains("has been compacted") => {
                revision = "0".to_owned();
                if begun < BEGINNINGS {
                    begun += 1;
                    from = first(prefix);
                    found.clear();
                }
                continue;
            }
            answer => answer.map_err(of)?,
        };
        let page = kvs(&answer).map_err(of)?;
        if revision == "0" && begun < BEGINNINGS {
            revision = answer["header"]["revision"].as_str().unwrap_or("0").to_owned();
        }
        let Some((last, _)) = page.last() else { break };
        from = [last.as_slice(), &[0]].concat();
        let more = answer["more"].as_bool().unwrap_or(false);
        for (key, held) in page {
            if let Ok(key) = String::from_utf8(key) {
                found.push(listed(driver, &key, &live(held)));
            }
        }
        if !more {
            break;
        }
    }
    Ok(found)
}

/// Where a range of a prefix begins; etcd knows no empty key.
fn first(prefix: &str) -> Vec<u8> {
    if prefix.is_empty() { vec![0] } else { prefix.as_bytes().to_vec() }
}

/// The first key after all that start so; a zero byte: there is none.
pub(super) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}
