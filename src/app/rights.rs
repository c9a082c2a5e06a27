//! What people may do, also while a forge that would know cannot be asked.

use super::service::{Service, ServiceError, ServiceErrorKind};
use crate::{
    core::{
        model::{RepoId, User},
        review::Right,
    },
    ports::ForgeError,
};

impl Service {
    /// What a person may do in a repository.
    pub async fn right(&self, who: &User, repo: &RepoId) -> Result<Right, ServiceError> {
        self.told(who, repo).await?.map_err(unavailable)
    }

    /// What the forge says of it, if it can be asked.
    async fn told(&self, who: &User, repo: &RepoId) -> Result<Result<Right, ForgeError>, ServiceError> {
        if !self.world().repositories.contains_key(repo) {
            return Err(ServiceError::new(ServiceErrorKind::NotFound, format!("no repository `{repo}` here; `trueup mr list` shows those there are")));
        }
        Ok(self.world().forge.right(repo, who).await)
    }

    /// The same for somebody who needs so much. While the forge cannot be asked the configuration's names count, and to read or to stop something its teams as last told.
    pub async fn right_for(&self, who: &User, repo: &RepoId, least: Right, stops: bool) -> Result<Right, ServiceError> {
        let error = match self.told(who, repo).await? {
            Ok(right) => return Ok(right),
            Err(error) => error,
        };
        // An account of ours that was shut out is no outage: then only names count.
        let told = error.kind.passes() && (stops || least <= Right::Read);
        let right = if told { self.world().forge.right_known(repo, who) } else { self.world().people.right(repo, who) };
        tracing::warn!(%repo, %who, "the forge could not be asked what they may do, what was known before counts: {error}");
        if right < least { Err(unavailable(error)) } else { Ok(right) }
    }

    pub(super) async fn needs(&self, who: &User, repo: &RepoId, least: Right, what: &str) -> Result<(), ServiceError> {
        if self.right_for(who, repo, least, false).await? >= least {
            return Ok(());
        }
        Err(ServiceError::new(ServiceErrorKind::Denied, format!("{who} may not {what} in {repo}; ask an admin of the repository")))
    }
}

fn unavailable(error: ForgeError) -> ServiceError {
    ServiceError::new(ServiceErrorKind::Unavailable, error.to_string())
}
