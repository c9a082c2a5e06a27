//! What the world sees of a change: its face at the forge, and a line of the log.

use super::{
    patience::Patience,
    perform::{FORGE_WAIT, FORGE_WAIT_MOST, is_ours},
    worker::Mail,
    world::World,
};
use crate::{
    core::{
        model::{Digest, MrId, Str},
        review::{Face, Phase},
        run::{Card, Input},
    },
    ports::{Fence, Shown},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// One line of the log for every new phase; what needs somebody is a warning.
pub(super) fn tell(card: &Card) {
    match card.phase {
        Phase::Failed => tracing::warn!(change = %card.mr, phase = %card.phase, "{}", card.waits_for),
        Phase::Planning
        | Phase::AwaitingApproval
        | Phase::Queued
        | Phase::Rolling
        | Phase::Verifying
        | Phase::Merging
        | Phase::Merged
        | Phase::Empty
        | Phase::Refused
        | Phase::Conflicted
        | Phase::Paused
        | Phase::Restoring
        | Phase::Restored
        | Phase::Closed => tracing::info!(change = %card.mr, phase = %card.phase, "{}", card.waits_for),
    }
}

/// A face as the configuration lets its forge have it.
fn let_in(mut face: Face, deployments: bool) -> Face {
    if !deployments {
        face.deployments.clear();
    }
    face
}

/// What came of an attempt to show a face.
enum Tried {
    /// The forge shows it.
    Shown,
    /// The forge knows the merge request no more.
    GivenUp,
    /// It is tried again after this, or something newer is.
    After(Duration),
    /// The change is somebody else's now.
    Over,
}

/// Where faces are shown.
trait Wall: Send + 'static {
    fn show(&mut self, n: u64, face: Face) -> impl Future<Output = Tried> + Send;
}

/// Shows the newest face until nobody sends any more and the last is shown. `pause`: the least time between two that differ in progress alone.
async fn write(mut wall: impl Wall, mut faces: watch::Receiver<(u64, Option<Face>)>, pause: Duration) {
    let mut shown: Option<(Face, tokio::time::Instant)> = None;
    let mut over = false;
    while faces.changed().await.is_ok() {
        loop {
            let (n, Some(face)) = faces.borrow_and_update().clone() else { break };
            let rest = shown.as_ref().filter(|(last, _)| !over && face.goes_on(last)).map(|(_, at)| pause.saturating_sub(at.elapsed()));
            if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
                // What is more than progress is shown at once; whoever shows faces may be gone meanwhile.
                over = matches!(tokio::time::timeout(rest, faces.changed()).await, Ok(Err(_)));
                continue;
            }
            match wall.show(n, face.clone()).await {
                Tried::Shown => {
                    shown = Some((face, tokio::time::Instant::now()));
                    break;
                }
                Tried::GivenUp => break,
                Tried::After(wait) => tokio::time::sleep(wait).await,
                Tried::Over => return,
            }
        }
    }
}

/// A merge request at its forge.
struct Request {
    world: Arc<World>,
    mr: MrId,
    fence: Fence,
    own: mpsc::UnboundedSender<Mail>,
    shown: Shown,
    /// The plan that the worker heard to be shown.
    told: Option<Digest>,
    patience: Patience,
    /// See `FaceWriter`.
    number: Arc<AtomicU64>,
    given_up: Arc<AtomicBool>,
}

impl Wall for Request {
    async fn show(&mut self, n: u64, face: Face) -> Tried {
        let face = let_in(face, self.world.repositories.get(&self.mr.repo).is_some_and(|repo| repo.deployments));
        // What another change wrote on the same head since is not remembered: it is read.
        let (face, known) = match shares_head(&self.world, &self.mr, &face) {
            Some(into) => (of_one(face, self.mr.number, &into), Shown::default()),
            None => (face, self.shown.clone()),
        };
        if !is_ours(&self.world.store, &self.fence).await {
            return Tried::Over;
        }
        match self.world.forge.show(&self.mr, &face, &known).await {
            Ok(now) => {
                self.shown = now;
                self.number.store(n, Ordering::SeqCst);
                self.patience = Patience::new(FORGE_WAIT, FORGE_WAIT_MOST);
                if let Some(digest) = face.plan.filter(|plan| self.told != Some(*plan)) {
                    self.told = Some(digest);
                    let at = self.shown.at.unwrap_or_else(|| self.world.clock.now());
                    let _ = self.own.send(Mail::Input(Box::new(Input::Shown { digest, at })));
                }
                Tried::Shown
            }
            Err(error) => {
                let Some(wait) = self.patience.after(error.kind) else {
                    // The merge request, or its repository, was deleted: nobody is left to show it to.
                    tracing::error!(change = %self.mr, "the forge knows it no more, and its face is given up: {error}");
                    self.given_up.store(true, Ordering::SeqCst);
                    self.number.store(n, Ordering::SeqCst);
                    self.patience = Patience::new(FORGE_WAIT, FORGE_WAIT_MOST);
                    return Tried::GivenUp;
                };
                tracing::warn!(change = %self.mr, "the face waits for the forge: {error}");
                Tried::After(wait)
            }
        }
    }
}

/// A face of a head that another open change has, too: statuses stand on commits, so the last word of several stands, and says whose it is.
fn of_one(mut face: Face, number: u64, into: &str) -> Face {
    for status in &mut face.statuses {
        status.text = format!("!{number} into {into}: {}", status.text);
    }
    face
}

