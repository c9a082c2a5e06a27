//! Reading: as many keys at once as the server takes in one request, and again where reading alone may ask again.

use super::{Center, Live};
use crate::{
    cluster::Fault,
    core::model::{CHANGED, Fact, FactValue, Health, Kind, Observed, Reading, Refusal, ResourceId, Token, Value, Want},
    kinds::config::{key_id, value},
    ports::{Clock, ObserveError, ObserveErrorKind, SystemClock},
};
use std::time::{Duration, Instant};

/// A read that got no answer is asked again so often: a leader is elected within a second or two.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// So many questions more a read asks at most to find out which keys may not be read: enough for some fifty among ten thousand, and a second of a user who may read
/// nothing at all. What is still together then is told as what was asked together.
const ASKED_APART: usize = 512;

/// What a key was when it was read: the revision counts only for the content that came with it.
pub(super) fn token(live: &Live) -> Token {
    let content = live.bytes.as_deref().map_or_else(|| "none".to_owned(), |bytes| value(bytes).fingerprint().to_string());
    let flags = if live.flags == 0 { String::new() } else { format!("+{}", live.flags) };
    Token(Some(format!("{}{flags}:{content}", live.revision).into()))
}

/// What a token says was live, when it was read with just this content; any other says nothing about it.
pub(super) fn known(found: &Token, from: Option<&Value>) -> Option<Live> {
    let (mark, _) = found.0.as_deref()?.split_once(':')?;
    let (revision, flags) = mark.split_once('+').unwrap_or((mark, "0"));
    let bytes = from.map(crate::kinds::config::bytes).transpose().ok()?;
    let live = Live { revision: revision.parse().ok()?, flags: flags.parse().ok()?, bytes };
    (token(&live) == *found).then_some(live)
}

/// The live state of keys, in the order asked; or what went wrong, and with which of them where it is not the whole target.
pub(in crate::drivers::config) async fn read(center: &dyn Center, keys: &[&str], deadline: Instant) -> Result<Vec<Live>, (Fault, Vec<usize>)> {
    let mut found = vec![Live::default(); keys.len()];
    let mut waiting = pieces(center, keys, (0..keys.len()).collect());
    waiting.reverse();
    let (mut denied, mut apart): (Vec<usize>, usize) = (Vec::new(), 0);
    while let Some(some) = waiting.pop() {
        let asked: Vec<&str> = some.iter().map(|at| keys[*at]).collect();
        match patiently(center, &asked, deadline).await {
            Ok(all) => some.iter().zip(all).for_each(|(at, live)| found[*at] = live),
            Err(Fault::TooMany(told)) if some.len() > 1 => {
                center.learned().too_many(some.len(), told);
                waiting.extend(pieces(center, keys, some));
            }
            Err(Fault::TooLarge(_)) if some.len() > 1 => waiting.extend(halves(some)),
            Err(Fault::Denied(which)) if !which.is_empty() => denied.extend(which.into_iter().map(|at| some[at])),
            Err(Fault::Denied(_)) if some.len() > 1 && apart < ASKED_APART => {
                apart += 2;
                waiting.extend(halves(some));
            }
            Err(Fault::Denied(_)) => denied.extend(some),
            Err(fault) => return Err((fault, some)),
        }
    }
    denied.sort_unstable();
    if denied.is_empty() { Ok(found) } else { Err((Fault::Denied(Vec::new()), denied)) }
}

/// Cuts keys at what the server takes in one request.
fn pieces(center: &dyn Center, keys: &[&str], all: Vec<usize>) -> Vec<Vec<usize>> {
    let (mut pieces, mut open, mut size) = (Vec::new(), Vec::new(), 0);
    for at in all {
        let weight = center.weight(keys[at], None);
        if !open.is_empty() && (open.len() >= center.learned().ops() || size + weight > center.learned().bytes()) {
            pieces.push(std::mem::take(&mut open));
            size = 0;
        }
        open.push(at);
        size += weight;
    }
    pieces.extend((!open.is_empty()).then_some(open));
    pieces
}

/// The second half first, as what is taken last is done next.
fn halves(mut some: Vec<usize>) -> [Vec<usize>; 2] {
    let second = some.split_off(some.len() / 2);
    [second, some]
}

/// Asks again what reading alone may ask again.
async fn patiently(center: &dyn Center, keys: &[&str], deadline: Instant) -> Result<Vec<Live>, Fault> {
    let mut tries = 1;
    loop {
        match center.get(keys, deadline).await {
            Err(Fault::Lost(_)) if tries < TRIES && Instant::now() + PAUSE < deadline => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// One `Observed` a want, as the port asks.
pub(in crate::drivers::config) async fn observe(center: &dyn Center, deadline: Instant, wants: &[Want], facts: &[Fact]) -> Result<Vec<Observed>, ObserveError> {
    let keys: Vec<&str> = wants.iter().map(|want| &*want.id.name).collect();
    let all = read(center, &keys, deadline).await.map_err(|(fault, some)| {
        let about = some.into_iter().map(|at| wants[at].id.clone()).collect();
        error(center, &fault, about)
    })?;
    let one = |(want, live): (&Want, Live)| {
        let merged = want.merged.clone().map(|value| center.kind().canon(&want.id, value)).transpose();
        let base = want.base.clone().map(|value| center.kind().canon(&want.id, value.clone()).unwrap_or(value));
        let mut seen = seen(want.id.clone(), &live, base, merged);
        if live.revision > 0 && facts.iter().any(|fact| &**fact == CHANGED) {
            seen.facts.insert(CHANGED.into(), FactValue::Text(format!("written at {} {}", center.words().revision, live.revision).into()));
        }
        seen
    };
    Ok(wants.iter().zip(all).map(one).collect())
}

/// A key of a listing.
pub(in crate::drivers::config) fn listed(center: &dyn Center, key: &str, live: &Live) -> Observed {
    seen(key_id(center.target(), key), live, None, Ok(None))
}

fn seen(id: ResourceId, live: &Live, base: Option<Value>, merged: Result<Option<Value>, Refusal>) -> Observed {
    let reading = Reading::Seen { live: live.bytes.as_deref().map(value), base, merged };
    Observed { id, reading, facts: Default::default(), health: Health::NotAsked, token: token(live), at: SystemClock.now() }
}

/// The fault of a read, for people.
pub(in crate::drivers::config) fn error(center: &dyn Center, fault: &Fault, about: Vec<ResourceId>) -> ObserveError {
    let words = center.words();
    let (what, kind) = match fault {
        Fault::Unreachable(why) | Fault::Lost(why) => (why.clone(), ObserveErrorKind::Unreachable),
        Fault::Stranger(why) => (why.clone(), ObserveErrorKind::Denied),
        Fault::Denied(_) => {
            let named = about.iter().take(3).map(|id| format!("`{}`", id.name)).collect::<Vec<_>>();
            let more = if about.len() > named.len() { format!(" and {} more", about.len() - named.len()) } else { String::new() };
            let keys = if named.is_empty() { "these keys".to_owned() } else { named.join(", ") };
            (format!("{} may not read {keys}{more}; {}", words.who, words.grant), ObserveErrorKind::Denied)
        }
        Fault::TooMany(_) | Fault::TooLarge(_) => (format!("the server takes no question of this size; {}", words.larger), ObserveErrorKind::Broken),
        Fault::Full(what) => ((*what).to_owned(), ObserveErrorKind::Broken),
        Fault::Other(why) => (why.clone(), ObserveErrorKind::Broken),
    };
    ObserveError { target: center.target().to_owned(), what, kind, about }
}
