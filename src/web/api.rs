//! REST under `/api/v1`: one table of routes, which also makes the OpenAPI document, and their handlers.

use super::{
    answer::{At, Body, Fault, InRepo},
    auth::Person,
    drift, edits, previews,
    router::App,
    sse,
};
use crate::{
    app::service::NewMr,
    core::{
        model::{CommitId, MrId, RepoId, StepId, User},
        render::{self, Sheet, Style},
        review::{
            Check, Command, Phase, Right, View, command,
            words::{self, Row},
        },
        run::Card,
    },
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One route: how it is reached, what it means, who handles it.
pub struct Route {
    pub id: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub summary: &'static str,
    pub query: &'static [(&'static str, &'static [&'static str])],
    pub body: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub status: StatusCode,
    pub media: &'static str,
    pub answers: &'static str,
    pub handler: MethodRouter<App>,
}

impl Route {
    pub(super) fn get(id: &'static str, path: &'static str, summary: &'static str, answers: &'static str, handler: MethodRouter<App>) -> Self {
        Self { id, method: "get", path, summary, query: &[], body: None, status: StatusCode::OK, media: JSON, answers, handler }
    }

    pub(super) fn post(id: &'static str, path: &'static str, summary: &'static str, status: StatusCode, answers: &'static str, handler: MethodRouter<App>) -> Self {
        Self { method: "post", status, ..Self::get(id, path, summary, answers, handler) }
    }

    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }
}

const JSON: &str = "application/json";
const MRS: &str = "/repos/{repo}/mrs";
const FORMATS: &[(&str, &[&str])] = &[("format", &["text", "json", "markdown"]), ("color", &["true", "false"])];

/// Every route.
pub fn routes() -> Vec<Route> {
    changes().into_iter().chain(drift::routes()).chain(edits::routes()).chain(previews::routes()).collect()
}

