//! The worker of one change: mail in, one turn, append, and only then the effects.

use super::{
    desk::Desk,
    drift,
    faces::{self, FaceWriter},
    faults,
    follow::{self, Ended},
    glance::{Glance, is_over},
    looks::Looks,
    memory,
    orders::{self, Asker, Order, Unasked},
    overrides::OverrideBook,
    perform,
    replan::Questions,
    rounds,
    world::{Repository, World},
};
use crate::{
    core::{
        model::{MrId, ResourceId, StepId, Time, Token, Value},
        review::{Answer, CommentId, MrState, Phase, Sighting, View},
        run::{Ask, Card, Change, Effect, Event, Input, StreamId},
    },
    ports::Fence,
    stores::{AppendError, LeaseError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// What a worker hears.
pub enum Mail {
    Input(Box<Input>),
    /// A command by page or CLI waits in the store's inbox under this number; whoever waits for its answer hears it once it is in the journal.
    Command {
        n: u64,
        answer: Option<oneshot::Sender<Answer>>,
    },
    /// Read the merge request from the forge: something happened there.
    Look,
    /// A look has ended; none when the forge does not know the merge request.
    Looked {
        n: u64,
        since: Option<CommentId>,
        seen: Option<Box<Sighting>>,
    },
    /// Answer with everything there is to show.
    View(oneshot::Sender<View>),
    /// Answer with what this change has applied ahead of base.
    Applied(oneshot::Sender<Applied>),
    /// Stop after what is under way; the journal holds the rest.
    Stop,
}

/// What another change's run has applied and base does not have yet, by resource.
pub type Applied = BTreeMap<ResourceId, Option<Value>>;

/// Revisions seen at the last observation: tried first, never kept.
pub type Tokens = Arc<Mutex<BTreeMap<ResourceId, Token>>>;

/// How long a worker waits before it tries a broken store or journal again.
const AGAIN: Duration = Duration::from_secs(2);

/// How long the worker of a change that is over stays for late readers, before it ends and its memory is free.
const LINGER: Duration = Duration::from_secs(5);

/// The longest sleep before the clock is read again: timers count another time than the clock when that jumps or the machine was suspended.
const NAP: Duration = Duration::from_secs(60);

/// Each is a write more in the turn's one commit, of which etcd takes 128.
const COMMANDS_A_TURN: usize = 64;

/// How many inputs one turn takes at most, so that a burst is one append and not a thousand.
const INPUTS_A_TURN: usize = 256;

/// Runs until told to stop, or until the change is over and nothing is left to do. A failed append drops the change and folds it again from the journal.
pub async fn run(world: Arc<World>, desk: Desk, mr: MrId, own: mpsc::UnboundedSender<Mail>, mut inbox: mpsc::UnboundedReceiver<Mail>, show: watch::Sender<Glance>) {
    let mut looks = Looks::default();
    loop {
        looks.forget();
        match Worker::open(world.clone(), desk.clone(), mr.clone(), own.clone()).await {
            Ok(mut worker) => match worker.work(&mut looks, &mut inbox, &show).await {
                Ok(()) => return,
                Err(why) => tracing::error!(change = %mr, "starting over from the journal: {why}"),
            },
            Err(Unopened::Held(by)) => match follow::follow(&world, &desk, &mr, by, &own, &mut inbox, &show).await {
                Ended::Retired => return,
                // Whatever happened while nobody owned it is read from the forge.
                Ended::Free => {
                    let _ = own.send(Mail::Look);
                    continue;
                }
            },
            Err(Unopened::Failed(why)) => tracing::error!(change = %mr, "cannot open the change: {why}"),
        }
        // Whoever waits for an answer gets none instead of waiting for ever; commands are in the inbox, and what the forge said is read again.
        while let Ok(mail) = inbox.try_recv() {
            if matches!(mail, Mail::Stop) {
                return;
            }
        }
        let _ = own.send(Mail::Look);
        tokio::time::sleep(AGAIN).await;
    }
}

/// Why a change was not opened.
enum Unopened {
    /// Another replica owns it.
    Held(String),
    Failed(String),
}

/// What one turn hears.
#[derive(Default)]
struct Heard {
    inputs: Vec<Input>,
    /// Who waits for the answer of each command among them, in their order.
    asked: Vec<(Option<oneshot::Sender<Answer>>, Option<Asker>)>,
    /// The numbers of those commands in the inbox.
    taken: Vec<u64>,
}

struct Worker {
    world: Arc<World>,
    desk: Desk,
    mr: MrId,
    own: mpsc::UnboundedSender<Mail>,
    change: Change,
    /// The phase the log knows.
    phase: Option<Phase>,
    /// Records in the journal.
    upto: u64,
    fence: Fence,
    tokens: Tokens,
    face: FaceWriter,
    /// Its questions for a plan.
    questions: Questions,
    starts: super::starting::Starts,
    /// Answers to commands that were found in the inbox before whoever said them asked here.
    unasked: Unasked,
    /// Acts that were under way when the last process, or the last fold, ended: done again, and either answer may come.
    reissued: BTreeSet<(StepId, u32)>,
    /// The running timer, at the earliest wake asked for.
    wake: Option<(Time, tokio::task::JoinHandle<()>)>,
    /// The forge was asked, and there is nothing of it that concerns us.
    stray: bool,
}

impl Worker {
    async fn open(world: Arc<World>, desk: Desk, mr: MrId, own: mpsc::UnboundedSender<Mail>) -> Result<Self, Unopened> {
        let fence = world.store.own(&StreamId::Change(mr.clone())).await.map_err(|error| match error {
            LeaseError::Held { stream: _, by } => Unopened::Held(by),
            LeaseError::Store(error) => Unopened::Failed(error.to_string()),
        })?;
        let (change, upto) = follow::fold(&world, &mr).await.map_err(Unopened::Failed)?;
        let face = FaceWriter::start(world.clone(), mr.clone(), fence.clone(), own.clone());
        let phase = (upto > 0).then(|| change.phase());
        Ok(Self {
            world,
            desk,
            mr,
            own,
            change,
            phase,
            upto,
            fence,
            tokens: Tokens::default(),
            face,
            questions: Questions::default(),
            starts: Default::default(),
            unasked: Unasked::default(),
            reissued: BTreeSet::new(),
            wake: None,
            stray: false,
        })
    }

    async fn work(&mut self, looks: &mut Looks, inbox: &mut mpsc::UnboundedReceiver<Mail>, show: &watch::Sender<Glance>) -> Result<(), String> {
        show.send_modify(|glance| glance.here = true);
        // A change whose worker starts late hears of a halt before it does anything, and its journal says who works on it.
        let mut first = Vec::new();
        if self.world.halted.load(Ordering::SeqCst) || self.upto > 0 {
            first.push(Input::Halt(self.world.halted.load(Ordering::SeqCst)));
        }
        first.extend(self.carried());
        if !first.is_empty() {
            self.turn(Heard { inputs: first, ..Heard::default() }, looks, show).await?;
        }
        // Everything outstanding when the last process ended; safe to do again.
        for effect in self.change.due() {
            if let Effect::Act { step, attempt, .. } = &effect {
                self.reissued.insert((*step, *attempt));
            }
            self.perform(effect, looks);
        }
        // Commands that were answered with a promise, or with nothing, when the last process or worker ended.
        for (n, _) in orders::waiting(&self.world.store).await.map_err(|error| error.to_string())?.into_iter().filter(|(_, mr)| *mr == self.mr) {
            let _ = self.own.send(Mail::Command { n, answer: None });
        }
        let mut mails = Vec::new();
        loop {
            if is_over(show) || self.stray {
                // Whatever keeps it for now (a face on its way to the forge, somebody who watches) sends no mail when it is done.
                if tokio::time::timeout(LINGER, inbox.recv_many(&mut mails, INPUTS_A_TURN)).await.is_err() {
                    if self.rests(looks, show) && self.desk.retire(&self.mr, inbox) {
                        self.world.store.forget(&StreamId::Change(self.mr.clone()));
                        if self.world.store.shared()
                            && let Err(error) = self.world.store.disown(&self.fence).await
                        {
                            tracing::warn!(change = %self.mr, "a change that is over was not given back; it is when this replica stops: {error}");
                        }
                        return Ok(());
                    }
                    continue;
                }
            } else {
                inbox.recv_many(&mut mails, INPUTS_A_TURN).await;
            }
            // The worker holds a sender of its own inbox, so nothing received means that it is closed.
            if mails.is_empty() {
                return Ok(());
            }
            if self.world.store.is_lost(&self.fence) {
                return Err("the lease on it is lost; another replica may work on it".into());
            }
            let mut heard = Heard::default();
            let mut again = false;
            // Seen before anything that may fail: whoever asked waits for this worker's end.
            let stop = mails.iter().any(|mail| matches!(mail, Mail::Stop));
            let mut unread = None;
            for mail in mails.drain(..) {
                match mail {
                    Mail::Input(input) => {
                        if matches!(*input, Input::Tick) {
                            // It has rung, whether or not its task has ended: the next wake is armed anew.
                            self.wake = None;
                        }
                        heard.inputs.push(self.own_doing(*input));
                    }
                    // More than fit into one append with its card are heard in the next turn.
                    Mail::Command { n, answer } if heard.taken.len() >= COMMANDS_A_TURN => drop(self.own.send(Mail::Command { n, answer })),
                    Mail::Command { n, answer } => unread = unread.or(self.command(&mut heard, n, answer).await.err()),
                    Mail::Look => {
                        let n = looks.hinted();
                        self.look(n);
                    }
                    Mail::Looked { n, since, mut seen } => {
                        let ended = looks.ended(n);
                        let edited = seen.as_mut().map(|seen| std::mem::take(&mut seen.edited)).unwrap_or_default();
                        perform::tell_edited(&self.world, &self.mr, perform::unheard(edited, since, self.change.last_comment()));
                        if seen.is_some() {
                            self.face.known();
                        }
                        if seen.as_ref().is_some_and(|seen| seen.altered.is_some()) {
                            self.face.again();
                        }
                        let seen = seen.filter(|_| ended.counts);
                        // What goes to a branch that governs nothing here, and was never seen to go to another, is nobody's change.
                        self.stray = ended.counts && self.change.sighting().is_none() && seen.as_ref().is_none_or(|seen| self.is_stray(seen));
                        heard.inputs.extend(seen.filter(|_| !self.stray).map(Input::Sighted));
                        again |= ended.again;
                    }
                    Mail::View(answer) => drop(answer.send(self.change.view(self.world.clock.now()))),
                    Mail::Applied(answer) => drop(answer.send(self.change.applied())),
                    Mail::Stop => {}
                }
            }
            let done = match unread {
                // The store does not answer: what was heard with it is in the inbox, or is asked for again.
                Some(why) => Err(why),
                None if heard.inputs.is_empty() => Ok(()),
                None => self.turn(heard, looks, show).await,
            };
            if stop {
                return Ok(());
            }
            done?;
            if again {
                // After the turn, so that comments which that one took in are not asked for again.
                let n = looks.hinted();
                self.look(n);
            }
        }
    }

    fn is_stray(&self, seen: &Sighting) -> bool {
        let holds = |repo: &Arc<Repository>| repo.governed.holds(&seen.base_branch);
        seen.state == MrState::Closed && self.world.repositories.get(&self.mr.repo).is_some_and(|repo| !holds(repo))
    }

    /// Where there are several replicas, the journal says which of them works on it, and since when.
    fn carried(&self) -> Option<Input> {
        let by = Some(self.world.store.me()).filter(|_| self.world.store.shared())?;
        let before = self.change.carried_by().filter(|before| *before != by);
        if let Some(before) = before.filter(|_| !self.change.phase().is_over()) {
            tracing::warn!(change = %self.mr, "taken over from {before}");
            metrics::counter!("trueup_takeovers_total").increment(1);
        }
        // Of one that is over nothing is left to do, and readers need not write.
        Some(Input::Carried { by }).filter(|_| self.upto == 0 || !self.change.phase().is_over())
    }

    /// Whether the change is over, shown as it is, not being looked at, and watched by nobody.
    fn rests(&self, looks: &Looks, show: &watch::Sender<Glance>) -> bool {
        // The desk's own receiver is the one.
        (is_over(show) || self.stray) && looks.is_idle() && self.face.is_shown() && show.receiver_count() <= 1
    }

    /// An act that was issued twice cannot tell what it found from what it did.
    fn own_doing(&self, input: Input) -> Input {
        match input {
            Input::Acted { step, attempt, outcome } if self.reissued.contains(&(step, attempt)) => Input::Acted { step, attempt, outcome: outcome.of_a_second_try() },
            other => other,
        }
    }

    /// Reads a command from the inbox. One that is there no more was carried out by an earlier turn.
    async fn command(&mut self, heard: &mut Heard, n: u64, answer: Option<oneshot::Sender<Answer>>) -> Result<(), String> {
        if let Some(at) = heard.taken.iter().position(|taken| *taken == n) {
            if answer.is_some() {
                heard.asked[at].0 = answer;
            }
            return Ok(());
        }
        // A number that is free is used again, by another replica for another change even.
        let order = orders::read(&self.world.store, n).await.map_err(|error| error.to_string())?.filter(|order| order.mr == self.mr);
        match (self.unasked.take(n), answer) {
            (Some(said), Some(answer)) if order.is_none() => drop(answer.send(said)),
            (_, answer) => self.hear(heard, n, order, answer),
        }
        Ok(())
    }

    fn hear(&self, heard: &mut Heard, n: u64, order: Option<Order>, answer: Option<oneshot::Sender<Answer>>) {
        if let Some(Order { mr: _, by, right, command, plan, asker }) = order {
            heard.inputs.push(Input::Command { by, right, command, plan });
            heard.asked.push((answer, asker));
            heard.taken.push(n);
        }
    }

    /// One turn: what was heard, the append, and only then the effects. Commands leave the inbox with the append that follows from them.
    async fn turn(&mut self, heard: Heard, looks: &mut Looks, show: &watch::Sender<Glance>) -> Result<(), String> {
        let Heard { inputs, asked, taken } = heard;
        perform::keep_tokens(&self.tokens, &inputs);
        let held = !self.change.ledger().written().is_empty();
        let proving = memory::standing(&self.change, &inputs);
        let mut turn = self.change.handle(self.world.clock.now(), &inputs);
        let card = turn.card.clone();
        let proven = memory::newly(proving, self.change.ledger());
        let meant = self.world.overrides.meant_by(&self.change, &proven, &turn.events).await;
        let settles = !meant.is_nothing();
        let beside = OverrideBook::beside(&self.mr, self.upto, meant);
        let remembered = memory::keep(&self.world, &self.change, self.upto, &proven).await;
        remembered.inspect_err(|why| self.world.trouble.said(why.clone()))?;
        faults::point("before append");
        let appended = self.world.store.append_taking(&StreamId::Change(self.mr.clone()), self.upto, Some(&self.fence), &turn, &taken, beside).await;
        let receipt = appended.map_err(|error| {
            // What is wrong with the disk keeps everybody waiting; a stale or lost stream is this change's own.
            if matches!(error, AppendError::Full { .. } | AppendError::Store { .. }) {
                self.world.trouble.said(error.to_string());
            }
            error.to_string()
        })?;
        faults::point("after append");
        self.world.trouble.over();
        self.upto = receipt.upto;
        tracing::debug!(change = %self.mr, phase = %card.phase, events = turn.events.len(), "turn");
        if self.phase.replace(card.phase) != Some(card.phase) {
            faces::tell(&card);
        }
        let merged = card.phase == Phase::Merged && turn.events.iter().any(|event| matches!(event, Event::MergeAnswered { .. }));
        if merged || held && !card.ahead {
            tokio::spawn(rounds::look_all(self.world.clone(), self.desk.clone(), self.mr.clone()));
        }
        if settles {
            tokio::spawn(drift::settle_of(self.world.clone(), self.desk.clone(), self.mr.clone()));
        }
        if matches!(card.phase, Phase::Restored | Phase::Merged) && self.change.sighting().is_some_and(|sighting| sighting.proposed.is_some()) {
            // What it proposed is gone, one way or the other: whoever proposed it looks again.
            tokio::spawn(drift::look_again(self.world.clone(), self.mr.repo.clone()));
        }
        self.glance(show, card);
        for (((asked, asker), n), answer) in asked.into_iter().zip(taken).zip(std::mem::take(&mut turn.said)) {
            // Whoever asked may have gone away, with an earlier process even; or is about to ask.
            match asked {
                Some(asked) => drop(asked.send(answer)),
                None => {
                    asker.into_iter().for_each(|asker| self.desk.tell(asker, answer.clone()));
                    self.unasked.keep(n, answer);
                }
            }
        }
        for effect in turn.release(&receipt) {
            self.perform(effect, looks);
        }
        Ok(())
    }

    /// Begins a look, when the one at a time says so.
    fn look(&self, n: Option<u64>) {
        let Some(n) = n else { return };
        let (world, mr, own, last) = (self.world.clone(), self.mr.clone(), self.own.clone(), self.change.last_comment());
        let (desk, plan, into) = (self.desk.clone(), self.change.plan().cloned(), self.change.sighting().map(|seen| seen.base_branch.clone()));
        tokio::spawn(async move {
            // Before the forge is read, so that a base that moved with a merge is seen first.
            let gone = perform::unbacked(&desk, &mr, plan.as_deref()).await;
            let owners = perform::owners_moved(&world, &mr, into.as_ref()).await;
            let seen = perform::look(&world, &mr, last).await;
            let _ = own.send(Mail::Looked { n, since: last, seen });
            if let Some(gone) = gone {
                let _ = own.send(Mail::Input(Box::new(Input::Unbacked(gone))));
            }
            if owners {
                let _ = own.send(Mail::Input(Box::new(Input::OwnersMoved)));
            }
        });
    }

    fn glance(&self, show: &watch::Sender<Glance>, card: Card) {
        show.send_modify(|glance| {
            glance.card = Some(card);
            glance.turns += 1;
        });
    }

    fn perform(&mut self, effect: Effect, looks: &mut Looks) {
        match effect {
            Effect::Look => {
                let n = looks.asked();
                self.look(n);
            }
            Effect::Wake(at) => self.wake_at(at),
            Effect::Show(face) => self.face.show(*face),
            Effect::Replan { .. }
            | Effect::Observe { .. }
            | Effect::Probe { .. }
            | Effect::Act { .. }
            | Effect::Claim { .. }
            | Effect::Unclaim
            | Effect::Halt(_)
            | Effect::Reply { .. }
            | Effect::Merge(_) => {
                // Only planning needs it, and copying it for every act would cost a run the square of its length.
                let ledger = Some(self.change.ledger()).filter(|_| matches!(effect, Effect::Replan { .. }));
                let (written, earlier) = ledger.map(|ledger| (ledger.written().clone(), ledger.earlier())).unwrap_or_default();
                // A way back starts whatever became of the merge request.
                let starts = matches!(effect, Effect::Observe { ask: Ask::Start { .. }, .. }) && !self.change.is_restore();
                let known = if starts { self.change.sighting().cloned() } else { None };
                let hands = perform::Hands {
                    world: self.world.clone(),
                    desk: self.desk.clone(),
                    mr: self.mr.clone(),
                    plan: self.change.plan().cloned(),
                    written,
                    earlier,
                    reverts: self.change.reverts(),
                    known,
                    into: self.change.sighting().map(|seen| seen.base_branch.clone()),
                    fence: self.fence.clone(),
                    tokens: self.tokens.clone(),
                    starts: self.starts.clone(),
                    question: matches!(effect, Effect::Replan { .. }).then(|| self.questions.next()),
                };
                tokio::spawn(perform::perform(hands, effect));
            }
        }
    }

    /// One timer: the earliest wake asked for; every turn asks again for what it still needs.
    fn wake_at(&mut self, at: Time) {
        if let Some((earlier, running)) = &self.wake {
            if *earlier <= at {
                return;
            }
            running.abort();
        }
        let wait = (at - self.world.clock.now()).std().min(NAP);
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
