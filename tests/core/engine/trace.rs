//! What a scenario file shows of a turn: events and effects as short lines.

use super::world::{World, ask_words};
use trueup::core::run::{Effect, Event, PlanResult};

/// Everything since the last call, one line each.
pub fn take(world: &mut World) -> Vec<String> {
    let mut out: Vec<String> = std::mem::take(&mut world.events).iter().filter_map(event).collect();
    out.extend(std::mem::take(&mut world.effects).iter().filter_map(effect));
    out.extend(std::mem::take(&mut world.said).into_iter().map(|said| format!("page: {said}")));
    out
}

pub fn state(world: &World) -> String {
    format!("{}: {}", world.change.phase(), world.change.waits_for())
}

fn event(event: &Event) -> Option<String> {
    let text = match event {
        // Told by the verbs themselves, or by the effects below.
        Event::Published { .. } => return None,
        Event::Sighted { .. } | Event::Heard { .. } | Event::Replied { .. } | Event::Replying { .. } => return None,
        Event::ActIntended { .. }
        | Event::StartAsked { .. }
        | Event::SampleAsked { .. }
        | Event::ProbeAsked { .. }
        | Event::LookAsked
        | Event::ClaimAsked { .. }
        | Event::MergeAsked { .. } => return None,
        Event::Acted { .. } | Event::UnclaimAsked => return None,
        Event::ReplanAsked { why, .. } => format!("replan: {why:?}"),
        Event::Planned { answer, .. } => match &answer.result {
            PlanResult::Plan { plan, .. } => format!("planned: {} steps", plan.steps.len()),
            PlanResult::Refused(refusals) => format!("planned: refused {}", refusals.len()),
            PlanResult::Conflicted(paths) => format!("planned: conflicted {paths:?}"),
            PlanResult::Failed { why } => format!("planned: failed {why}"),
        },
        Event::Approved { by, steps, .. } if steps.is_empty() => format!("approved by {by}"),
        Event::Approved { by, steps, .. } => format!("approved by {by}: {steps:?}"),
        Event::Held { reasons, .. } => format!("held: {reasons:?}"),
        Event::Claimed { answer, .. } => format!("claimed: {answer:?}"),
        Event::StartMoved { moved, .. } => format!("moved: {}", moved.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        Event::Started { .. } => "started".to_owned(),
        Event::Proven { step, .. } => format!("proven {step}"),
        Event::ProofRead { step, items, .. } => format!("proof {step}: {items:?}"),
        Event::Waited { step, good, why, .. } => format!("waited {step}: {good} {why}"),
        Event::Sampled { n, sample, .. } => format!("sample {n}: {sample:?}"),
        Event::Probed { n, saw, .. } => format!("probe {n}: {saw:?}"),
        Event::Finished { .. } => "finished".to_owned(),
        Event::Stopping { why, .. } => format!("stopping: {why:?}"),
        Event::Stopped { .. } => "stopped".to_owned(),
        Event::MergeAnswered { .. } => "merge answered".to_owned(),
        Event::StartUnread { why, .. } => format!("start unread: {why}"),
        Event::GaveUp { why, .. } => format!("gave up: {why}"),
        Event::Vouched { .. }
        | Event::Withdrawn { .. }
        | Event::ReviewEarly { .. }
        | Event::ApprovalWaits(_)
        | Event::StartSaid { .. }
        | Event::Unclaimed
        | Event::ProofAsked { .. }
        | Event::Parked { .. }
        | Event::StepApproved { .. }
        | Event::StepBlocked { .. }
        | Event::Elapsed { .. }
        | Event::Skipped { .. }
        | Event::Exempted { .. }
        | Event::Retried { .. }
        | Event::MergeDue { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Freed { .. }
        | Event::Paged { .. }
        | Event::Taken { .. }
        | Event::HaltSaid { .. }
        | Event::Halted(_)
        | Event::Carried { .. }
        | Event::ClockBack { .. } => {
            let text = format!("{event:?}");
            text.split([' ', '(']).next().unwrap_or_default().to_lowercase()
        }
    };
    Some(text)
}

fn effect(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Look => "→ look".to_owned(),
        Effect::Replan { base, head, ours, restore } => {
            format!("→ plan {head} on {base}{}{}", if ours.is_empty() { String::new() } else { format!(", {} ours", ours.len()) }, if *restore { ", the way back" } else { "" })
        }
        Effect::Observe { ask, wants, .. } => format!("→ read {} ({})", ask_words(ask), wants.len()),
        Effect::Probe { n, probe } => format!("→ probe {n}: {}", probe.ask),
        Effect::Act { step, attempt, skip } if skip.is_empty() => format!("→ act {step}.{attempt}"),
        Effect::Act { step, attempt, skip } => format!("→ act {step}.{attempt} without {skip:?}"),
        Effect::Claim { n, claims, incident } => format!("→ claim {n}: {}{}", claims.len(), if *incident { ", an incident" } else { "" }),
        Effect::Unclaim => "→ unclaim".to_owned(),
        Effect::Halt(on) => format!("→ halt the server: {on}"),
        Effect::Reply { to, text, .. } => format!("→ reply {}: {}", to.0, text.lines().next().unwrap_or_default()),
        Effect::Merge(ticket) if ticket.only_reads() => format!("→ read back the merge of {} on {}", ticket.head(), ticket.base()),
        Effect::Merge(ticket) => {
            let except = ticket.except().map_or_else(String::new, |except| format!(", except {}", except.items.len()));
            format!("→ merge {} on {} as {}{except}", ticket.head(), ticket.base(), ticket.tree())
        }
        Effect::Show(_) | Effect::Wake(_) => return None,
    })
}
