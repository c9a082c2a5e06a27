//! The face of a change: its sticky comment, statuses and label, made from its view alone.

use super::{ApprovalView, Deployment, DeploymentState, Direction, Face, Label, Left, Phase, Since, Status, StatusState, View, escape, words};
use crate::core::{
    diff::Op,
    model::{CommitId, MrId, ResourceId, Str, Value},
    plan::{ItemRef, Plan},
    render::{Room, Sheet, markdown},
};
use std::collections::BTreeSet;

/// What the first line of every sticky comment starts with, by which it is found again.
pub const MARKER: &str = "<!-- trueup:change ";

/// Characters a comment may have; forges refuse more than about 65,000.
pub const MOST_CHARS: usize = 60_000;

/// The label of a change that holds up others for too long.
const OVERDUE: &str = "trueup: holds others up";

/// Every label that the server sets, and the one that an approver sets to let a change go first.
pub fn labels() -> Vec<Str> {
    let phases = Phase::ALL.into_iter().map(|phase| label(phase).0);
    phases.chain([OVERDUE.into(), "incident".into()]).collect()
}

fn label(phase: Phase) -> Label {
    Label(format!("trueup: {}", words::phase_words(phase)).into())
}

/// All that the forge shall show of a change.
pub fn face(view: &View) -> Face {
    Face {
        head: view.head.clone().unwrap_or_else(|| CommitId::new("")),
        comment: comment(view),
        plan: view.digest.filter(|_| view.plan.is_some()),
        statuses: statuses(view),
        deployments: deployments(view),
        labels: std::iter::once(label(view.phase)).chain(view.overdue.map(|_| Label(OVERDUE.into()))).collect(),
    }
}

/// Targets of one change that are shown as environments; each costs the forge's budget two writes or three.
const ENVIRONMENTS: usize = 10;

/// Each target that the run writes, as an environment of the forge.
fn deployments(view: &View) -> Vec<Deployment> {
    let state = match view.phase {
        Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Paused | Phase::Restoring => DeploymentState::InProgress,
        // Amended in the middle: what it wrote is live, and the next run goes on from there.
        Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Empty | Phase::Refused | Phase::Conflicted if view.written > 0 => DeploymentState::InProgress,
        Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Empty | Phase::Refused | Phase::Conflicted => DeploymentState::Inactive,
        Phase::Merged => DeploymentState::Success,
        Phase::Failed => DeploymentState::Failure,
        Phase::Closed if view.written > 0 => DeploymentState::Failure,
        Phase::Restored | Phase::Closed => DeploymentState::Inactive,
    };
    let (Some(plan), Some(_)) = (&view.plan, view.times.started) else { return Vec::new() };
    let targets: BTreeSet<&Str> = plan.deltas.iter().filter(|delta| delta.op != Op::Keep).map(|delta| &delta.id.target).collect();
    let text = words::status_rollout(view);
    let url = (!view.links.server.is_empty()).then(|| view.links.change());
    targets.into_iter().take(ENVIRONMENTS).map(|target| Deployment { environment: target.clone(), state, text: text.clone(), url: url.clone() }).collect()
}

/// The marker line of one change; a repository's name cannot end the HTML comment.
fn marker(mr: &MrId) -> String {
    let repo: String = mr.repo.as_str().chars().map(|c| if c.is_alphanumeric() || "/_.".contains(c) { c } else { '_' }).collect();
    format!("{MARKER}{repo}!{} -->\n", mr.number)
}

