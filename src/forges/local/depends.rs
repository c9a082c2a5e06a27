//! What a merge request waits for by its description, and where those are.

use super::{error::LocalError, error::LocalErrorKind, forge::LocalForge, rows::MrRow};
use crate::core::{
    model::MrId,
    review::{Depended, Dependency, MrState, depends_on},
};
use std::collections::BTreeSet;

/// Merge requests followed to find a loop; more than people chain by hand.
const FOLLOWED: usize = 256;

impl LocalForge {
    /// Every dependency of a merge request with where it is now.
    pub(super) async fn dependencies(&self, mr: &MrId, row: &MrRow) -> Result<Vec<Dependency>, LocalError> {
        let mut found = Vec::new();
        for (said, meant) in depends_on(&row.description, &mr.repo, None) {
            let state = match meant {
                None => Depended::Unknown,
                Some(other) if other == *mr => Depended::Cycle(vec![other]),
                Some(other) => match self.known_row(&other).await? {
                    None => Depended::Unknown,
                    Some(row) => match row.state {
                        MrState::Merged { .. } => Depended::Merged,
                        MrState::Closed => Depended::Closed(other),
                        MrState::Open => self.way_back_to(mr, &other).await?.map_or(Depended::Open(other), Depended::Cycle),
                    },
                },
            };
            found.push(Dependency { said, state });
        }
        Ok(found)
    }

    /// The chain of open merge requests that leads from `start` back to `mr`, if there is one.
    async fn way_back_to(&self, mr: &MrId, start: &MrId) -> Result<Option<Vec<MrId>>, LocalError> {
        let mut seen = BTreeSet::from([start.clone()]);
        let mut next = vec![vec![start.clone()]];
        while let Some(way) = next.pop() {
            let Some(at) = way.last() else { continue };
            let Some(row) = self.known_row(at).await?.filter(|row| row.state == MrState::Open) else { continue };
            for other in depends_on(&row.description, &at.repo, None).into_iter().filter_map(|(_, meant)| meant) {
                if other == *mr {
                    return Ok(Some(way));
                }
                if seen.len() < FOLLOWED && seen.insert(other.clone()) {
                    next.push(way.iter().cloned().chain([other]).collect());
                }
            }
        }
        Ok(None)
    }

    async fn known_row(&self, mr: &MrId) -> Result<Option<MrRow>, LocalError> {
        match self.row(mr).await {
            Ok((row, _)) => Ok(Some(row)),
            Err(error) if error.kind == LocalErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
