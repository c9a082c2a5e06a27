//! A search on demand: all targets side by side, told row by row as it goes.

use super::{
    ground::{Ground, Only},
    look::{AtOnce, Looker, Open},
};
use crate::{
    app::{safe::Safe, targets::Targets, world::Repository},
    core::{
        drift::{Fault, Row, Tally},
        model::{CommitId, Str},
        plan::Patterns,
    },
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub target: Option<Str>,
    pub unit: Option<Str>,
    pub pattern: Option<Str>,
}

/// Rows that wait for a slow reader, before the search waits with them.
const AHEAD: usize = 64;

/// Searches one commit of a repository's governed branch, as it moves. The rows end with `Row::End`; whoever drops the receiver ends the search.
pub async fn search(repo: Arc<Repository>, targets: Targets, safe: Arc<Safe>, open: Open, base: CommitId, asked: Asked) -> Result<mpsc::Receiver<Row>, String> {
    let pattern = asked.pattern.as_ref().map(|pattern| Patterns::new("the pattern asked for", std::slice::from_ref(pattern))).transpose().map_err(|fault| fault.to_string())?;
    let ground = {
        let repo = repo.clone();
        tokio::task::spawn_blocking(move || Ground::at(&repo, &base)).await.map_err(|panic| panic.to_string())??
    };
    let named = ground.targets();
    if let Some(target) = asked.target.as_ref().filter(|target| !named.contains(*target)) {
        let names = named.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(format!("{} asks nothing of a target `{target}`; it speaks of {names}", repo.id));
    }
    let ahead = open.ahead(&repo).await?;
    let (only, ground) = (Arc::new(Only { id: None, unit: asked.unit, pattern }), Arc::new(ground));
    let (tell, rows) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let walks = named.into_iter().filter(|name| asked.target.as_ref().is_none_or(|only| only == name)).map(|name| {
            let (repo, safe, open, only, ground, ahead, tell) = (repo.clone(), safe.clone(), open.clone(), only.clone(), ground.clone(), ahead.clone(), tell.clone());
            let target = targets.get(&name).cloned();
            async move {
                let mut teller = Teller { tell, tally: Tally::default() };
                let Some(target) = target else {
                    let what = "the server's configuration names no such target; add it, or take it out of trueup.yaml".to_owned();
                    teller.say(Row::Fault(Fault { target: name.to_string(), area: String::new(), what })).await;
                    return teller.tally;
                };
                let reads = AtOnce(safe.clone());
                let overrides = open.overrides().await;
                let mut looker = Looker { repo, safe, target, open, reads: &reads, only, ahead, met: Default::default(), overrides };
                walk(&mut looker, ground, &mut teller).await;
                teller.tally
            }
        });
        let mut all = Tally::default();
        for tally in futures::future::join_all(walks).await {
            all.join(tally);
        }
        let _gone = tell.send(Row::End(all)).await;
    });
    Ok(rows)
}

/// Where rows go, counted on the way.
struct Teller {
    tell: mpsc::Sender<Row>,
    tally: Tally,
}

impl Teller {
    /// Whether anybody still listens.
    async fn say(&mut self, row: Row) -> bool {
        self.tally.add(&row);
        self.tell.send(row).await.is_ok()
    }
}

async fn walk(looker: &mut Looker<'_>, mut ground: Arc<Ground>, teller: &mut Teller) {
    let name = looker.target.name.clone();
    let bundles = {
        let (repo, ground, name) = (looker.repo.clone(), ground.clone(), name.clone());
        tokio::task::spawn_blocking(move || ground.bundles(&repo, &name)).await
    };
    let bundles = match bundles.map_err(|panic| panic.to_string()).and_then(|listed| listed) {
        Ok(bundles) => bundles,
        Err(what) => {
            teller.say(Row::Fault(Fault { target: name.to_string(), area: String::new(), what })).await;
            return;
        }
    };
    for (at, bundle) in bundles.iter().enumerate() {
        let looked = looker.part(&mut ground, bundle).await;
        for row in looked.rows {
            if !teller.say(row).await {
                return;
            }
        }
        let left = bundles.len() - at - 1;
        if looked.away && left > 0 {
            let what = format!("{left} more parts were not asked for, because the target does not answer; look again when it does");
            teller.say(Row::Fault(Fault { target: name.to_string(), area: String::new(), what })).await;
            return;
        }
    }
    for row in looker.beyond(&ground).await.rows {
        teller.say(row).await;
    }
}