fn comment(view: &View) -> String {
    let url = view.links.plan();
    let room = Room { chars: 0, line: 240, lines: 24, rest: (!view.links.server.is_empty()).then_some(url.as_str()) };
    let sheet = view.plan.as_deref().map(|plan| sheet(view, plan));
    // Everything but the changes has a bound of its own, together under 55,000; the changes take what is left.
    let mut before = format!("{}{}\n\n", marker(&view.mr), words::state_line(view));
    before.push_str(&tasks(view));
    before.push_str(&markdown::list("Still missing", view.still_missing(), room.of(3000)));
    before.push_str(&markdown::refused(&view.refusals, room.of(10_500)));
    before.push_str(&markdown::list("Paths in conflict", view.conflicts.iter().map(|path| words::code(path)).collect(), room.of(3000)));
    before.push_str(&failures(view, room.of(6000)));
    before.push_str(&exemption(view, room.of(4000)));
    before.push_str(&given_up(view, room.of(3000)));
    before.push_str(&unhealthy(view, room.of(2000)));
    before.push_str(&queue(view, room.of(2500)));
    before.push_str(&since(view, room.of(3000)));
    before.push_str(&approvals(view, room.of(4000)));
    let mut after = String::new();
    if let Some(sheet) = &sheet {
        after.push_str(&markdown::order(sheet, &|id| view.step(id).map(super::StepView::state), room.of(6000)));
        after.push_str(&markdown::healthy(sheet, room.of(1500)));
        after.push_str(&markdown::list("Cannot be undone", words::never(sheet.plan, &view.kinds), room.of(3000)));
        after.push_str(&markdown::list("Notes", sheet.plan.notes.iter().map(|note| words::note(note, &view.kinds)).collect(), room.of(3000)));
        after.push_str(&markdown::way_back(sheet, room.of(4000)));
    }
    after.push_str(&footer(view));
    let used = before.chars().count() + after.chars().count();
    let changes = sheet.map_or(String::new(), |sheet| changes(view, &sheet, room.of(MOST_CHARS.saturating_sub(used))));
    before + &changes + &after
}

fn sheet<'a>(view: &'a View, plan: &'a Plan) -> Sheet<'a> {
    Sheet::new(plan, &view.kinds).digest(view.digest).way_back(view.way_back.as_deref()).sensitive(&view.sensitive)
}

impl View {
    /// The plan with all that its reader needs; none before there is a plan.
    pub fn sheet(&self) -> Option<Sheet<'_>> {
        self.plan.as_deref().map(|plan| sheet(self, plan))
    }

    /// Whether a resource's values are never shown.
    pub fn hides(&self, id: &ResourceId) -> bool {
        let plan = Plan::default();
        sheet(self, self.plan.as_deref().unwrap_or(&plan)).is_sensitive(id)
    }

    /// What was written and let go of, a line each: what is live by this change, and what was there before.
    pub fn given_up_lines(&self) -> Vec<String> {
        let line = |left: &Left| {
            let show = |value: &Option<Value>| match value {
                None => "nothing".to_owned(),
                Some(hidden @ Value::Hidden(_)) => words::code(&hidden.to_string()),
                Some(_) if self.hides(&left.id) => "a value that is not shown".to_owned(),
                Some(value) => words::code(&self.kinds.lines(&left.id, value).join(", ")),
            };
            format!("{}: this change left {}, before it was {}", words::code(&self.kinds.title(&left.id)), show(&left.after), show(&left.before))
        };
        self.given_up.iter().map(line).collect()
    }

    /// What is missing besides that which it waits for first.
    pub fn still_missing(&self) -> Vec<String> {
        self.reasons.iter().filter(|reason| **reason != self.waits_for).cloned().collect()
    }

    /// The four statuses, as the face has them.
    pub fn statuses(&self) -> Vec<Status> {
        statuses(self)
    }
}

/// The tasks it is for: names as code, so that nothing in them is active, and addresses in which every other character is encoded.
fn tasks(view: &View) -> String {
    if view.tasks.is_empty() {
        return String::new();
    }
    let links: Vec<String> = view.tasks.iter().map(|task| format!("[{}](<{}>)", words::code(&task.name), escape::cut(&task.url, 1000))).collect();
    format!("For {}.\n\n", links.join(", "))
}

fn changes(view: &View, sheet: &Sheet<'_>, room: Room<'_>) -> String {
    let summary = sheet.summary();
    if summary.is_empty() {
        return format!("{}\n\n", words::nothing_to_do(sheet.plan));
    }
    let title = match view.direction {
        Direction::Forward => "What changes",
        Direction::Back => "What goes back",
    };
    let head = format!("#### {title}: {summary}\n\n");
    let body = markdown::changes(sheet, room.of(room.chars.saturating_sub(head.chars().count())));
    head + &body
}

