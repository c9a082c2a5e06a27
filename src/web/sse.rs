//! Live updates: one event for every turn of a change.

use super::{
    answer::{At, Fault},
    auth::Person,
    router::App,
};
use crate::app::Glance;
use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use serde_json::json;
use std::{convert::Infallible, time::Duration};

/// Proxies cut connections that are silent for a minute or so.
const ALIVE: Duration = Duration::from_secs(15);

/// `GET …/events`: the card now, and again after every turn. A reader that is slow sees the last state, not every one.
pub async fn events(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Fault> {
    app.sees(&by, &mr).await?;
    let mut seen = app.service.watch(&mr);
    seen.mark_changed();
    let updates = stream::unfold((seen, app, mr), |(mut seen, app, mr)| async move {
        // The worker ended: the server stops, and the reader connects again to the next.
        seen.changed().await.ok()?;
        let Glance { card, turns, here: _ } = seen.borrow_and_update().clone();
        // A change that rests has had no turn since the server started; its card is in the store.
        let card = match card {
            Some(card) => Some(card),
            None => app.service.world().store.card(&mr).await.ok().flatten(),
        };
        let data = json!({ "turns": turns, "phase": card.as_ref().map(|card| card.phase), "card": card });
        Some((Ok(Event::default().event("change").id(turns.to_string()).data(data.to_string())), (seen, app, mr)))
    });
    Ok(Sse::new(updates).keep_alive(KeepAlive::new().interval(ALIVE)))
}