/// Into which branch a change goes, where an open change of another branch of the same repository has its head.
fn shares_head(world: &World, mr: &MrId, face: &Face) -> Option<Str> {
    let mine = world.repositories.get(&mr.repo)?;
    let mut others = world.repositories.values().filter(|repo| repo.whole == mine.whole).flat_map(|repo| world.news.at_head(&repo.id, &face.head));
    others.any(|other| other != *mr).then(|| mine.governed.said())
}

/// Makes the forge show the newest face; older ones that it never showed are dropped.
pub struct FaceWriter {
    /// The newest face with its number.
    newest: watch::Sender<(u64, Option<Face>)>,
    /// The number of the face that the forge shows.
    shown: Arc<AtomicU64>,
    /// The forge knew the merge request no more, and so does not show the newest.
    given_up: Arc<AtomicBool>,
}

impl FaceWriter {
    /// Starts the writer of one change; it ends when this handle is dropped and the last face is shown. Its worker hears which plan is shown since when.
    pub fn start(world: Arc<World>, mr: MrId, fence: Fence, own: mpsc::UnboundedSender<Mail>) -> Self {
        let (newest, faces) = watch::channel((0, None::<Face>));
        let pause = world.forge.abilities(&mr.repo).progress.std();
        let (shown, told, patience) = (Shown::default(), None, Patience::new(FORGE_WAIT, FORGE_WAIT_MOST));
        let (number, given_up) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let request = Request { world, mr, fence, own, shown, told, patience, number: number.clone(), given_up: given_up.clone() };
        tokio::spawn(write(request, faces, pause));
        Self { newest, shown: number, given_up }
    }

    pub fn show(&self, face: Face) {
        self.newest.send_modify(|(n, newest)| {
            *n += 1;
            *newest = Some(face);
        });
    }

    /// The forge knows the merge request: what was given up is taken up again.
    pub fn known(&self) {
        if self.given_up.swap(false, Ordering::SeqCst) {
            self.again();
        }
    }

    /// Shows the newest face once more: somebody changed what stands there.
    pub fn again(&self) {
        self.newest.send_if_modified(|(n, newest)| {
            *n += u64::from(newest.is_some());
            newest.is_some()
        });
    }

    /// Whether the forge shows the newest face.
    pub fn is_shown(&self) -> bool {
        self.shown.load(Ordering::SeqCst) == self.newest.borrow().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        model::CommitId,
        review::{Deployment, DeploymentState, Label, Status, StatusState},
    };
    use std::sync::Mutex;

    fn face(state: StatusState, text: &str) -> Face {
        let status = Status { context: "trueup/rollout".into(), state, text: text.into() };
        Face { head: CommitId::new("h"), comment: text.into(), plan: None, statuses: vec![status], labels: vec![Label("trueup: rolling".into())], deployments: Vec::new() }
    }

    #[test]
    fn statuses_of_a_commit_that_two_changes_have_say_whose_they_are() {
        let said = of_one(face(StatusState::Pending, "waits"), 7, "release/202611");
        // The name that branches require stays.
        assert_eq!((&*said.statuses[0].context, &*said.statuses[0].text), ("trueup/rollout", "!7 into release/202611: waits"));
    }

    /// Keeps what it was made to show.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Wall for Kept {
        async fn show(&mut self, _: u64, face: Face) -> Tried {
            self.0.lock().unwrap().push(face.comment);
            Tried::Shown
        }
    }

    /// Lets everything happen that can: one thread, no disk, no network.
    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn how_far_a_run_is_waits_for_the_pause_and_what_is_more_is_shown_at_once() {
        let (newest, faces) = watch::channel((0, None));
        let kept = Kept::default();
        let said = || kept.0.lock().unwrap().clone();
        let writer = tokio::spawn(write(kept.clone(), faces, Duration::from_secs(3600)));
        let show = |n: u64, face: Face| newest.send_replace((n, Some(face)));
        for n in 0..100 {
            show(n, face(StatusState::Pending, &format!("{n} of 100 written and proven")));
            settle().await;
        }
        assert_eq!(said(), ["0 of 100 written and proven"], "a run alone is no reason for another edit, and for no status");
        show(100, face(StatusState::Failure, "stopped at 99"));
        settle().await;
        assert_eq!(said()[1..], ["stopped at 99"]);
        show(101, face(StatusState::Failure, "stopped at 98"));
        settle().await;
        assert_eq!(said()[2..], ["stopped at 98"], "why it stopped is no progress");
        show(102, face(StatusState::Pending, "99 of 100 written and proven"));
        settle().await;
        show(103, face(StatusState::Pending, "100 of 100 written and proven"));
        settle().await;
        assert_eq!(said()[3..], ["99 of 100 written and proven"]);
        drop(newest);
        writer.await.unwrap();
        assert_eq!(said()[4..], ["100 of 100 written and proven"], "the last is shown before it ends");
    }

    #[test]
    fn runs_are_shown_among_the_deployments_unless_the_configuration_says_no() {
        let run = Deployment { environment: "inside".into(), state: DeploymentState::InProgress, text: "rolling".into(), url: None };
        let face = Face { head: CommitId::new("h"), comment: "c".into(), plan: None, statuses: Vec::new(), labels: Vec::new(), deployments: vec![run] };
        assert_eq!((let_in(face.clone(), true).deployments.len(), let_in(face, false).deployments.len()), (1, 0));
    }
}