fn failures(view: &View, room: Room<'_>) -> String {
    let Some(first) = view.failures.first() else { return String::new() };
    let items = view.failures.iter().map(|failure| words::failure(failure, &view.kinds, failure.id.as_ref().is_some_and(|id| view.hides(id)))).collect();
    let ways = format!("{}\n\n", words::ways_on(first.step, view.written > 0));
    let list = markdown::list(&words::count(view.failures.len(), "failure"), items, room.of(room.chars.saturating_sub(ways.chars().count())));
    list + &ways
}

fn exemption(view: &View, room: Room<'_>) -> String {
    let Some(exemption) = &view.exemption else { return String::new() };
    let merged = view.phase == Phase::Merged;
    let how = format!("{}\n\n", words::exemption(exemption, merged));
    let title = if merged { "Merged, converged except" } else { "Converged except" };
    let items = exemption.except.items.iter().map(|item| words::left_out(item, &view.kinds)).collect();
    markdown::list(title, items, room.of(room.chars.saturating_sub(how.chars().count()))) + &how
}

fn given_up(view: &View, room: Room<'_>) -> String {
    markdown::list("Written and let go of", view.given_up_lines(), room)
}

fn unhealthy(view: &View, room: Room<'_>) -> String {
    let unhealthy = view.health.iter().flat_map(|health| &health.unhealthy);
    markdown::list("Not healthy", unhealthy.map(|(id, why)| format!("{}: {}", words::code(&view.kinds.title(id)), words::code(why))).collect(), room)
}

fn queue(view: &View, room: Room<'_>) -> String {
    let ahead: Vec<String> = view.queue.iter().flat_map(|queue| &queue.ahead).map(|(mr, what)| format!("{} {what}", words::code(&mr.to_string()))).collect();
    markdown::list(&format!("Place {} in the queue, behind", ahead.len() + 1), ahead, room)
}

fn since(view: &View, room: Room<'_>) -> String {
    let Some(Since { digest, by, kept, new, loosened, gone }) = &view.since else { return String::new() };
    let item = |what: &'static str| {
        move |item: &ItemRef| {
            let write = view.plan.as_ref().and_then(|plan| plan.steps.get(&item.step)).and_then(|step| step.writes().get(item.item as usize));
            let named = write.map_or_else(String::new, |write| format!(" {}", words::code(&view.kinds.title(&write.id))));
            format!("step {}{named} {what}", item.step)
        }
    };
    let gone = gone.iter().map(|id| format!("{} is no longer touched", words::code(&view.kinds.title(id))));
    let people: Vec<_> = by.iter().map(|user| user.0.clone()).collect();
    let mut items = vec![format!("{} approved before still hold", words::count(*kept as usize, "item"))];
    items.extend(new.iter().map(item("is new")));
    items.extend(loosened.iter().map(item("was approved as waiting for others of this plan, and does not wait for them now")));
    items.extend(gone);
    markdown::list(&format!("Since `{}`, which {} approved", digest.short(), words::list(&people, "and")), items, room)
}

fn approvals(view: &View, room: Room<'_>) -> String {
    let missing = view.wants_approval();
    // Where nobody is asked, only what was given is worth a line.
    let mut items: Vec<String> = view.approvals.iter().filter(|approval| missing || !approval.given.is_empty()).map(|one| approval(one, missing)).collect();
    if items.is_empty() {
        return String::new();
    }
    if missing && !view.pushers.is_empty() {
        let pushers: Vec<_> = view.pushers.iter().map(|user| user.0.clone()).collect();
        items.push(words::not_by(&pushers));
    }
    let how = match &view.digest {
        Some(digest) if missing => {
            let page = view.links.change();
            words::how_to_approve(&digest.short(), (!view.links.server.is_empty()).then_some(page.as_str())) + "\n\n"
        }
        Some(_) | None => String::new(),
    };
    let list = markdown::list(if missing { "Who must approve" } else { "Approved" }, items, room.of(room.chars.saturating_sub(how.chars().count())));
    list + &how
}

