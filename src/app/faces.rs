//! What the world sees of a change: its face at the forge, and a line of the log.

use super::{
    patience::Patience,
    perform::{FORGE_WAIT, FORGE_WAIT_MOST, is_ours},
    worker::Mail,
    world::World,
};
use crate::{
    core::{
        model::MrId,
        review::{Face, Phase},
        run::{Card, Input},
    },
    ports::{Fence, Shown},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
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

/// Whether a face tells how far it is and nothing that waits for people or gates.
fn is_progress(shown: &Shown, face: &Face) -> bool {
    shown.face.as_ref().is_some_and(|last| (&last.head, &last.statuses, &last.labels, last.plan) == (&face.head, &face.statuses, &face.labels, face.plan))
}

/// A face as the configuration lets its forge have it.
fn let_in(mut face: Face, deployments: bool) -> Face {
    if !deployments {
        face.deployments.clear();
    }
    face
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
        let (newest, mut faces) = watch::channel((0, None::<Face>));
        let number = Arc::new(AtomicU64::new(0));
        let given_up = Arc::new(AtomicBool::new(false));
        let (done, gone) = (number.clone(), given_up.clone());
        tokio::spawn(async move {
            let mut shown = Shown::default();
            let mut told = None;
            let pause = world.forge.abilities(&mr.repo).progress.std();
            let mut edited: Option<tokio::time::Instant> = None;
            while faces.changed().await.is_ok() {
                let mut patience = Patience::new(FORGE_WAIT, FORGE_WAIT_MOST);
                loop {
                    let (n, Some(face)) = faces.borrow_and_update().clone() else { break };
                    let face = let_in(face, world.repositories.get(&mr.repo).is_some_and(|repo| repo.deployments));
                    let rest = edited.map(|at| pause.saturating_sub(at.elapsed())).filter(|rest| !rest.is_zero() && is_progress(&shown, &face));
                    if let Some(rest) = rest {
                        // What is more than progress is shown at once; whoever shows faces may be gone meanwhile.
                        let newer = tokio::time::timeout(rest, faces.changed()).await;
                        if matches!(newer, Ok(Err(_))) {
                            edited = None;
                        }
                        continue;
                    }
                    if !is_ours(&world.store, &fence).await {
                        return;
                    }
                    match world.forge.show(&mr, &face, &shown).await {
                        Ok(now) => {
                            edited = Some(tokio::time::Instant::now());
                            shown = now;
                            done.store(n, Ordering::SeqCst);
                            if let Some(digest) = face.plan.filter(|plan| told != Some(*plan)) {
                                told = Some(digest);
                                let at = shown.at.unwrap_or_else(|| world.clock.now());
                                let _ = own.send(Mail::Input(Box::new(Input::Shown { digest, at })));
                            }
                            break;
                        }
                        Err(error) => {
                            let Some(wait) = patience.after(error.kind) else {
                                // The merge request, or its repository, was deleted: nobody is left to show it to.
                                tracing::error!(change = %mr, "the forge knows it no more, and its face is given up: {error}");
                                gone.store(true, Ordering::SeqCst);
                                done.store(n, Ordering::SeqCst);
                                break;
                            };
                            tracing::warn!(change = %mr, "the face waits for the forge: {error}");
                            tokio::time::sleep(wait).await;
                        }
                    }
                }
            }
        });
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
        review::{Deployment, DeploymentState},
    };

    #[test]
    fn runs_are_shown_among_the_deployments_unless_the_configuration_says_no() {
        let run = Deployment { environment: "inside".into(), state: DeploymentState::InProgress, text: "rolling".into(), url: None };
        let face = Face { head: CommitId::new("h"), comment: "c".into(), plan: None, statuses: Vec::new(), labels: Vec::new(), deployments: vec![run] };
        assert_eq!((let_in(face.clone(), true).deployments.len(), let_in(face, false).deployments.len()), (1, 0));
    }
}
