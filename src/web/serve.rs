//! A running server: everything wired, listening, swept, and stopped gracefully.

use super::{
    Tokens, door,
    git_http::{self, GitDoor},
    router,
};
use crate::{
    app::{
        config, discover, hooks,
        people::Directory,
        service::Service,
        wiring::{self, Wired},
    },
    core::{
        model::{RepoId, User},
        review::Right,
    },
};
use anyhow::Context as _;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// How long open connections may take to end: a page that follows live updates would hold the door open for ever.
const GRACE: Duration = Duration::from_secs(3);

/// A server that listens.
pub struct Running {
    pub addr: SocketAddr,
    pub service: Service,
    stop: watch::Sender<bool>,
    renewed: watch::Receiver<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts a server; on return it listens and everything that was under way goes on.
pub async fn start(mut server: config::Server) -> anyhow::Result<Running> {
    let listener = TcpListener::bind(&*server.listen).await.with_context(|| format!("cannot listen on {}", server.listen))?;
    let addr = listener.local_addr()?;
    server.url.get_or_insert_with(|| format!("http://{addr}").into());
    let (limits, drift) = (server.limits.clone(), server.drift.clone());
    let wired = wiring::service(server).await?;
    start_over(listener, limits, drift, wired).await
}

/// Starts a server that is wired already.
pub async fn start_over(listener: TcpListener, limits: config::Limits, drift: config::Drift, wired: Wired) -> anyhow::Result<Running> {
    let addr = listener.local_addr()?;
    let Wired { service, people, folders, reception, jobs, found } = wired;
    let (stop, stopped) = watch::channel(false);
    let door = Arc::new(Door { people: people.clone(), service: service.clone(), folders });
    let routes = router(service.clone(), people, jobs, reception.clone(), &limits).merge(git_http::router(door, limits.push_bytes));
    let web = tokio::spawn(door::answer(listener, routes, stopped.clone()));
    let woken = service.resume().await?;
    tracing::info!(%addr, woken, "listening");
    let drift = tokio::spawn(service.clone().sweep_drift(drift, stopped.clone()));
    let overrides = tokio::spawn(service.clone().keep_overrides(stopped.clone()));
    let sweep = tokio::spawn(service.clone().sweep(limits.sweep, stopped.clone()));
    let hooks = tokio::spawn(hooks::attend(service.clone(), reception, stopped.clone()));
    let attend = tokio::spawn(service.clone().attend(stopped.clone()));
    let (tell, renewed) = watch::channel(false);
    let quiet = service.clone();
    let found = tokio::spawn(async move {
        if found.renewed(stopped.clone()).await {
            discover::quiet(&quiet, stopped).await;
            tell.send_replace(true);
        }
    });
    Ok(Running { addr, service, stop, renewed, tasks: vec![web, sweep, attend, hooks, overrides, drift, found] })
}

impl Running {
    /// Returns when other repositories are to be served than those that this server knows, and nothing runs; only a server that starts anew serves them.
    pub async fn renewed(&self) {
        let mut renewed = self.renewed.clone();
        if renewed.wait_for(|renewed| *renewed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops taking requests, lets every change finish its turn, and returns when the journal holds everything.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        self.service.stop().await;
        for task in self.tasks {
            if tokio::time::timeout(GRACE, task).await.is_err() {
                tracing::warn!("a connection was still open after {}s", GRACE.as_secs());
            }
        }
    }
}

impl Tokens for Directory {
    fn by_token(&self, token: &str) -> Option<User> {
        Directory::by_token(self, token)
    }
}

/// Where git comes in.
struct Door {
    people: Arc<Directory>,
    service: Service,
    folders: BTreeMap<RepoId, PathBuf>,
}

impl GitDoor for Door {
    fn sign_in(&self, user: &str, token: &str) -> Option<User> {
        Directory::by_token(&self.people, token).filter(|found| found.as_str() == user)
    }

    fn right(&self, repo: &RepoId, who: &User) -> Right {
        crate::ports::People::right(&*self.people, repo, who)
    }

    fn dir(&self, repo: &RepoId) -> Option<PathBuf> {
        self.folders.get(repo).cloned()
    }

    fn pushed(&self, repo: &RepoId) {
        let (service, repo) = (self.service.clone(), repo.clone());
        tokio::spawn(async move {
            // A push may have moved a branch of any of the repositories over this git.
            for beside in service.world().beside(&repo).map(|known| known.id.clone()).collect::<Vec<_>>() {
                service.swept(&beside).await;
            }
        });
    }
}
