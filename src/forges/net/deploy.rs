//! What of a face's deployments differs from what was shown last.

use super::NetError;
use crate::core::review::{Deployment, Face};

/// The deployments of a face that the last one did not show so.
pub fn undeployed<'a>(face: &'a Face, last: Option<&Face>) -> Vec<&'a Deployment> {
    let same = |deployment: &Deployment| {
        let known = last.filter(|last| last.head == face.head).into_iter().flat_map(|last| &last.deployments);
        // Words alone are no news: the page they lead to has newer ones.
        known.into_iter().any(|known| known.environment == deployment.environment && known.state == deployment.state)
    };
    face.deployments.iter().filter(|deployment| !same(deployment)).collect()
}

/// What came of showing them: what may pass is tried again with the face, and what the forge never takes holds up nothing.
pub fn shown(what: &str, done: Result<(), NetError>) -> Result<(), NetError> {
    match done {
        Err(error) if !error.kind.passes() => {
            tracing::warn!("{what} is not shown among the deployments of its forge: {error}");
            Ok(())
        }
        done => done,
    }
}
