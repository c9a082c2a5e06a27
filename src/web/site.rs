//! The pages on the wire: who reads them, what their buttons send, signing in and out.

use super::{
    answer::{At, Fault},
    api,
    auth::{Person, same_site},
    pages::{self, Reader, Record},
    router::App,
};
use crate::core::{model::User, review::words};
use axum::{
    Router,
    extract::{Form, FromRequestParts, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use std::{collections::BTreeMap, time::Instant};

/// The routes of the pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(changes))
        .route("/changes", get(changes))
        .route("/changes/{repo}/{number}", get(change))
        .route("/changes/{repo}/{number}/command", post(command))
        .route("/changes/{repo}/{number}/comment", post(comment))
        .route("/drift", get(drift))
        .route("/drift/override", post(override_claim))
        .route("/drift/end", post(override_end))
        .route("/login", get(login).post(sign_in))
        .route("/logout", post(sign_out))
}

/// A page under the policy that lets only our own style and script run.
struct Page(StatusCode, String);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = (self.0, Html(self.1)).into_response();
        if let Ok(policy) = HeaderValue::from_str(&pages::content_security_policy()) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// Why there is no page: somebody must sign in first, or something is wrong.
enum NoPage {
    SignIn { next: String },
    Fault(Fault),
}

impl From<Fault> for NoPage {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl IntoResponse for NoPage {
    fn into_response(self) -> Response {
        match self {
            // A name in a path may hold any character, and as part of a query it is escaped once more.
            Self::SignIn { next } => Redirect::to(&format!("/login?next={}", next.replace('%', "%25").replace('&', "%26").replace('+', "%2B"))).into_response(),
            Self::Fault(Fault { status, error, advice }) => Page(status, pages::fault(status.as_u16(), &format!("{error}; {advice}"), &Reader::default())).into_response(),
        }
    }
}

/// Whoever is signed in in this browser.
struct Visitor(User);

impl FromRequestParts<App> for Visitor {
    type Rejection = NoPage;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NoPage> {
        match Person::from_request_parts(parts, app).await {
            Ok(Person(user)) => Ok(Self(user)),
            Err(fault) if fault.status == StatusCode::UNAUTHORIZED => {
                let path = parts.uri.path();
                let page = if path.starts_with("/drift/") { "/drift" } else { path.trim_end_matches("/command").trim_end_matches("/comment") };
                Err(NoPage::SignIn { next: page.to_owned() })
            }
            Err(fault) => Err(fault.into()),
        }
    }
}

fn reader(app: &App, by: User) -> Reader {
    Reader { who: Some(by), halted: app.service.is_halted() }
}

async fn changes(State(app): State<App>, Visitor(by): Visitor) -> Result<Page, NoPage> {
    let cards = api::visible(&app, &by, None).await?;
    Ok(Page(StatusCode::OK, pages::changes(&cards, &reader(&app, by))))
}

async fn drift(State(app): State<App>, Visitor(by): Visitor) -> Page {
    let (standing, ended) = super::drift::visible(&app, &by).await;
    let swept = super::drift::found(&app, &by).await;
    Page(StatusCode::OK, pages::drift(&swept, &standing, &ended, &reader(&app, by)))
}

/// Answers for what is live of a resource, as `trueup override claim` does; the page that comes back shows it.
async fn override_claim(State(app): State<App>, Visitor(by): Visitor, Form(fields): Form<BTreeMap<String, String>>) -> Result<Redirect, NoPage> {
    super::drift::claim_by_form(&app, &by, &fields).await?;
    Ok(Redirect::to("/drift"))
}

async fn override_end(State(app): State<App>, Visitor(by): Visitor, Form(fields): Form<BTreeMap<String, String>>) -> Result<Redirect, NoPage> {
    super::drift::end_by_form(&app, &by, &fields).await?;
    Ok(Redirect::to("/drift"))
}

/// One change, or with `?part=live` only what the page's script puts in the place of the old.
async fn change(State(app): State<App>, Visitor(by): Visitor, At(mr): At, Query(query): Query<BTreeMap<String, String>>) -> Result<Page, NoPage> {
    app.sees(&by, &mr).await?;
    let view = app.service.view(&mr).await.map_err(Fault::from)?;
    let journal = words::journal(&app.service.journal(&mr).await.map_err(Fault::from)?);
    let said = app.service.page(&mr).await.map_err(Fault::from)?;
    let record = Record { journal: &journal, comments: &said.comments, statuses: &said.statuses, description: &said.description, labels: &said.labels };
    let reader = reader(&app, by);
    let live = query.get("part").is_some_and(|part| part == "live");
    Ok(Page(StatusCode::OK, if live { pages::live(&view, record, &reader) } else { pages::change(&view, record, &reader) }))
}

/// A button: said to the change as a comment would be; the page that comes back shows what became of it.
async fn command(State(app): State<App>, Visitor(by): Visitor, At(mr): At, Form(fields): Form<Vec<(String, String)>>) -> Result<Redirect, NoPage> {
    app.sees(&by, &mr).await?;
    let command = pages::command(&fields).map_err(|error| match error.to_string().split_once("; ") {
        Some((error, advice)) => Fault::invalid(error, advice),
        None => Fault::invalid(error.to_string(), "go back and try again"),
    })?;
    app.service.command(&by, &mr, command).await.map_err(Fault::from)?;
    Ok(Redirect::to(&crate::core::review::Links::new("", &mr).change()))
}

/// A comment, heard like any other: commands in it are answered below it.
async fn comment(State(app): State<App>, Visitor(by): Visitor, At(mr): At, Form(fields): Form<BTreeMap<String, String>>) -> Result<Redirect, NoPage> {
    app.sees(&by, &mr).await?;
    app.service.comment(&by, &mr, fields.get("body").map_or("", String::as_str)).await.map_err(Fault::from)?;
    Ok(Redirect::to(&crate::core::review::Links::new("", &mr).change()))
}

/// What no route takes: programs get JSON, browsers a page with a way home.
pub async fn nothing_here(uri: Uri, headers: HeaderMap) -> Response {
    let fault = Fault::new(StatusCode::NOT_FOUND, "nothing here", "see /api/v1/openapi.json for what there is");
    let reads_pages = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"));
    if uri.path().starts_with("/api/") || !reads_pages {
        return fault.into_response();
    }
    Page(StatusCode::NOT_FOUND, pages::fault(404, "there is no such page here", &Reader::default())).into_response()
}

async fn login(Query(query): Query<BTreeMap<String, String>>) -> Page {
    Page(StatusCode::OK, pages::login(query.get("next").map_or("/", String::as_str), None))
}

async fn sign_in(State(app): State<App>, headers: HeaderMap, Form(fields): Form<BTreeMap<String, String>>) -> Result<Response, NoPage> {
    let next = pages::own_path(fields.get("next").map_or("/", String::as_str));
    if !same_site(&headers) {
        return Err(Fault::new(StatusCode::FORBIDDEN, "the request comes from another site", "sign in on the server's own page").into());
    }
    let user = fields.get("token").and_then(|token| app.people.by_token(token.trim()));
    let Some(user) = user else {
        return Ok(Page(StatusCode::UNAUTHORIZED, pages::login(next, Some("This server does not know the token; ask its operator for one."))).into_response());
    };
    let secure = app.service.world().url.starts_with("https://");
    let cookie = app.sessions.open(user, Instant::now(), secure)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    ([(header::SET_COOKIE, app.sessions.close(&headers))], Redirect::to("/login")).into_response()
}
