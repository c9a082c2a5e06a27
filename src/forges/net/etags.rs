//! Answers kept with their tags, so that what has not changed costs the forge a header and us no limit.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes kept: some thousands of merge requests.
const MOST: usize = 32 << 20;

/// One answer that may be had again.
#[derive(Clone, Debug)]
pub struct Kept {
    pub etag: String,
    pub body: Arc<Vec<u8>>,
    /// The next page it named.
    pub next: Option<String>,
    used: u64,
}

#[derive(Debug, Default)]
pub struct Etags(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    answers: BTreeMap<String, Kept>,
    bytes: usize,
    clock: u64,
}

impl Etags {
    pub fn get(&self, url: &str) -> Option<Kept> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let now = held.clock;
        let kept = held.answers.get_mut(url)?;
        kept.used = now;
        Some(kept.clone())
    }

    pub fn keep(&self, url: &str, etag: String, body: Arc<Vec<u8>>, next: Option<String>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let kept = Kept { etag, body, next, used: held.clock };
        held.bytes += kept.body.len() + url.len();
        if let Some(old) = held.answers.insert(url.to_owned(), kept) {
            held.bytes -= old.body.len() + url.len();
        }
        while held.bytes > MOST {
            let Some(oldest) = held.answers.iter().min_by_key(|(_, kept)| kept.used).map(|(url, _)| url.clone()) else { break };
            if let Some(old) = held.answers.remove(&oldest) {
                held.bytes -= old.body.len() + oldest.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first_and_the_bound_holds() {
        let etags = Etags::default();
        let body = Arc::new(vec![0; MOST / 3]);
        for url in ["a", "b", "c"] {
            etags.keep(url, "1".into(), body.clone(), None);
            etags.get("a");
        }
        assert_eq!(["a", "b", "c"].map(|url| etags.get(url).is_some()), [true, false, true], "three of a third and their names are over the bound");
        assert!(etags.0.lock().unwrap().bytes <= MOST);
    }
}
