//! The table's world over a fake forge.

use super::{
    super::{
        fake::{FakeForge, Role, Wire},
        world::{ForgeWorld, Hands},
    },
    office::{PATH, driver},
    yard::FakeYard,
};
use std::sync::Arc;
use tokio::runtime::Runtime;
use trueup::{
    app::Forge,
    core::{
        model::{RepoId, User},
        review::Right,
    },
    git::GitRepo,
    ports::{People, StateRepo},
};

/// What the server's configuration says of people.
pub struct Lists;

impl People for Lists {
    fn right(&self, _: &RepoId, who: &User) -> Right {
        match who.as_str() {
            "root" => Right::Admin,
            "ben" => Right::Approve,
            _ => Right::None,
        }
    }

    fn by_email(&self, _: &str) -> Option<User> {
        None
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login.to_lowercase())
    }
}

pub struct FakeWorld {
    driver: Box<dyn Forge>,
    yard: FakeYard,
    wire: Wire,
    folder: tempfile::TempDir,
    /// The forge answers in its own threads, whatever the table does in its.
    threads: Runtime,
}

impl FakeWorld {
    pub fn new(wire: Wire) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let fake = Arc::new(threads.block_on(FakeForge::start(wire)));
        let writers = ["ana", "ben", "cleo", "root", "trueup"].map(|who| (who, Role::Write));
        let roles: Vec<(&str, Role)> = writers.into_iter().chain([("mallory", Role::Read)]).collect();
        fake.project(PATH, &roles, &[("README.md", "desired state\n"), ("zones/base.yaml", "base: 1\n")]);
        let driver = made(&threads, wire, &fake, &folder);
        Self { driver, yard: FakeYard { fake, path: PATH.into() }, wire, folder, threads }
    }
}

fn made(threads: &Runtime, wire: Wire, fake: &FakeForge, folder: &tempfile::TempDir) -> Box<dyn Forge> {
    let _inside = threads.enter();
    driver(wire, fake, folder.path().join("mirror.git"), Arc::new(Lists))
}

impl ForgeWorld for FakeWorld {
    fn hands(&self) -> &(dyn Hands + 'static) {
        &self.yard
    }

    fn driver(&self) -> &dyn Forge {
        &*self.driver
    }

    fn restarted(&self) -> Box<dyn Forge> {
        made(&self.threads, self.wire, &self.yard.fake, &self.folder)
    }

    fn path(&self) -> String {
        PATH.to_owned()
    }

    fn repo(&self) -> RepoId {
        RepoId::new("dns")
    }

    fn state(&self) -> Arc<dyn StateRepo> {
        Arc::new(GitRepo::open(&self.folder.path().join("mirror.git")).expect("the driver made it"))
    }
}