fn changes() -> Vec<Route> {
    const OK: StatusCode = StatusCode::OK;
    const SENT: StatusCode = StatusCode::ACCEPTED;
    vec![
        Route::get("me", "/me", "Says who the token belongs to.", "the user's name", get(me)),
        Route::get("status", "/status", "Says how the server is: version, halt, changes by phase.", "counts", get(status)),
        Route::post("halt", "/halt", "Stops new writes of all changes at their next safe point.", OK, "the state of the halt", post(halt)),
        Route { method: "delete", ..Route::get("lift_halt", "/halt", "Lifts the halt.", "the state of the halt", delete(lift_halt)) },
        Route::get("list_repos", "/repos", "Lists the repositories you may see.", "name, governed branch, your right", get(repos)),
        Route::get("list_changes", "/changes", "Lists every change you may see, oldest first.", "cards: repository, number, phase, title, what it waits for", get(list_all)),
        Route::get("list_mrs", MRS, "Lists the changes of a repository, oldest first.", "cards", get(list)),
        Route::post("open_mr", MRS, "Opens a merge request.", StatusCode::CREATED, "its number and where its page is", post(open)).takes::<OpenMr>(),
        Route::get(
            "show_mr",
            "/repos/{repo}/mrs/{number}",
            "Shows everything about a change.",
            "phase, reasons, digest, plan, step states, statuses, comments (version 1)",
            get(show),
        ),
        Route { query: FORMATS, ..Route::get("plan", "/repos/{repo}/mrs/{number}/plan", "Shows the plan.", "the plan in the format asked for, text by default", get(plan)) },
        Route {
            query: FORMATS,
            ..Route::get("way_back", "/repos/{repo}/mrs/{number}/way-back", "Shows the forecast of the way back.", "a plan in the format asked for", get(way_back))
        },
        Route { media: "text/plain", ..Route::get("graph", "/repos/{repo}/mrs/{number}/graph", "Draws the plan's order.", "a Mermaid flowchart", get(graph)) },
        Route::get("journal", "/repos/{repo}/mrs/{number}/journal", "Shows the change's journal, oldest first.", "events", get(journal)),
        Route::get(
            "journal_rows",
            "/repos/{repo}/mrs/{number}/journal/rows",
            "Shows the journal in words, oldest first; what repeats stands once.",
            "rows: number, time, person, what happened, how often, last time",
            get(journal_rows),
        ),
        Route {
            media: "text/event-stream",
            ..Route::get("events", "/repos/{repo}/mrs/{number}/events", "Follows a change.", "an event `change` now and after every turn", get(sse::events))
        },
        Route::post("comment", "/repos/{repo}/mrs/{number}/comments", "Comments; `/trueup` commands in it are heard.", StatusCode::CREATED, "its id", post(comment))
            .takes::<NewComment>(),
        Route::post("approve", "/repos/{repo}/mrs/{number}/approve", "Approves the plan of a digest, or some steps of it.", SENT, "what was approved", post(approve))
            .takes::<Approve>(),
        Route::post("command", "/repos/{repo}/mrs/{number}/commands", "Says a command, as `/trueup …` in a comment does.", SENT, "what was understood", post(say)).takes::<Say>(),
        Route::post("close", "/repos/{repo}/mrs/{number}/close", "Closes the merge request; nothing is undone.", OK, "nothing more", post(close)),
        Route::post("reopen", "/repos/{repo}/mrs/{number}/reopen", "Opens it again.", OK, "nothing more", post(reopen)),
        Route::post("draft", "/repos/{repo}/mrs/{number}/draft", "Makes it a draft: it is planned and does not start.", OK, "nothing more", post(draft)),
        Route::post("ready", "/repos/{repo}/mrs/{number}/ready", "Makes a draft ready.", OK, "nothing more", post(ready)),
        Route::post("set_status", "/repos/{repo}/statuses/{commit}", "Sets another program's status on a head, as CI does.", StatusCode::CREATED, "nothing more", post(set_status))
            .takes::<NewStatus>(),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OpenMr {
    /// The branch to merge.
    source: String,
    /// The branch to merge into; the repository's governed branch when absent.
    target: Option<String>,
    title: String,
    /// A draft is planned and does not start.
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    reviewers: Vec<String>,
    /// Markdown; `Depends-On: !7` holds it until that one is merged.
    #[serde(default)]
    description: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewComment {
    /// Markdown.
    body: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Approve {
    /// The digest that was read, or its first twelve hex digits or more; the plan shown last when absent.
    digest: Option<String>,
    /// Only these steps; all when empty.
    #[serde(default)]
    steps: Vec<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Say {
    /// The command without `/trueup`: `pause`, `skip 3 the name server is gone`.
    command: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    /// The status's name: `ci/lint`.
    context: String,
    state: NewState,
    /// One line about it, shown beside it.
    #[serde(default)]
    description: Option<String>,
    /// Where the program tells more, shown beside it.
    #[serde(default)]
    target_url: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NewState {
    Pending,
    Success,
    Failure,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Text,
    Json,
    Markdown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    format: Format,
    /// Text with colours for a terminal.
    #[serde(default)]
    color: bool,
}

async fn me(Person(by): Person) -> Json<Value> {
    Json(json!({ "user": by }))
}

async fn status(State(app): State<App>, Person(by): Person) -> Result<Json<Value>, Fault> {
    let mut phases: BTreeMap<Phase, u32> = BTreeMap::new();
    for card in visible(&app, &by, None).await? {
        *phases.entry(card.phase).or_default() += 1;
    }
    let phases: BTreeMap<&str, u32> = phases.into_iter().map(|(phase, n)| (phase.as_str(), n)).collect();
    Ok(Json(json!({ "version": env!("CARGO_PKG_VERSION"), "user": by, "halted": app.service.is_halted(), "changes": phases })))
}

async fn halt(State(app): State<App>, Person(by): Person) -> Result<Json<Value>, Fault> {
    set_halt(&app, &by, true).await
}

async fn lift_halt(State(app): State<App>, Person(by): Person) -> Result<Json<Value>, Fault> {
    set_halt(&app, &by, false).await
}

async fn set_halt(app: &App, by: &User, on: bool) -> Result<Json<Value>, Fault> {
    app.service.halt(by, on).await?;
    Ok(Json(json!({ "halted": on })))
}

/// The cards of what a person may see.
pub(super) async fn visible(app: &App, by: &User, only: Option<&RepoId>) -> Result<Vec<Card>, Fault> {
    let mut may: BTreeMap<RepoId, bool> = BTreeMap::new();
    let mut cards = Vec::new();
    for card in app.service.list().await? {
        if only.is_some_and(|only| *only != card.mr.repo) {
            continue;
        }
        let repo = card.mr.repo.clone();
        let sees = match may.get(&repo) {
            Some(sees) => *sees,
            None => {
                let sees = app.service.right(by, &repo).await.is_ok_and(|right| right >= Right::Read);
                may.insert(repo, sees);
                sees
            }
        };
        if sees {
            cards.push(card);
        }
    }
    Ok(cards)
}

/// A card as programs read it.
#[derive(Serialize)]
struct CardRow {
    repo: RepoId,
    number: u64,
    phase: Phase,
    title: String,
    draft: bool,
    waits_for: String,
    head: Option<CommitId>,
    /// RFC 3339.
    updated: String,
}

impl From<Card> for CardRow {
    fn from(card: Card) -> Self {
        let Card { mr, phase, title, draft, waits_for, head, base: _, next_wake: _, outstanding: _, ahead: _, overdue: _, updated } = card;
        Self { repo: mr.repo, number: mr.number, phase, title, draft, waits_for, head, updated: updated.to_string() }
    }
}

fn rows(cards: Vec<Card>) -> Json<Value> {
    let rows: Vec<CardRow> = cards.into_iter().map(CardRow::from).collect();
    Json(json!({ "version": 1, "changes": rows }))
}

async fn repos(State(app): State<App>, Person(by): Person) -> Result<Json<Value>, Fault> {
    let (mut rows, mut unknown) = (Vec::new(), None);
    for (name, repository) in &app.service.world().repositories {
        // A forge that is away hides its own repositories from whom nobody else knows, and no others.
        let right = match app.service.right_for(&by, name, Right::Read, false).await {
            Ok(right) => right,
            Err(error) => {
                unknown = Some(error);
                continue;
            }
        };
        if right >= Right::Read {
            rows.push(json!({ "name": name, "branch": repository.governed.said(), "right": right }));
        }
    }
    // That there are none is said only where it is known.
    match unknown {
        Some(error) if rows.is_empty() => Err(error.into()),
        Some(_) | None => Ok(Json(json!({ "version": 1, "repos": rows }))),
    }
}

async fn list_all(State(app): State<App>, Person(by): Person) -> Result<Json<Value>, Fault> {
    Ok(rows(visible(&app, &by, None).await?))
}

async fn list(State(app): State<App>, Person(by): Person, InRepo(repo): InRepo) -> Result<Json<Value>, Fault> {
    app.reads(&by, &repo).await?;
    Ok(rows(visible(&app, &by, Some(&repo)).await?))
}

async fn open(State(app): State<App>, Person(by): Person, InRepo(repo): InRepo, Body(new): Body<OpenMr>) -> Result<Response, Fault> {
    app.reads(&by, &repo).await?;
    let OpenMr { source, target, title, draft, reviewers, description } = new;
    let governed = app.service.world().repositories.get(&repo).map(|known| known.governed.said().to_string());
    let target = target.or(governed).ok_or_else(|| Fault::unseen("such repository"))?;
    let mr = app.service.open(&by, &repo, NewMr { title, source, target, draft, reviewers: reviewers.into_iter().map(User::new).collect(), description }).await?;
    let page = crate::core::review::Links::new(&app.service.world().url, &mr).change();
    let answer = Json(json!({ "version": 1, "repo": mr.repo, "number": mr.number, "url": page }));
    Ok((StatusCode::CREATED, [(header::LOCATION, page)], answer).into_response())
}

async fn show(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Json<Value>, Fault> {
    app.reads(&by, &mr.repo).await?;
    let page = app.service.page(&mr).await?;
    let mut change = app.service.view(&mr).await?.json();
    change["state"] = json!(page.state);
    change["reviewers"] = json!(page.reviewers);
    change["labels"] = json!(page.labels);
    change["description"] = json!(page.description);
    change["comments"] =
        page.comments.iter().map(|row| json!({ "id": row.id, "by": row.by, "at": row.at.to_string(), "to": row.to, "sticky": row.sticky, "body": row.body })).collect();
    change["all_statuses"] = json!(page.statuses);
    Ok(Json(change))
}

async fn viewed(app: &App, by: &User, mr: &MrId) -> Result<View, Fault> {
    app.reads(by, &mr.repo).await?;
    Ok(app.service.view(mr).await?)
}

fn no_plan(view: &View) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, format!("{} has no plan: it is {}", view.mr, view.phase), view.waits_for.clone())
}

async fn plan(State(app): State<App>, Person(by): Person, At(mr): At, asked: Result<Query<Asked>, QueryRejection>) -> Result<Response, Fault> {
    let view = viewed(&app, &by, &mr).await?;
    let sheet = view.sheet().ok_or_else(|| no_plan(&view))?;
    paper(&sheet, asked)
}

async fn way_back(State(app): State<App>, Person(by): Person, At(mr): At, asked: Result<Query<Asked>, QueryRejection>) -> Result<Response, Fault> {
    let view = viewed(&app, &by, &mr).await?;
    let back = view.way_back.clone().ok_or_else(|| no_plan(&view))?;
    paper(&Sheet::new(&back, &view.kinds).sensitive(&view.sensitive), asked)
}

fn paper(sheet: &Sheet<'_>, asked: Result<Query<Asked>, QueryRejection>) -> Result<Response, Fault> {
    let Query(Asked { format, color }) =
        asked.map_err(|error| Fault::invalid(error.body_text().to_lowercase(), "ask with ?format=text, json or markdown, and color=true or false"))?;
    Ok(match format {
        Format::Text => text("text/plain", render::text(sheet, Style { color, width: 0 })),
        Format::Json => Json(render::json(sheet)).into_response(),
        Format::Markdown => text("text/markdown", render::markdown(sheet)),
    })
}

fn text(media: &str, body: String) -> Response {
    ([(header::CONTENT_TYPE, format!("{media}; charset=utf-8"))], body).into_response()
}

async fn graph(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Response, Fault> {
    let view = viewed(&app, &by, &mr).await?;
    let sheet = view.sheet().ok_or_else(|| no_plan(&view))?;
    Ok(text("text/plain", render::mermaid(&sheet, &|id| view.step(id).map(|step| step.state()))))
}

async fn journal(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Json<Value>, Fault> {
    app.reads(&by, &mr.repo).await?;
    Ok(Json(json!(app.service.journal(&mr).await?)))
}

async fn journal_rows(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Json<Value>, Fault> {
    app.reads(&by, &mr.repo).await?;
    let rows: Vec<Value> = words::journal(&app.service.journal(&mr).await?)
        .into_iter()
        .map(|Row { seq, at, who, text, times, until }| {
            let time = |at: Option<crate::core::model::Time>| at.map(|at| at.to_string());
            json!({ "seq": seq, "at": time(at), "who": who, "text": text, "times": times, "until": time(until) })
        })
        .collect();
    Ok(Json(json!({ "version": 1, "rows": rows })))
}

async fn comment(State(app): State<App>, Person(by): Person, At(mr): At, Body(new): Body<NewComment>) -> Result<Response, Fault> {
    app.reads(&by, &mr.repo).await?;
    let id = app.service.comment(&by, &mr, &new.body).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

/// Says one command, after the checks whose answer a program wants at once; the change judges again.
async fn tell(app: &App, by: &User, mr: &MrId, command: Command) -> Result<Response, Fault> {
    let right = app.service.right_for(by, &mr.repo, command.needs(), command.stops()).await?;
    if right < command.needs() {
        let verb = command.verb();
        return Err(Fault::new(StatusCode::FORBIDDEN, format!("{by} may not {verb} in {}", mr.repo), "ask somebody who may, or an admin of the repository for the right"));
    }
    let said = json!(command);
    let answer = app.service.command(by, mr, command).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "said": said, "answer": answer.to_string() }))).into_response())
}

async fn approve(State(app): State<App>, Person(by): Person, At(mr): At, Body(what): Body<Approve>) -> Result<Response, Fault> {
    app.sees(&by, &mr).await?;
    let view = app.service.view(&mr).await?;
    let shown = view.digest.ok_or_else(|| no_plan(&view))?.to_string();
    let digest = what.digest.unwrap_or_else(|| shown.clone()).to_ascii_lowercase();
    if digest.len() < 12 {
        return Err(Fault::invalid(format!("`{digest}` is too short to name a plan"), "give at least twelve hex digits of the digest"));
    }
    if !shown.starts_with(&digest) {
        let error = format!("the plan shown now is {}, not {digest}", &shown[..12]);
        return Err(Fault::new(StatusCode::CONFLICT, error, "read the plan as it is now and approve that digest"));
    }
    if view.pushers.contains(&by) {
        return Err(Fault::new(StatusCode::FORBIDDEN, format!("{by} wrote or pushed commits of {mr} and so cannot approve it"), "ask another approver"));
    }
    // The whole digest, so that what was checked here is what is approved, whatever is planned meanwhile.
    tell(&app, &by, &mr, Command::Approve { digest: Some(shown), steps: what.steps.into_iter().map(StepId).collect() }).await
}

async fn say(State(app): State<App>, Person(by): Person, At(mr): At, Body(what): Body<Say>) -> Result<Response, Fault> {
    app.sees(&by, &mr).await?;
    let words = what.command.trim();
    let advice = "say one command, without `/trueup`: `help` lists them";
    let mut commands = if words.contains('\n') { Vec::new() } else { command::parse(&format!("/trueup {words}")) };
    match (commands.pop(), commands.is_empty()) {
        (Some(Command::Unknown { text, nearest }), true) => {
            let error = format!("`{text}` is no command");
            Err(Fault::invalid(error, nearest.map_or_else(|| advice.to_owned(), |nearest| format!("did you mean `{nearest}`?"))))
        }
        (Some(command), true) => tell(&app, &by, &mr, command).await,
        (Some(_), false) | (None, _) => Err(Fault::invalid("this is not one command", advice)),
    }
}

async fn close(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Json<Value>, Fault> {
    app.sees(&by, &mr).await?;
    app.service.close(&by, &mr).await?;
    Ok(Json(json!({})))
}

async fn reopen(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Json<Value>, Fault> {
    app.sees(&by, &mr).await?;
    app.service.reopen(&by, &mr).await?;
    Ok(Json(json!({})))
}

async fn draft(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Json<Value>, Fault> {
    app.sees(&by, &mr).await?;
    app.service.set_draft(&by, &mr, true).await?;
    Ok(Json(json!({})))
}

async fn ready(State(app): State<App>, Person(by): Person, At(mr): At) -> Result<Json<Value>, Fault> {
    app.sees(&by, &mr).await?;
    app.service.set_draft(&by, &mr, false).await?;
    Ok(Json(json!({})))
}

async fn set_status(State(app): State<App>, Person(by): Person, Path((repo, commit)): Path<(String, String)>, Body(new): Body<NewStatus>) -> Result<Response, Fault> {
    let repo = RepoId::new(repo);
    app.reads(&by, &repo).await?;
    if !matches!(commit.len(), 40 | 64) || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::invalid(format!("`{commit}` is not a whole commit id"), "give all hex digits: `git rev-parse HEAD`"));
    }
    if new.context.is_empty() || new.context.starts_with("trueup/") {
        return Err(Fault::invalid(format!("`{}` cannot be a status of others", new.context), "statuses below `trueup/` are the server's own; choose another name"));
    }
    let check = match new.state {
        NewState::Pending => Check::Pending,
        NewState::Success => Check::Success,
        NewState::Failure => Check::Failure,
    };
    let about: Vec<&str> = [&new.description, &new.target_url].into_iter().flatten().map(String::as_str).filter(|text| !text.is_empty()).collect();
    app.service.set_check(&by, &repo, &CommitId::new(commit.to_ascii_lowercase()), &new.context, check, &about.join(" ")).await?;
    Ok((StatusCode::CREATED, Json(json!({}))).into_response())
}
