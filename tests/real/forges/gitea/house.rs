//! A repository on the shared Gitea with the driver over it.

use super::{porter::Porter, yard::Yard};
use crate::{
    forges::world::{ForgeWorld, Hands},
    harness::{GiteaProject, GiteaServer},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use trueup::{
    app::Forge,
    core::{
        model::{RepoId, User},
        review::Right,
    },
    forges::{
        gitea::Gitea,
        net::{ForgeConfig, Project, SignIn},
    },
    git::GitRepo,
    ports::{BranchPattern, Governed, People, SecretText, StateRepo, SystemClock},
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
        User::new(login.to_ascii_lowercase())
    }
}

pub struct House {
    pub yard: Yard,
    pub porter: Porter,
    driver: Gitea,
    folder: tempfile::TempDir,
}

impl House {
    /// A fresh repository with one commit on `main`.
    pub fn new() -> Self {
        let yard = Yard::new(GiteaServer::shared().project());
        yard.first(&[("README.md", "desired state\n"), ("zones/base.yaml", "base: 1\n")]);
        let porter = Porter::start(yard.project.server);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let driver = driver_by(&yard.project, &folder.path().join("mirror.git"), &porter.url);
        Self { yard, porter, driver, folder }
    }

    /// Where another mirror may be.
    pub fn mirror(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The driver of one repository over a mirror of its own, whose API is asked by way of somebody.
pub fn driver_by(project: &GiteaProject, mirror: &Path, by: &str) -> Gitea {
    let server = project.server;
    let main = Project { id: RepoId::new("dns"), path: project.path.clone(), page: format!("{}/{}", server.url, project.path), branch: "main".into(), mirror: mirror.to_owned() };
    // The same once more, for other branches.
    let releases = Project { id: RepoId::new("dns@release"), branch: Governed::newest(BranchPattern::parse("release/*").expect("it is one")), ..main.clone() };
    // Of these one governs, and others take over from it.
    let next = Project { id: RepoId::new("dns@next"), branch: Governed::newest(BranchPattern::parse("next/*").expect("it is one")), ..main.clone() };
    next.branch.set("next/1");
    let config = ForgeConfig {
        name: "work".into(),
        web: server.url.clone(),
        api: format!("{by}/api/v1"),
        sign_in: SignIn::Token(SecretText::new(server.token("trueup"))),
        ca: None,
        bot: None,
        answer: Duration::from_secs(60),
        projects: vec![main, releases, next],
    };
    Gitea::new(config, Arc::new(Lists), Arc::new(SystemClock)).expect("the configuration is whole")
}

impl ForgeWorld for House {
    fn hands(&self) -> &(dyn Hands + 'static) {
        &self.yard
    }

    fn driver(&self) -> &dyn Forge {
        &self.driver
    }

    fn restarted(&self) -> Box<dyn Forge> {
        Box::new(driver_by(&self.yard.project, &self.mirror("mirror.git"), &self.porter.url))
    }

    fn path(&self) -> String {
        self.yard.project.path.clone()
    }

    fn repo(&self) -> RepoId {
        RepoId::new("dns")
    }

    fn state(&self) -> Arc<dyn StateRepo> {
        Arc::new(GitRepo::open(&self.mirror("mirror.git")).expect("the driver made it"))
    }
}
