//! Merging exactly what a ticket pins: the commit first, then the branch by compare-and-swap, then everything read back.

use super::{
    desk::without_open,
    error::{LocalError, LocalErrorKind},
    forge::LocalForge,
    place::{Place, branch_ref},
    rows,
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{CommitId, MrId, Time, TreeId, User},
        review::MrState,
        run::MergeAnswer,
    },
    forges::with::{CHANGE, SEARCHED},
    git::Standing,
    ports::{Merge, StateRepo},
    stores::Batch,
};
use std::sync::Arc;

/// What goes into the merge commit.
struct Wanted {
    mr: MrId,
    base: CommitId,
    head: CommitId,
    tree: TreeId,
    digest: String,
    source: String,
    target: String,
    title: String,
    /// What stands below the title.
    message: String,
    bot: User,
    now: Time,
}

impl LocalForge {
    pub(super) async fn merge_ticket(&self, ticket: &MergeTicket) -> Result<MergeAnswer, LocalError> {
        let mr = ticket.mr().clone();
        let _alone = self.merging.lock().await;
        let (row, _) = self.row(&mr).await?;
        if row.state == MrState::Closed {
            return Ok(MergeAnswer::Moved { why: format!("{mr} is closed") });
        }
        if let Some(why) = ticket.strays(&row.target) {
            return Ok(MergeAnswer::Moved { why });
        }
        let wanted = Wanted {
            mr: mr.clone(),
            base: ticket.base().clone(),
            head: ticket.head().clone(),
            tree: ticket.tree().clone(),
            digest: ticket.digest().to_string(),
            source: row.source.to_string(),
            target: row.target.to_string(),
            title: row.title,
            message: ticket.message(),
            bot: self.bot.clone(),
            now: self.clock.now(),
        };
        let wanted = Arc::new(wanted);
        let prepared = {
            let wanted = wanted.clone();
            self.git(&mr.repo, move |place| prepare(place, &wanted)).await?
        };
        let answer = match prepared {
            Prepared::Answer(answer) => answer,
            Prepared::Commit(_) if let Some(answer) = ticket.nothing_to_read() => answer,
            // Nothing of ours is on the branch, and somebody merged it: asked again, it is only read.
            Prepared::Commit(_) if matches!(row.state, MrState::Merged { .. }) => MergeAnswer::Moved { why: format!("{mr} is merged, and not by this") },
            // A wait between them: whoever waits here may go away for good, because the change is somebody else's by now.
            Prepared::Commit(commit) => self.git(&mr.repo, move |place| move_branch(place, &wanted, &commit)).await?,
        };
        if let MergeAnswer::Merged { commit, .. } = &answer {
            self.record(&mr, ticket.head(), commit, &row.source).await?;
        }
        Ok(answer)
    }

    /// Writes the merge down. Doing it again changes nothing.
    async fn record(&self, mr: &MrId, head: &CommitId, commit: &CommitId, source: &str) -> Result<(), LocalError> {
        let merged = MrState::Merged { commit: commit.clone(), by: self.bot.clone(), with: None };
        loop {
            let open = self.store.row::<u64>(&rows::open_for(&mr.repo, source)).await?;
            let edited = self.edit_once(mr, |row, batch| {
                if row.state == merged {
                    return Ok((None, ()));
                }
                row.state = merged.clone();
                row.head = head.clone();
                Ok((Some(without_open(batch, mr, row, open.as_ref())), ()))
            });
            if edited.await?.is_some() {
                break;
            }
        }
        // Whoever pushes to a branch of this name next starts afresh; a push in between keeps everyone.
        let key = rows::pushers(&self.place(&mr.repo)?.chief, source);
        if let Some(pushers) = self.store.row::<rows::Pushers>(&key).await? {
            let _lost = self.store.write(Batch::new().delete(&pushers.key, pushers.rev)).await?;
        }
        Ok(())
    }
}

/// What there is to do.
enum Prepared {
    /// Nothing any more, or nothing can be done.
    Answer(MergeAnswer),
    /// The branch is to be moved to this commit.
    Commit(CommitId),
}

/// Everything but the move of the branch: nobody sees anything of it.
fn prepare(place: &Place, wanted: &Wanted) -> Result<Prepared, LocalError> {
    let answer = |answer| Ok(Prepared::Answer(answer));
    let Standing { tip, held, behind: _, authors: _, ahead: _ } = place.standing(&wanted.target, &wanted.head)?.ok_or_else(|| gone(place, &wanted.target))?;
    // A crash between moving the branch and recording it: the commit is there, and it is this ticket's.
    if held && let Some(answer) = done_already(place, wanted, &tip)? {
        return Ok(Prepared::Answer(answer));
    }
    if tip != wanted.base {
        return answer(MergeAnswer::Moved { why: format!("`{}` is at {tip}, not at {}", wanted.target, wanted.base) });
    }
    match place.tip(&wanted.source)? {
        Some(head) if head == wanted.head => {}
        Some(head) => return answer(MergeAnswer::Moved { why: format!("`{}` is at {head}, not at {}", wanted.source, wanted.head) }),
        None => return answer(MergeAnswer::Moved { why: format!("`{}` is gone", wanted.source) }),
    }
    // The plan's tree again, from the two commits: the merge puts nothing on the branch that was not planned.
    match place.git.merge(&wanted.base, &wanted.head)? {
        Merge::Clean(tree) if tree == wanted.tree => {}
        Merge::Clean(tree) => return answer(MergeAnswer::Refused { transient: false, why: format!("merging would give the tree {tree}, the plan was for {}", wanted.tree) }),
        Merge::Conflicts(paths) => return answer(MergeAnswer::Refused { transient: false, why: format!("merging conflicts in {}", paths.join(", ")) }),
    }
    Ok(Prepared::Commit(commit(place, wanted)?))
}

