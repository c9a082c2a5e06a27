//! The worker of one change: mail in, one turn, append, and only then the effects.

use super::{desk::Desk, faults, perform, world::World};
use crate::{
    core::{
        model::{MrId, ResourceId, Time, Token, User, Value},
        review::{Answer, Command, CommentId, Links, Phase, Right, View},
        run::{Card, Change, Effect, Event, Input, StreamId},
    },
    ports::Fence,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// What a worker hears.
pub enum Mail {
    Input(Box<Input>),
    /// A command by page or CLI; answered once it is on disk.
    Command {
        by: User,
        right: Right,
        command: Command,
        answer: oneshot::Sender<Answer>,
    },
    /// Read the merge request from the forge: something happened there.
    Look,
    /// Answer with everything there is to show.
    View(oneshot::Sender<View>),
    /// Answer with what this change has applied ahead of base.
    Applied(oneshot::Sender<Applied>),
    /// Stop after what is under way; the journal holds the rest.
    Stop,
}

/// What the rest of the house sees of a change after every turn: small, so that a turn costs what changed.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// `None` until the first turn.
    pub card: Option<Card>,
    /// Grows with every turn.
    pub turns: u64,
}

/// What another change's run has applied and base does not have yet, by resource.
pub type Applied = BTreeMap<ResourceId, Option<Value>>;

/// Revisions seen at the last observation: tried first, never kept.
pub type Tokens = Arc<Mutex<BTreeMap<ResourceId, Token>>>;

/// How long a worker waits before it tries a broken store or journal again.
const AGAIN: Duration = Duration::from_secs(2);

/// How many inputs one turn takes at most, so that a burst is one append and not a thousand.
const INPUTS_A_TURN: usize = 256;

/// Runs until told to stop. A failed append drops the change and folds it again from the journal.
pub async fn run(world: Arc<World>, desk: Desk, mr: MrId, own: mpsc::UnboundedSender<Mail>, mut inbox: mpsc::UnboundedReceiver<Mail>, show: watch::Sender<Glance>) {
    loop {
        match Worker::open(world.clone(), desk.clone(), mr.clone(), own.clone()).await {
            Ok(mut worker) => match worker.work(&mut inbox, &show).await {
                Ok(()) => return,
                Err(why) => tracing::error!(change = %mr, "starting over from the journal: {why}"),
            },
            Err(why) => tracing::error!(change = %mr, "cannot open the change: {why}"),
        }
        // Whoever waits for an answer gets none instead of waiting for ever; what the forge said is read again.
        while let Ok(mail) = inbox.try_recv() {
            if matches!(mail, Mail::Stop) {
                return;
            }
        }
        let _ = own.send(Mail::Look);
        tokio::time::sleep(AGAIN).await;
    }
}

struct Worker {
    world: Arc<World>,
    desk: Desk,
    mr: MrId,
    own: mpsc::UnboundedSender<Mail>,
    change: Change,
    /// Records in the journal.
    upto: u64,
    fence: Fence,
    tokens: Tokens,
    face: perform::FaceWriter,
    /// The running timer, at the earliest wake asked for.
    wake: Option<(Time, tokio::task::JoinHandle<()>)>,
}

impl Worker {
    async fn open(world: Arc<World>, desk: Desk, mr: MrId, own: mpsc::UnboundedSender<Mail>) -> Result<Self, String> {
        let stream = StreamId::Change(mr.clone());
        let fence = world.store.own(&stream).await.map_err(|error| error.to_string())?;
        let events = world.store.read(&stream).await.map_err(|error| error.to_string())?;
        let upto = events.len() as u64;
        let mut change = Change::recover(mr.clone(), &events).map_err(|error| error.to_string())?;
        let approvers = world.repositories.get(&mr.repo).and_then(|repository| repository.approvers.clone());
        change.dress(Links::new(&world.url, &mr), world.kinds.clone(), approvers);
        let face = perform::FaceWriter::start(world.clone(), mr.clone());
        Ok(Self { world, desk, mr, own, change, upto, fence, tokens: Tokens::default(), face, wake: None })
    }