fn approval(approval: &ApprovalView, asked: bool) -> String {
    let ApprovalView { rule, given, missing, cannot } = approval;
    let given = given.iter().take(10).map(words::given);
    let missing = (asked && *missing > 0).then(|| match cannot {
        Some(why) => format!("**{missing} missing**, and {why}"),
        None => format!("**{missing} missing**"),
    });
    let parts: Vec<String> = given.chain(missing).collect();
    format!("{}: {}", words::approval(rule), if parts.is_empty() { "nothing missing".to_owned() } else { parts.join("; ") })
}

fn footer(view: &View) -> String {
    let mut parts = Vec::new();
    parts.extend(view.digest.map(|digest| format!("plan `{}`", digest.short())));
    parts.extend(view.head.as_ref().map(|head| format!("head {}", words::code(words::short(head)))));
    parts.extend(view.base.as_ref().map(|base| format!("base {}", words::code(words::short(base)))));
    if !view.links.server.is_empty() {
        parts.push(format!("[page]({})", view.links.change()));
    }
    parts.push("`/trueup help` lists the commands".to_owned());
    format!("---\n{}\n", parts.join(" · "))
}

fn statuses(view: &View) -> Vec<Status> {
    let (done, all) = view.progress();
    let plan = match view.phase {
        Phase::Planning => StatusState::Pending,
        Phase::Refused | Phase::Conflicted => StatusState::Failure,
        Phase::AwaitingApproval
        | Phase::Queued
        | Phase::Rolling
        | Phase::Verifying
        | Phase::Merging
        | Phase::Merged
        | Phase::Empty
        | Phase::Paused
        | Phase::Failed
        | Phase::Restoring
        | Phase::Restored
        | Phase::Closed => pending_unless(view.plan.is_some()),
    };
    let rollout = match view.phase {
        Phase::Failed | Phase::Restoring | Phase::Restored => StatusState::Failure,
        Phase::Verifying | Phase::Merging | Phase::Merged => StatusState::Success,
        Phase::Empty => StatusState::Success,
        Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Rolling | Phase::Refused | Phase::Conflicted | Phase::Paused | Phase::Closed => {
            pending_unless(all > 0 && done == all)
        }
    };
    let converged = match view.phase {
        Phase::Merging | Phase::Merged => StatusState::Success,
        Phase::Failed | Phase::Restored => StatusState::Failure,
        Phase::Planning
        | Phase::AwaitingApproval
        | Phase::Queued
        | Phase::Rolling
        | Phase::Verifying
        | Phase::Empty
        | Phase::Refused
        | Phase::Conflicted
        | Phase::Paused
        | Phase::Restoring
        | Phase::Closed => StatusState::Pending,
    };
    let approval = match view.phase {
        Phase::Merged => StatusState::Success,
        Phase::Restored | Phase::Closed => StatusState::Pending,
        Phase::Planning
        | Phase::AwaitingApproval
        | Phase::Queued
        | Phase::Rolling
        | Phase::Verifying
        | Phase::Merging
        | Phase::Empty
        | Phase::Refused
        | Phase::Conflicted
        | Phase::Paused
        | Phase::Failed
        | Phase::Restoring => pending_unless(view.plan.is_some() && view.approvals.iter().all(|approval| approval.missing == 0)),
    };
    let status = |context: &str, state, text| Status { context: context.into(), state, text };
    vec![
        status("trueup/plan", plan, words::status_plan(view)),
        status("trueup/approval", approval, words::status_approval(view)),
        status("trueup/rollout", rollout, words::status_rollout(view)),
        status("trueup/converged", converged, words::status_converged(view)),
    ]
}

fn pending_unless(done: bool) -> StatusState {
    if done { StatusState::Success } else { StatusState::Pending }
}
