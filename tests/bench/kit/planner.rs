//! Plans over a made repository without a server: nothing is observed.

use super::{NoSecrets, Null};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio::runtime::Runtime;
use trueup::{
    app::{
        Repository, Target, Targets, config,
        planning::{Request, Sighted, compile_for},
        safe::Safe,
        wiring,
    },
    core::{
        model::{CommitId, MrId, TreeId},
        run::PlanResult,
    },
    kinds::dns::DNS,
    ports::Driver,
    secrets::Seal,
};

/// What a server holds of a repository.
pub struct Planner {
    runtime: Runtime,
    repo: Arc<Repository>,
    targets: Targets,
    /// Plans observe with this; without it they are offline.
    safe: Option<Safe>,
}

impl Planner {
    /// Over a bare repository whose sources name the target `dns`.
    pub fn open(path: &Path) -> Self {
        let targets = Targets::from([("dns".into(), Arc::new(Target::new("dns", Arc::new(Null::new(&DNS)), 1)))]);
        Self::made(path, "dns: { kind: dns/rfc2136, address: \"127.0.0.1:1\" }", targets, None)
    }

    /// Over a bare repository whose sources name the target `t`, an etcd, whose driver is this one; plans observe it.
    pub fn over(path: &Path, driver: Arc<dyn Driver>) -> Self {
        let targets = Targets::from([("t".into(), Arc::new(Target::new("t", driver, 4)))]);
        let safe = Safe::new(Arc::new(NoSecrets), Seal::for_now().expect("the machine has randomness"), Default::default());
        Self::made(path, "t: { kind: config/etcd, endpoints: [\"http://127.0.0.1:1\"] }", targets, Some(safe))
    }

    fn made(path: &Path, target: &str, targets: Targets, safe: Option<Safe>) -> Self {
        let name = target.split(':').next().unwrap_or_default();
        let text = format!("data: data\nrepositories:\n  - name: infra\n    grants: [{{ target: {name} }}]\ntargets:\n  {target}\n");
        let server = config::parse("server.yaml", text.as_bytes()).unwrap_or_else(|faults| panic!("the configuration is good: {faults:?}"));
        let repo = wiring::checkout(&server, None, path).expect("the repository opens");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be made");
        Self { runtime, repo: Arc::new(repo), targets, safe }
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
            takes_over: None,
            restore: None,
        };
        let sighted = self.safe.as_ref().map_or(Sighted::Offline, Sighted::Observe);
        self.runtime.block_on(compile_for(self.repo.clone(), &self.targets, sighted, request))
    }
}
