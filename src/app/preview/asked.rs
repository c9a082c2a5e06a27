//! What a running server says of one of its changes to a job of CI.
//!
//! The change's own plan is told, so that its digest is the one that people approve; nothing is planned a second time but for authors who are not trusted, and
//! nothing is ever approved or run.

use crate::{
    app::{
        ci::{About, Asker},
        planning::{self, Request, Sighted},
        reign::Asks,
        service::{Service, ServiceError, ServiceErrorKind},
    },
    core::{
        model::{CommitId, MrId, RepoId},
        render::{Found, Preview, Sheet, Style, Unseen},
        review::{CommentId, Direction, Links, Phase, View, words},
        run::PlanResult,
    },
    ports::{ForgeError, ForgeErrorKind},
};
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long one question waits for a plan that is being made; whoever asks comes back. Proxies cut what is silent for longer than half a minute.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a job asks.
#[derive(Clone, Debug)]
pub struct Question {
    /// The repository's name, where the token may ask about several.
    pub repo: Option<RepoId>,
    /// The merge request; without it, the open one with this head.
    pub number: Option<u64>,
    pub head: CommitId,
}

/// What it is told.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The preview: its JSON, with `text` and `markdown` beside.
    Preview(Json),
    /// The plan is being made: what it waits for.
    Waiting { mr: MrId, waits_for: String },
}

fn refused<T>(kind: ServiceErrorKind, what: impl Into<String>) -> Result<T, ServiceError> {
    Err(ServiceError::new(kind, what))
}

/// Answers one question, at once or after a short wait.
pub async fn asked(service: &Service, asker: &Asker, question: &Question) -> Result<Answer, ServiceError> {
    let head = question.head.as_str();
    if !matches!(head.len(), 40 | 64) || !head.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return refused(ServiceErrorKind::Invalid, format!("{} is not a whole commit id; give all hex digits: `git rev-parse HEAD`", words::code(head)));
    }
    let candidates = candidates(asker, question)?;
    let mr = found(service, asker, question, &candidates).await?;
    let mut known = seen(service, &mr, &question.head).await?;
    if known.is_none() {
        looked_up(service, asker, &mr, &question.head).await?;
        // Its own worker looks as well, as a webhook would have it.
        service.hint(&mr);
    }
    let end = Instant::now() + PATIENCE;
    let mut news = service.watch(&mr);
    loop {
        if let Some(view) = &known {
            may_ask(asker, &mr, &question.head, &view.source_branch)?;
            if let Some(answer) = answer(service, &mr, view, &question.head).await? {
                tracing::debug!(change = %mr, asker = asker.name, "previewed");
                return Ok(Answer::Preview(answer));
            }
        }
        match tokio::time::timeout_at(end, news.changed()).await {
            Ok(Ok(())) => known = seen(service, &mr, &question.head).await?,
            Ok(Err(_)) | Err(_) => {
                let waits_for = known.map_or_else(|| "Reading the merge request.".to_owned(), |view| view.waits_for);
                return Ok(Answer::Waiting { mr, waits_for });
            }
        }
    }
}

/// The repositories that may be meant.
fn candidates(asker: &Asker, question: &Question) -> Result<Vec<RepoId>, ServiceError> {
    let Some(named) = &question.repo else { return Ok(asker.repos.clone()) };
    if asker.repos.contains(named) {
        return Ok(vec![named.clone()]);
    }
    let may = asker.repos.iter().map(|repo| words::code(repo.as_str())).collect::<Vec<_>>().join(", ");
    let may = if may.is_empty() { "none".to_owned() } else { may };
    refused(ServiceErrorKind::Denied, format!("this token may not ask about {}; it may ask about {may}", words::code(named.as_str())))
}

/// The merge request that is meant.
async fn found(service: &Service, asker: &Asker, question: &Question, candidates: &[RepoId]) -> Result<MrId, ServiceError> {
    let of_token = if let About::Request(number) = asker.about { Some(number) } else { None };
    if let (Some(of_token), Some(number)) = (of_token, question.number)
        && of_token != number
    {
        return refused(ServiceErrorKind::Denied, format!("this token is of !{of_token}, and !{number} is asked about; a job asks about its own merge request"));
    }
    if let Some(number) = question.number.or(of_token) {
        // Of several that stand on one project, each governs a branch of its own.
        for repo in candidates {
            let mr = MrId { repo: repo.clone(), number };
            if candidates.len() == 1 || is_governed(service, &mr).await? {
                return Ok(mr);
            }
        }
        return refused(ServiceErrorKind::NotFound, format!("no merge request !{number} into a governed branch; look at its number and its target branch"));
    }
    let mut at_head = Vec::new();
    for repo in candidates {
        let known = service.world().news.at_head(repo, &question.head);
        let open = if known.is_empty() {
            service.world().forge.open(repo).await.map_err(away)?.into_iter().filter(|one| one.head == question.head).map(|one| one.mr).collect()
        } else {
            known
        };
        at_head.extend(open);
    }
    let head = words::code(question.head.as_str());
    match at_head.as_slice() {
        [one] => Ok(one.clone()),
        [] => refused(ServiceErrorKind::NotFound, format!("no open merge request has the head {head}; open one, or name its --number")),
        several => {
            let all = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            refused(ServiceErrorKind::Conflict, format!("several merge requests have the head {head}: {all}; say which with --number"))
        }
    }
}

