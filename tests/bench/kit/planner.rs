//! Plans over a made repository without a server: nothing is observed.

use super::Null;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio::runtime::Runtime;
use trueup::{
    app::{
        Repository, Target, Targets, config,
        planning::{Request, Sighted, compile_for},
        wiring,
    },
    core::{
        model::{CommitId, MrId, TreeId},
        run::PlanResult,
    },
    kinds::dns::DNS,
};

/// What a server holds of a repository.
pub struct Planner {
    runtime: Runtime,
    repo: Arc<Repository>,
    targets: Targets,
}

impl Planner {
    /// Over a bare repository whose sources name the target `dns`.
    pub fn open(path: &Path) -> Self {
        let text = "data: data\nrepositories:\n  - name: infra\n    grants: [{ target: dns }]\ntargets:\n  dns: { kind: dns/rfc2136, address: \"127.0.0.1:1\" }\n";
        let server = config::parse("server.yaml", text.as_bytes()).unwrap_or_else(|faults| panic!("the configuration is good: {faults:?}"));
        let repo = wiring::checkout(&server, None, path).expect("the repository opens");
        let targets = Targets::from([("dns".into(), Arc::new(Target::new("dns", Arc::new(Null::new(&DNS)), 1)))]);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be made");
        Self { runtime, repo: Arc::new(repo), targets }
    }

    pub fn commit(&self, rev: &str) -> CommitId {
        self.repo.state.commit(rev).expect("the branch is there")
    }

    pub fn plan(&self, base: &CommitId, head: &CommitId) -> (TreeId, PlanResult) {
        let mr = MrId { repo: self.repo.id.clone(), number: 1 };
        let request = Request {
            mr,
            base: base.clone(),
            head: head.clone(),
            ours: BTreeMap::new(),
            written: BTreeMap::new(),
            earlier: Vec::new(),
            now: Default::default(),
            ahead: BTreeMap::new(),
            overrides: Default::default(),
            owners: None,
            restore: None,
        };
        self.runtime.block_on(compile_for(self.repo.clone(), &self.targets, Sighted::Offline, request))
    }
}
