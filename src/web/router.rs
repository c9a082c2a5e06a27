//! The whole HTTP surface: API, pages, live updates, health and numbers, under one set of bounds.

use super::{
    answer::Fault,
    api,
    auth::{Sessions, Tokens},
    health,
    hooks::{self, Hooks},
    metrics, openapi, site,
};
use crate::{
    app::{
        ci::SignIns,
        config::Limits,
        hooks::Reception,
        service::{Service, ServiceError, ServiceErrorKind},
    },
    core::{
        model::{MrId, RepoId, User},
        review::Right,
    },
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::Response,
    routing::{get, post},
};
use std::sync::Arc;
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    trace::TraceLayer,
};

/// What every handler may reach. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub service: Service,
    pub people: Arc<dyn Tokens>,
    /// What jobs of CI sign in with.
    pub jobs: Arc<SignIns>,
    pub sessions: Arc<Sessions>,
    pub hooks: Arc<Hooks>,
}

impl App {
    /// Whether a person may read a repository; one that is not there and one that may not be seen look the same.
    pub async fn reads(&self, by: &User, repo: &RepoId) -> Result<(), Fault> {
        match self.service.right_for(by, repo, Right::Read, false).await {
            Ok(right) if right >= Right::Read => Ok(()),
            Ok(_) | Err(ServiceError { kind: ServiceErrorKind::NotFound, what: _ }) => Err(Fault::unseen("such repository")),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a person may read a merge request.
    pub async fn sees(&self, by: &User, mr: &MrId) -> Result<(), Fault> {
        self.reads(by, &mr.repo).await?;
        self.service.known(mr).await?;
        Ok(())
    }
}

/// Builds the surface. Pushes over HTTP are served beside it, with bounds of their own.
pub fn router(service: Service, people: Arc<dyn Tokens>, jobs: Arc<SignIns>, reception: Arc<Reception>, limits: &Limits) -> Router {
    metrics::start();
    let app = App { service, people, jobs, sessions: Arc::default(), hooks: Arc::new(Hooks::new(reception, limits)) };
    let mut router = Router::new().route("/api/v1/openapi.json", get(async || Json(openapi::document(&api::routes()))));
    for route in api::routes() {
        router = router.route(&format!("/api/v1{}", route.path), route.handler);
    }
    let id = HeaderName::from_static("x-request-id");
    router
        .merge(site::routes())
        .route("/hooks/{forge}", post(hooks::receive))
        .route("/metrics", get(metrics::show))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(site::nothing_here)
        .method_not_allowed_fallback(async || Fault::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here", "see /api/v1/openapi.json for what can"))
        .with_state(app)
        .layer(DefaultBodyLimit::max(usize::try_from(limits.request_bytes).unwrap_or(usize::MAX)))
        .layer(middleware::map_response(guard))
        .layer(middleware::from_fn(metrics::count))
        .layer(PropagateRequestIdLayer::new(id.clone()))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetRequestIdLayer::new(id, MakeRequestUuid))
}

/// One span a request, so that every log line of it carries the id that the answer carries.
fn span(request: &Request) -> tracing::Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    tracing::debug_span!("request", method = %request.method(), path = request.uri().path(), id)
}

/// What no answer of ours ever needs, browsers shall not do.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // What a person may see today they may not tomorrow.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