async fn is_governed(service: &Service, mr: &MrId) -> Result<bool, ServiceError> {
    let governed = service.world().repositories.get(&mr.repo).map(|repo| repo.governed.clone());
    match service.world().forge.look(mr, Some(CommentId(u64::MAX))).await {
        Ok(sighting) => Ok(governed.is_some_and(|governed| governed.holds(&sighting.base_branch))),
        Err(error) if error.kind == ForgeErrorKind::NotFound => Ok(false),
        Err(error) => Err(away(error)),
    }
}

/// The change as it is known, where that is of this head.
async fn seen(service: &Service, mr: &MrId, head: &CommitId) -> Result<Option<View>, ServiceError> {
    match service.known(mr).await {
        Ok(()) => {}
        Err(error) if error.kind == ServiceErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(Some(service.view(mr).await?).filter(|view| view.head.as_ref() == Some(head)))
}

/// Asks the forge about a head that is not the one that is known: a push may be on its way here, or the job is of an older one.
async fn looked_up(service: &Service, asker: &Asker, mr: &MrId, head: &CommitId) -> Result<(), ServiceError> {
    let sighting = match service.world().forge.look(mr, Some(CommentId(u64::MAX))).await {
        Ok(sighting) => sighting,
        Err(error) if error.kind == ForgeErrorKind::NotFound => return refused(ServiceErrorKind::NotFound, format!("there is no merge request {mr}; look at its number")),
        Err(error) => return Err(away(error)),
    };
    may_ask(asker, mr, head, &sighting.source_branch)?;
    if sighting.head == *head {
        return Ok(());
    }
    let (is, asked) = (words::code(sighting.head.as_str()), words::code(head.as_str()));
    refused(ServiceErrorKind::Conflict, format!("the head of {mr} is {is}, and the job asks about {asked}; run it for the newest push"))
}

/// A token opens what its job is about.
fn may_ask(asker: &Asker, mr: &MrId, head: &CommitId, branch: &str) -> Result<(), ServiceError> {
    let fits = match &asker.about {
        About::Anything => true,
        About::Request(number) => *number == mr.number,
        About::Commit { id, branch: of } => id == head || of.as_deref() == Some(branch),
    };
    if fits {
        return Ok(());
    }
    let of = match &asker.about {
        About::Anything => String::new(),
        About::Request(number) => format!("!{number}"),
        About::Commit { id, branch: _ } => words::code(id.as_str()),
    };
    refused(ServiceErrorKind::Denied, format!("this token is of {of}, and {} of {mr} is asked about; a job asks about its own commit", words::code(head.as_str())))
}

/// The preview of a change that is at the head asked about; none while its plan is being made.
async fn answer(service: &Service, mr: &MrId, view: &View, head: &CommitId) -> Result<Option<Json>, ServiceError> {
    let base = view.base.clone().unwrap_or_else(|| CommitId::new(""));
    let url = &service.world().url;
    let page = (!url.is_empty()).then(|| Links::new(url, mr).change());
    let told = |unseen: Option<Unseen<'_>>, found: Found<'_>| {
        let now = Some((view.phase, view.waits_for.as_str()));
        let preview = Preview { mr: Some(mr), base_branch: &view.base_branch, base: &base, head, unseen, found, now, page: page.as_deref() };
        let mut answer = preview.json();
        answer["text"] = json!(preview.text(Style::default()));
        answer["markdown"] = json!(preview.markdown());
        Some(answer)
    };
    if matches!(view.phase, Phase::Merged | Phase::Closed) {
        return refused(ServiceErrorKind::Conflict, format!("{mr} is {}; there is nothing to preview", words::phase_words(view.phase)));
    }
    if view.direction == Direction::Back {
        return refused(ServiceErrorKind::Conflict, format!("{mr} is being taken back; look at its page"));
    }
    if view.phase == Phase::Refused {
        return Ok(told(None, Found::Refused(&view.refusals)));
    }
    if view.phase == Phase::Conflicted {
        return Ok(told(None, Found::Conflicted(&view.conflicts)));
    }
    if !view.awaits_trust {
        // A plan of an older head says nothing about this one.
        let sheet = view.sheet().filter(|_| view.planned.as_ref() == Some(head));
        return Ok(sheet.and_then(|sheet| told(None, Found::Plan(sheet))));
    }
    // Nothing is observed for a stranger (I10): the two sides alone.
    let world = service.world();
    let Some(repo) = world.repositories.get(&mr.repo).cloned() else { return refused(ServiceErrorKind::NotFound, format!("no repository {} here", words::code(mr.repo.as_str()))) };
    let turn = world.plans.take(false).await;
    let result = match world.reigns.judge(world, mr, Some(&view.base_branch), Asks::Preview).await {
        Ok(takes_over) => {
            let request = Request { mr: mr.clone(), takes_over, ..Request::afresh(mr.repo.clone(), base.clone(), head.clone()) };
            planning::compile_for(repo, &world.targets, Sighted::Offline, request).await.1
        }
        Err(result) => result,
    };
    drop(turn);
    let unseen = Some(Unseen::Untrusted(&view.author));
    match result {
        PlanResult::Plan { plan, policy } => {
            let back = plan.forecast_reverse();
            Ok(told(unseen, Found::Plan(Sheet::new(&plan, &world.kinds).way_back(Some(&back)).sensitive(&policy.sensitive))))
        }
        PlanResult::Refused(faults) => Ok(told(unseen, Found::Refused(&faults))),
        PlanResult::Conflicted(paths) => Ok(told(unseen, Found::Conflicted(&paths))),
        PlanResult::Failed { why } => refused(ServiceErrorKind::Unavailable, format!("it cannot be planned now: {why}")),
    }
}

fn away(error: ForgeError) -> ServiceError {
    ServiceError::new(ServiceErrorKind::Unavailable, format!("the forge did not say which merge request this is: {error}"))
}