    async fn work(&mut self, inbox: &mut mpsc::UnboundedReceiver<Mail>, show: &watch::Sender<Glance>) -> Result<(), String> {
        // A change whose worker starts late hears of a halt before it does anything.
        if self.world.halted.load(Ordering::SeqCst) || self.upto > 0 {
            let halted = Input::Halt(self.world.halted.load(Ordering::SeqCst));
            self.turn(&[halted], Vec::new(), show).await?;
        }
        // Everything outstanding when the last process ended; safe to do again.
        for effect in self.change.due() {
            self.perform(effect);
        }
        let mut mails = Vec::new();
        while inbox.recv_many(&mut mails, INPUTS_A_TURN).await > 0 {
            let mut inputs = Vec::with_capacity(mails.len());
            let mut asked = Vec::new();
            let mut stop = false;
            for mail in mails.drain(..) {
                match mail {
                    Mail::Input(input) => inputs.push(*input),
                    Mail::Command { by, right, command, answer } => {
                        inputs.push(Input::Command { by, right, command });
                        asked.push(answer);
                    }
                    Mail::Look => self.perform(Effect::Look),
                    Mail::View(answer) => drop(answer.send(self.change.view(self.world.clock.now()))),
                    Mail::Applied(answer) => drop(answer.send(self.change.applied())),
                    Mail::Stop => stop = true,
                }
            }
            let done = if inputs.is_empty() { Ok(()) } else { self.turn(&inputs, asked, show).await };
            if stop {
                return Ok(());
            }
            done?;
        }
        Ok(())
    }

    async fn turn(&mut self, inputs: &[Input], asked: Vec<oneshot::Sender<Answer>>, show: &watch::Sender<Glance>) -> Result<(), String> {
        perform::keep_tokens(&self.tokens, inputs);
        let mut turn = self.change.handle(self.world.clock.now(), inputs);
        let card = turn.card.clone();
        faults::point("before append");
        let receipt = self.world.store.append(&StreamId::Change(self.mr.clone()), self.upto, Some(&self.fence), &turn).await.map_err(|error| error.to_string())?;
        faults::point("after append");
        self.upto = receipt.upto;
        tracing::debug!(change = %self.mr, phase = %card.phase, events = turn.events.len(), "turn");
        if card.phase == Phase::Merged && turn.events.iter().any(|event| matches!(event, Event::MergeAnswered { .. })) {
            self.desk.look_all(&self.mr.repo, &self.mr);
        }
        self.glance(show, card);
        for (asked, answer) in asked.into_iter().zip(std::mem::take(&mut turn.said)) {
            // Whoever asked may have gone away.
            let _ = asked.send(answer);
        }
        for effect in turn.release(&receipt) {
            self.perform(effect);
        }
        Ok(())
    }

    fn glance(&self, show: &watch::Sender<Glance>, card: Card) {
        show.send_modify(|glance| {
            glance.card = Some(card);
            glance.turns += 1;
        });
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Wake(at) => self.wake_at(at),
            Effect::Show(face) => self.face.show(*face),
            Effect::Look
            | Effect::Replan { .. }
            | Effect::Observe { .. }
            | Effect::Act { .. }
            | Effect::Claim { .. }
            | Effect::Unclaim
            | Effect::Reply { .. }
            | Effect::Merge(_) => {
                let hands = perform::Hands {
                    world: self.world.clone(),
                    desk: self.desk.clone(),
                    mr: self.mr.clone(),
                    plan: self.change.plan().cloned(),
                    written: self.change.ledger().written().clone(),
                    last_comment: self.last_comment(),
                    fence: self.fence.clone(),
                    tokens: self.tokens.clone(),
                    own: self.own.clone(),
                };
                tokio::spawn(perform::perform(hands, effect));
            }
        }
    }

    fn last_comment(&self) -> Option<CommentId> {
        self.change.last_comment()
    }

    /// One timer: the earliest wake asked for; every turn asks again for what it still needs.
    fn wake_at(&mut self, at: Time) {
        if let Some((earlier, running)) = &self.wake
            && !running.is_finished()
        {
            if *earlier <= at {
                return;
            }
            running.abort();
        }
        let wait = (at - self.world.clock.now()).std();
        let own = self.own.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = own.send(Mail::Input(Box::new(Input::Tick)));
        });
        self.wake = Some((at, timer));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some((_, timer)) = &self.wake {
            timer.abort();
        }
    }
}
