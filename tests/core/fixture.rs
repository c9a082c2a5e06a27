//! What several parts of the tests begin with.

use trueup::core::{
    model::{CommitId, MrId, RepoId, User},
    review::{MrState, Sighting},
};

/// An open merge request of ann's, as the forge shows it.
pub fn sighting() -> Sighting {
    Sighting {
        mr: MrId { repo: RepoId::new("dns"), number: 7 },
        state: MrState::Open,
        draft: false,
        title: "t".into(),
        author: User::new("ann"),
        pushers: Default::default(),
        source_branch: "mr".into(),
        base_branch: "main".into(),
        head: CommitId::new("h"),
        base: CommitId::new("b"),
        author_trusted: true,
        proposed: None,
        own_head: false,
        unread: Vec::new(),
        reviews: Vec::new(),
        checks: Default::default(),
        unresolved_threads: 0,
        depends_on: Vec::new(),
        incident: None,
        brings: None,
        teams: Default::default(),
        comments: Vec::new(),
        edited: Vec::new(),
        altered: None,
        behind: None,
    }
}
