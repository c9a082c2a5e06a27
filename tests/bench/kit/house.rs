//! A whole change through the service: opened, planned, approved, run, verified, merged, over a memory store and the local forge.

use super::Importer;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::watch};
use trueup::{
    app::{
        Glance, Target, Targets, config,
        service::{NewMr, Service},
        wiring,
    },
    core::{
        model::{RepoId, User},
        review::{Command, Phase},
        run::Event,
    },
    ports::Driver,
};

/// `trueup.yaml` of every house: the shortest window of two samples at the usual pace and no budgets, because neither is measured.
pub const ROOT: &str =
    "sources:\n  - path: dns\n    format: octodns\n    targets: [dns]\npolicy:\n  window: 1s\n  every: 1s\n  budgets: {delete_percent: 100, change_percent: 100}\n";

/// A change that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// A service with one repository `infra` and one target `dns`.
pub struct House {
    runtime: Runtime,
    service: Service,
    _dir: TempDir,
}

/// What a change took.
pub struct Whole {
    /// Until the plan was there to approve.
    pub planned: Duration,
    /// From the approval until the last step was proven.
    pub rolled: Duration,
    /// From the approval to the merge.
    pub merged: Duration,
    pub journal: Vec<Event>,
}

impl House {
    /// Serves the repository that `import` makes.
    pub fn new(driver: Arc<dyn Driver>, import: impl FnOnce(&mut Importer)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut importer = Importer::new(&dir.path().join("infra.git"));
        import(&mut importer);
        importer.done();
        for person in ["ana", "ben"] {
            std::fs::write(dir.path().join(person), format!("{person}-token\n")).expect("the folder is writable");
        }
        let text = format!(
            "data: {at}\nstore: {{ kind: memory }}\nsecrets: {at}\nusers:\n  - name: ana\n    token: {{ file: ana }}\n  - name: ben\n    token: {{ file: ben }}\n\
             repositories:\n  - name: infra\n    path: {at}/infra.git\n    writers: [ana]\n    approvers: [ben]\n    grants: [{{ target: dns }}]\n\
             targets:\n  dns: {{ kind: dns/rfc2136, address: \"127.0.0.1:1\" }}\n",
            at = dir.path().display()
        );
        let server = config::parse("server.yaml", text.as_bytes()).unwrap_or_else(|faults| panic!("the configuration is good: {faults:?}"));
        let targets = Targets::from([("dns".into(), Arc::new(Target::new("dns", driver, 4)))]);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
        let service = runtime.block_on(wiring::service_over(server, targets)).expect("the service starts").service;
        Self { runtime, service, _dir: dir }
    }

    /// Takes a pushed branch through its whole life.
    pub fn change(&self, branch: &str) -> Whole {
        self.runtime.block_on(async {
            let new = NewMr { title: branch.into(), source: branch.into(), target: String::new(), draft: false, reviewers: Vec::new(), description: String::new() };
            let opened = Instant::now();
            let mr = self.service.open(&User::new("ana"), &RepoId::new("infra"), new).await.expect("it opens");
            let mut seen = self.service.watch(&mr);
            reached(&mut seen, &[Phase::AwaitingApproval]).await;
            let planned = opened.elapsed();
            let approved = Instant::now();
            self.service.command(&User::new("ben"), &mr, Command::Approve { digest: None, steps: Vec::new() }).await.expect("it is approved");
            reached(&mut seen, &[Phase::Verifying, Phase::Merging, Phase::Merged]).await;
            let rolled = approved.elapsed();
            reached(&mut seen, &[Phase::Merged]).await;
            let merged = approved.elapsed();
            let journal = self.service.journal(&mr).await.expect("it is there");
            Whole { planned, rolled, merged, journal }
        })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.runtime.block_on(self.service.stop());
    }
}

async fn reached(seen: &mut watch::Receiver<Glance>, wanted: &[Phase]) {
    let over = [Phase::Failed, Phase::Refused, Phase::Conflicted, Phase::Closed];
    let there = seen.wait_for(|glance| glance.card.as_ref().is_some_and(|card| wanted.contains(&card.phase) || over.contains(&card.phase)));
    let card = tokio::time::timeout(PATIENCE, there).await.expect("it goes on").expect("the worker lives").card.clone().expect("there is a card");
    assert!(wanted.contains(&card.phase), "{:?}: {}", card.phase, card.waits_for);
}
