//! What a merge request waits for by its description, and where those are: the same on every forge that can be asked for one.

use super::NetError;
use crate::{
    core::{
        model::MrId,
        review::{Depended, Dependency, MrState, depends_on},
    },
    ports::Fut,
};
use std::collections::BTreeSet;

/// Merge requests read to find a loop: each is a question to the forge, and people do not chain more by hand.
const FOLLOWED: usize = 32;

/// Answers where a merge request is and what its description says.
pub trait Described: Sync {
    /// Where people open this forge: what links to its merge requests begin with.
    fn web(&self) -> &str;

    /// The merge request that a repository's name or path and a number mean; `None`: not one of this forge's governed repositories.
    fn meant(&self, named: MrId) -> Option<MrId>;

    /// Its state and description; `None`: there is none.
    fn described<'a>(&'a self, mr: &'a MrId) -> Fut<'a, Result<Option<(MrState, String)>, NetError>>;
}

/// Every dependency that a description names, with where it is now.
pub async fn dependencies(forge: &dyn Described, mr: &MrId, description: &str) -> Result<Vec<Dependency>, NetError> {
    let mut found = Vec::new();
    for (said, named) in depends_on(description, &mr.repo, Some(forge.web())) {
        let state = match named.and_then(|named| forge.meant(named)) {
            None => Depended::Unknown,
            Some(other) if other == *mr => Depended::Cycle(vec![other]),
            Some(other) => match forge.described(&other).await? {
                None => Depended::Unknown,
                Some((MrState::Merged { .. }, _)) => Depended::Merged,
                Some((MrState::Closed, _)) => Depended::Closed(other),
                Some((MrState::Open, text)) => way_back(forge, mr, &other, text).await?.map_or(Depended::Open(other), Depended::Cycle),
            },
        };
        found.push(Dependency { said, state });
    }
    Ok(found)
}

/// The chain of open merge requests that leads from `start` back to `mr`, if there is one.
async fn way_back(forge: &dyn Described, mr: &MrId, start: &MrId, text: String) -> Result<Option<Vec<MrId>>, NetError> {
    let mut seen = BTreeSet::from([start.clone()]);
    let mut next = vec![(vec![start.clone()], text)];
    while let Some((way, text)) = next.pop() {
        let Some(at) = way.last() else { continue };
        for other in depends_on(&text, &at.repo, Some(forge.web())).into_iter().filter_map(|(_, named)| forge.meant(named?)) {
            if other == *mr {
                return Ok(Some(way));
            }
            if seen.len() >= FOLLOWED || !seen.insert(other.clone()) {
                continue;
            }
            if let Some((MrState::Open, text)) = forge.described(&other).await? {
                next.push((way.iter().cloned().chain([other]).collect(), text));
            }
        }
    }
    Ok(None)
}