/// Moves the branch and reads it back.
fn move_branch(place: &Place, wanted: &Wanted, commit: &CommitId) -> Result<MergeAnswer, LocalError> {
    place.unlock(&wanted.target);
    if let Err(why) = swap(place, wanted, commit)? {
        let now = self::tip(place, &wanted.target)?;
        return Ok(match now == wanted.base {
            true => MergeAnswer::Refused { transient: true, why },
            false => MergeAnswer::Moved { why: format!("`{}` is at {now}, not at {}", wanted.target, wanted.base) },
        });
    }
    read_back(place, commit)
}

fn tip(place: &Place, branch: &str) -> Result<CommitId, LocalError> {
    place.tip(branch)?.ok_or_else(|| gone(place, branch))
}

fn gone(place: &Place, branch: &str) -> LocalError {
    LocalError::new(LocalErrorKind::Unavailable, format!("branch `{branch}` is gone from {}; put it back", place.id))
}

/// Writes the merge commit. Until the branch moves nobody sees it.
fn commit(place: &Place, wanted: &Wanted) -> Result<CommitId, LocalError> {
    let who = wanted.bot.as_str();
    let date = format!("{} +0000", wanted.now.0.div_euclid(1000));
    let mut git = place.program();
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), who).env(format!("GIT_{role}_EMAIL"), format!("{who}@localhost")).env(format!("GIT_{role}_DATE"), &date);
    }
    git.args(["commit-tree", wanted.tree.as_str(), "-p", wanted.base.as_str(), "-p", wanted.head.as_str(), "-F", "-"]);
    let made = ran(git, message(wanted).as_bytes())?;
    made.map(CommitId::new).map_err(|why| LocalError::new(LocalErrorKind::Unavailable, format!("cannot write the merge commit: {why}")))
}

/// The title is one line (so it cannot add trailers); the trailers are how a retry knows its own merge.
fn message(wanted: &Wanted) -> String {
    let Wanted { mr, title, message, .. } = wanted;
    format!("Merge request #{}: {title}\n\n{message}\n", mr.number)
}

/// The trailers of our merge commits.
struct Trailer;

impl Trailer {
    const CHANGE: &'static str = CHANGE;
    const DIGEST: &'static str = "Trueup-Digest";
}

/// Moves the branch from the pinned base to the commit, or says why not. On disk when it returns.
fn swap(place: &Place, wanted: &Wanted, commit: &CommitId) -> Result<Result<(), String>, LocalError> {
    let name = branch_ref(&wanted.target).ok_or_else(|| LocalError::new(LocalErrorKind::Invalid, format!("`{}` is no branch name", wanted.target)))?;
    let mut git = place.program();
    git.args(["update-ref", "--create-reflog", "-m"]).arg(format!("merge request #{}", wanted.mr.number)).args([name.as_str(), commit.as_str(), wanted.base.as_str()]);
    git.env("GIT_COMMITTER_NAME", wanted.bot.as_str()).env("GIT_COMMITTER_EMAIL", format!("{}@localhost", wanted.bot));
    Ok(ran(git, b"")?.map(|_| ()))
}

/// Runs git with `input`: its output, or what it complained of.
pub(super) fn ran(git: std::process::Command, input: &[u8]) -> Result<Result<String, String>, LocalError> {
    crate::git::ran(git, input).map_err(|error| LocalError::new(LocalErrorKind::Unavailable, format!("cannot run git: {error}")))
}

fn read_back(place: &Place, commit: &CommitId) -> Result<MergeAnswer, LocalError> {
    let (parents, tree) = (place.git.parents(commit)?, place.git.tree(commit)?);
    Ok(MergeAnswer::Merged { commit: commit.clone(), parents, tree })
}

/// The answer for a ticket that was merged before, if it was.
fn done_already(place: &Place, wanted: &Wanted, tip: &CommitId) -> Result<Option<MergeAnswer>, LocalError> {
    let trailer = format!("{}: {}", Trailer::DIGEST, wanted.digest);
    let found = search(place, &wanted.mr, tip, &wanted.head, |parents, message| parents[0] == wanted.base.as_str() && message.lines().any(|line| line == trailer))?;
    found.map(|commit| read_back(place, &commit)).transpose()
}

/// Our merge commit of this merge request's head on the target branch, if there is one.
pub(super) fn made_by_us(place: &Place, mr: &MrId, tip: &CommitId, head: &CommitId) -> Result<Option<CommitId>, LocalError> {
    search(place, mr, tip, head, |_, _| true)
}

/// Searches the target's first parents, newest first, for a merge of `head` that carries the change's trailer.
fn search(place: &Place, mr: &MrId, tip: &CommitId, head: &CommitId, fits: impl Fn(&[String], &str) -> bool) -> Result<Option<CommitId>, LocalError> {
    let trailer = format!("{}: {mr}", Trailer::CHANGE);
    let start = crate::git::oid(tip.as_str())?;
    let found = place.git.with_repo(|repo| {
        let wrong = |error: git2::Error| crate::ports::RepoError::Git { what: error.message().to_owned() };
        let mut at = Some(repo.find_commit(start).map_err(wrong)?);
        for _ in 0..SEARCHED {
            let Some(commit) = at else { return Ok(None) };
            let parents: Vec<String> = commit.parent_ids().map(|id| id.to_string()).collect();
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            if parents.len() == 2 && parents[1] == head.as_str() && message.lines().any(|line| line == trailer) && fits(&parents, &message) {
                return Ok(Some(CommitId::new(commit.id().to_string())));
            }
            at = commit.parent(0).ok();
        }
        Ok(None)
    })?;
    Ok(found)
}
