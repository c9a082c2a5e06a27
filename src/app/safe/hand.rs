//! Writing: what is hidden is opened for the driver alone, references are resolved now, and the answer is hidden again.

use super::{Safe, Scrub};
use crate::{
    app::targets::{Owned, Target},
    core::{
        model::{Hidden, Kind, ResourceId, SecretRef, Token, Value},
        plan::{Act, Step, Write},
        run::{Item, Outcome},
    },
};
use std::collections::{BTreeMap, BTreeSet};

impl Safe {
    /// Does one step. When a secret of it cannot be had, nothing of it is sent.
    pub async fn act(&self, target: &Target, owned: Owned<'_>, step: &Step, skip: &BTreeSet<u32>, tokens: &[Token]) -> Outcome {
        let hides = |write: &Write| write.from.iter().chain(&write.to).any(|value| value.hidden().is_some());
        let Act::Write(writes) = &step.act else { return target.act(self.secrets(), owned, step, skip, tokens, &[]).await };
        if !writes.iter().any(hides) {
            return target.act(self.secrets(), owned, step, skip, tokens, &[]).await;
        }
        let mut hand = Hand { safe: self, kind: target.kind(), read: BTreeMap::new() };
        let (mut opened, mut failed) = (Vec::with_capacity(writes.len()), BTreeMap::new());
        for (at, write) in writes.iter().enumerate() {
            let plain = if skip.contains(&(at as u32)) { Ok(write.clone()) } else { hand.open(write).await };
            match plain {
                Ok(plain) => opened.push(plain),
                Err(item) => drop(failed.insert(at, item)),
            }
        }
        if !failed.is_empty() {
            return Outcome { items: (0..writes.len()).map(|at| failed.remove(&at).unwrap_or(Item::NotTried)).collect(), report: None };
        }
        let mut scrub = Scrub::default();
        opened.iter().zip(writes).filter(|(_, write)| hides(write)).flat_map(|(plain, _)| plain.from.iter().chain(&plain.to)).for_each(|value| scrub.add(value));
        let sensitive: Vec<u32> = (0..).zip(writes).filter(|(_, write)| hides(write)).map(|(at, _)| at).collect();
        let plain = Step { act: Act::Write(opened), ..step.clone() };
        let Outcome { items, report } = target.act(self.secrets(), owned, &plain, skip, tokens, &sensitive).await;
        let items = items.into_iter().zip(writes).map(|(item, write)| if hides(write) { self.told(&write.id, item, &mut scrub) } else { told_beside(item, &scrub) }).collect();
        Outcome { items, report: report.map(|said| scrub.clean(said)) }
    }

    /// An answer about a hidden resource.
    fn told(&self, id: &ResourceId, item: Item, scrub: &mut Scrub) -> Item {
        match item {
            Item::Moved(Some(found)) => {
                scrub.add(&found);
                Item::Moved(Some(self.seal(id, &found)))
            }
            other => told_beside(other, scrub),
        }
    }
}

/// An answer about another resource of a step that carries secrets.
fn told_beside(item: Item, scrub: &Scrub) -> Item {
    match item {
        Item::Refused(refusal) => Item::Refused(scrub.clean_refusal(refusal)),
        Item::Failed { transient, why } => Item::Failed { transient, why: scrub.clean(why) },
        other @ (Item::Done | Item::Already | Item::Moved(_) | Item::NotTried | Item::Unknown) => other,
    }
}

struct Hand<'a> {
    safe: &'a Safe,
    kind: &'static dyn Kind,
    /// Each reference is asked for once a step, so that all its items hold the same.
    read: BTreeMap<SecretRef, Value>,
}

impl Hand<'_> {
    async fn open(&mut self, write: &Write) -> Result<Write, Item> {
        let from = self.value(&write.id, write.from.as_ref()).await?;
        let to = self.value(&write.id, write.to.as_ref()).await?;
        Ok(Write { from, to, ..write.clone() })
    }

    async fn value(&mut self, id: &ResourceId, value: Option<&Value>) -> Result<Option<Value>, Item> {
        let Some(Value::Hidden(hidden)) = value else { return Ok(value.cloned()) };
        self.hidden(id, hidden).await.map(Some)
    }

    async fn hidden(&mut self, id: &ResourceId, hidden: &Hidden) -> Result<Value, Item> {
        let failed = |why: String| Item::Failed { transient: false, why };
        if let Some(sealed) = self.safe.open(id, hidden) {
            return sealed.map_err(|error| failed(format!("what the plan hides cannot be opened: {error}, or plan again with `/trueup plan`")));
        }
        let Some(secret) = &hidden.secret else { return Err(failed("what the plan hides was not sealed; plan again with `/trueup plan`".to_owned())) };
        if let Some(known) = self.read.get(secret) {
            return Ok(known.clone());
        }
        let value = self.safe.reread(id, self.kind, secret, hidden).await.map_err(|error| Item::Failed { transient: error.transient, why: error.why })?;
        self.read.insert(secret.clone(), value.clone());
        Ok(value)
    }
}
