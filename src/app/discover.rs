//! Asks forges which repositories of a group there are, and serves those that the configuration lets.

use super::{
    config::{Discover, NotServed, Server},
    service::Service,
    wiring,
};
use crate::{
    core::{model::Str, review::Phase, run::Card},
    ports::{Clock, Exam, Hosted, Secrets, SystemClock},
    stores::{Batch, RowKey, Store},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a restart of our own waits for runs to end; after that it is as good as any restart, which loses nothing.
const QUIET: Duration = Duration::from_secs(15 * 60);
const QUIET_POLL: Duration = Duration::from_secs(2);

/// What was last told of a group: it holds while the forge is away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    listed: Vec<Hosted>,
    served: BTreeSet<Str>,
}

/// What one group came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub forge: Str,
    pub group: Str,
    /// Paths that are served.
    pub served: BTreeSet<Str>,
    /// Paths that are not, with why.
    pub not: Vec<(Str, NotServed)>,
    /// Served until now and there no more, with how many changes are still open.
    pub gone: Vec<(Str, usize)>,
    /// Why the forge was not asked; what it last told holds.
    pub away: Option<String>,
}

/// Adds what is found to a configuration. With a store, what was told last is kept in it, and helps while a forge is away.
pub async fn find(server: &mut Server, secrets: &dyn Secrets, store: Option<&Store>) -> anyhow::Result<Vec<Group>> {
    let mut kepts = Vec::new();
    let forges: Vec<Str> = server.forges.iter().filter(|(_, forge)| !forge.discover.is_empty()).map(|(name, _)| name.clone()).collect();
    if forges.is_empty() {
        return Ok(Vec::new());
    }
    let cards = match store {
        Some(store) => store.cards().await?,
        None => Vec::new(),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut asked = Vec::new();
    for name in forges {
        let finder = wiring::forges::finder(server, &name, secrets, clock.clone()).await?;
        for entry in server.forges[&name].discover.clone() {
            let key = RowKey::new("found").text(&name).text(&entry.group);
            let kept = match store {
                Some(store) => store.row::<Kept>(&key).await?.map(|stored| stored.value).unwrap_or_default(),
                None => Kept::default(),
            };
            let (listed, away) = match finder.repositories(&entry.group).await {
                Ok(listed) => (listed, None),
                Err(error) => (kept.listed.clone(), Some(error.to_string())),
            };
            asked.push(Asked { forge: name.clone(), entry, listed, before: kept.served.clone(), away });
            kepts.push((key, kept));
        }
    }
    let groups = served(server, &asked, &cards);
    if let Some(store) = store {
        for ((group, asked), (key, kept)) in groups.iter().zip(asked).zip(kepts) {
            let now = Kept { listed: asked.listed, served: group.served.clone() };
            if group.away.is_none() && now != kept {
                store.write(Batch::new().set(&key, &now)).await?.ok();
            }
        }
    }
    Ok(groups)
}

/// What a forge told of one group.
struct Asked {
    forge: Str,
    entry: Discover,
    listed: Vec<Hosted>,
    /// What was served of it until now.
    before: BTreeSet<Str>,
    away: Option<String>,
}

/// Serves what the lists of all groups let: first what is served already, so that nothing new pushes it out, and then the rest; both in the order of the paths.
fn served(server: &mut Server, asked: &[Asked], cards: &[Card]) -> Vec<Group> {
    let empty = |asked: &Asked| Group {
        forge: asked.forge.clone(),
        group: asked.entry.group.clone(),
        served: BTreeSet::new(),
        not: Vec::new(),
        gone: Vec::new(),
        away: asked.away.clone(),
    };
    let mut groups: Vec<Group> = asked.iter().map(empty).collect();
    for known in [true, false] {
        for (asked, group) in asked.iter().zip(&mut groups) {
            take(server, asked, group, known);
        }
        // What is there no more and still has something open keeps what it has, too.
        for (asked, group) in asked.iter().zip(&mut groups).filter(|_| known) {
            gone(server, asked, group, cards);
        }
    }
    groups.iter_mut().for_each(|group| group.not.sort_by(|a, b| a.0.cmp(&b.0)));
    groups
}

/// Serves those of a group that were served before, or the others.
fn take(server: &mut Server, Asked { forge, entry, listed, before, away: _ }: &Asked, group: &mut Group, known: bool) {
    let mut all: Vec<&Hosted> = listed.iter().filter(|one| before.contains(&one.path) == known).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    for Hosted { path, archived } in all {
        // A group lists what others share with it, too; that is not the group's, and no grant is meant for it.
        let Some((group_of, rest)) = path.split_at_checked(entry.group.len()) else { continue };
        let Some(below) = rest.strip_prefix('/').filter(|_| group_of.eq_ignore_ascii_case(&entry.group)) else { continue };
        let full = group.served.len() >= entry.most as usize;
        let taken = entry.takes(below, *archived).and_then(|()| if full { Err(NotServed::TooMany(entry.most)) } else { server.serve_found(forge, entry, path) });
        match taken {
            Ok(()) => drop(group.served.insert(path.clone())),
            Err(why) => group.not.push((path.clone(), why)),
        }
    }
}

/// Those of a group that were served and are not to be any more.
fn gone(server: &mut Server, Asked { forge, entry, before, .. }: &Asked, group: &mut Group, cards: &[Card]) {
    let gone: Vec<&Str> = before.iter().filter(|path| !group.served.contains(*path)).collect();
    for path in gone {
        let own = |card: &&Card| card.mr.repo.as_str().split('@').next() == Some(&**path) && (!card.phase.is_over() || card.ahead);
        let open = cards.iter().filter(own).count();
        // Its changes are not forgotten: who put something there can be asked, and what they wrote can be brought back.
        if open > 0 && server.serve_found(forge, entry, path).is_ok() {
            group.served.insert(path.clone());
        }
        group.gone.push((path.clone(), open));
    }
}

impl Group {
    /// Tells the log what came of it.
    pub fn log(&self) {
        let Self { forge, group, served, not, gone, away } = self;
        if let Some(why) = away {
            tracing::warn!(%forge, %group, "its repositories could not be asked for, so those hold that were last told: {why}");
        }
        tracing::info!(%forge, %group, served = served.len(), "repositories found");
        for (path, why) in not {
            match why {
                NotServed::NotAllowed | NotServed::Denied | NotServed::Archived | NotServed::Configured(_) => tracing::debug!(%forge, "`{path}` is not served: {why}"),
                NotServed::NameTaken(_) | NotServed::Name | NotServed::TooMany(_) | NotServed::Granted(_) => tracing::warn!(%forge, "`{path}` is not served: {why}"),
            }
        }
        for (path, open) in gone {
            match open {
                0 => tracing::warn!(%forge, "`{path}` is there no more, or not to be served any more"),
                _ => tracing::warn!(%forge, "`{path}` is there no more, or not to be served any more: {open} of its changes are open and are kept until each is restored or freed"),
            }
        }
    }

    /// The same as doctor says it.
    fn exams(&self) -> Vec<Exam> {
        let about = format!("forge {}: repositories of {}", self.forge, self.group);
        if let Some(why) = &self.away {
            return vec![Exam::fail(about, why.clone(), "check `group:`, and let the server's account see the group")];
        }
        let names: Vec<&str> = self.served.iter().map(|path| &**path).collect();
        let mut exams = vec![match self.served.is_empty() {
            true => Exam::warn(about.clone(), "none is served", "check `allow:`"),
            false => Exam::ok(about.clone(), format!("served: {}", names.join(", "))),
        }];
        for (path, why) in &self.not {
            let said = format!("{path} is not served: {why}");
            exams.push(match why {
                NotServed::NotAllowed | NotServed::Denied | NotServed::Archived | NotServed::Configured(_) => Exam::ok(about.clone(), said),
                NotServed::NameTaken(_) | NotServed::Name | NotServed::TooMany(_) | NotServed::Granted(_) => {
                    Exam::warn(about.clone(), said, "see docs/configuration.md, `forges.NAME.discover`")
                }
            });
        }
        exams
    }
}

/// What forges would be asked and what would come of it; the configuration with it.
pub async fn examine(server: &Server, secrets: &dyn Secrets) -> (Server, Vec<Exam>) {
    let mut found = server.clone();
    match find(&mut found, secrets, None).await {
        Ok(groups) => (found, groups.iter().flat_map(Group::exams).collect()),
        Err(error) => (server.clone(), vec![Exam::fail("repositories of groups", format!("{error:#}"), "mend the key under `forges:`")]),
    }
}

/// Waits until nothing runs, for a while, or until told to stop: who stops then interrupts nobody.
pub async fn quiet(service: &Service, mut stop: watch::Receiver<bool>) {
    let end = tokio::time::Instant::now() + QUIET;
    let busy = |card: &Card| matches!(card.phase, Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Restoring);
    while tokio::time::Instant::now() < end && service.list().await.is_ok_and(|cards| cards.iter().any(busy)) {
        tokio::select! {
            () = tokio::time::sleep(QUIET_POLL) => {}
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        }
    }
}

/// Asks again and again, until told to stop; ends when something else is to be served than at the start.
pub struct Watch {
    /// As the file says it.
    pub server: Server,
    pub secrets: Arc<dyn Secrets>,
    pub store: Store,
    /// What is served.
    pub now: Vec<Group>,
}

impl Watch {
    /// Returns when something is found or gone that this process does not know of; never where nothing is asked.
    pub async fn renewed(self, mut stop: watch::Receiver<bool>) -> bool {
        let every = self.server.forges.values().filter(|forge| !forge.discover.is_empty()).map(|forge| forge.discover_every).min_by_key(|every| every.std());
        loop {
            let wait = async {
                match every {
                    Some(every) => tokio::time::sleep(every.std()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                changed = stop.wait_for(|stop| *stop) => {
                    drop(changed);
                    return false;
                }
            }
            match find(&mut self.server.clone(), &*self.secrets, Some(&self.store)).await {
                Ok(groups) => {
                    let served = |groups: &[Group]| groups.iter().map(|group| group.served.clone()).collect::<Vec<_>>();
                    if served(&groups) != served(&self.now) {
                        groups.iter().for_each(Group::log);
                        return true;
                    }
                }
                Err(error) => tracing::warn!("which repositories there are could not be asked: {error:#}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(most: u32, unit: &str, listed: &[&str], before: &[&str]) -> (Server, Asked) {
        let text = format!(
            "data: d\nforges:\n  work:\n    kind: gitea\n    url: https://git.example.com\n    token: {{env: T}}\n    discover:\n      - group: g\n        allow: [\"*\"]\n        most: {most}\n        \
             grants: [{{target: t, units: [\"{unit}\"]}}]\ntargets:\n  t: {{kind: config/etcd, endpoints: [\"http://e:2379\"]}}\n"
        );
        let server = crate::app::config::parse("server.yaml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
        let entry = server.forges["work"].discover[0].clone();
        let listed = listed.iter().map(|path| Hosted { path: (*path).into(), archived: false }).collect();
        (server, Asked { forge: "work".into(), entry, listed, before: before.iter().map(|path| (*path).into()).collect(), away: None })
    }

    #[test]
    fn what_is_new_pushes_out_nothing_that_is_served() {
        let (mut server, asked) = group(2, "/{repo}/*", &["g/a", "g/b", "g/c"], &["g/b", "g/c"]);
        let groups = served(&mut server, &[asked], &[]);
        assert_eq!((groups[0].served.iter().map(|path| &**path).collect::<Vec<_>>(), groups[0].gone.len()), (vec!["g/b", "g/c"], 0));
        assert_eq!(groups[0].not, [("g/a".into(), NotServed::TooMany(2))]);
    }
}
