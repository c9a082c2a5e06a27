//! How requests are read and answered: JSON with bounds in, JSON out, every error with advice.

use super::router::App;
use crate::{
    app::service::{ServiceError, ServiceErrorKind},
    core::model::{MrId, RepoId},
};
use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// Why a request was not done: what is wrong, and what to do.
#[derive(Debug)]
pub struct Fault {
    pub status: StatusCode,
    pub error: String,
    pub advice: String,
}

/// The body of every error.
#[derive(Serialize, JsonSchema)]
pub struct FaultBody {
    /// What is wrong.
    pub error: String,
    /// What to do next.
    pub advice: String,
}

impl Fault {
    pub fn new(status: StatusCode, error: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status, error: error.into(), advice: advice.into() }
    }

    pub fn invalid(error: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, advice)
    }

    /// What is not there and what may not be seen look the same.
    pub fn unseen(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("no {what} here, or you may not see it"), "check the name, or ask an admin of the repository")
    }
}

impl From<ServiceError> for Fault {
    fn from(ServiceError { kind, what }: ServiceError) -> Self {
        let (status, otherwise) = match kind {
            ServiceErrorKind::NotFound => (StatusCode::NOT_FOUND, "check the name and the number"),
            ServiceErrorKind::Denied => (StatusCode::FORBIDDEN, "ask an admin of the repository"),
            ServiceErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "change the request"),
            ServiceErrorKind::Conflict => (StatusCode::CONFLICT, "look at what is there now and try again"),
            ServiceErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "try again later"),
        };
        // Fragments of the house say what is wrong, a semicolon, and what to do.
        match what.split_once("; ") {
            Some((error, advice)) => Self::new(status, error, advice),
            None => Self::new(status, what.trim_end_matches('.'), otherwise),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self { status, error, advice } = self;
        (status, Json(FaultBody { error, advice })).into_response()
    }
}

/// A JSON body of a known shape; unknown fields are refused by the shapes themselves.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let bytes = Bytes::from_request(request, app).await.map_err(|error: BytesRejection| {
            let advice = if error.status() == StatusCode::PAYLOAD_TOO_LARGE { "send less; what is large belongs into the repository" } else { "send the request again" };
            Fault::new(error.status(), error.body_text().to_lowercase(), advice)
        })?;
        // No body at all means every field has its default.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| Fault::invalid(format!("the body is not what is expected here: {error}"), "see /api/v1/openapi.json for its shape"))
    }
}

/// The repository that the path names.
pub struct InRepo(pub RepoId);

impl FromRequestParts<App> for InRepo {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let Path((repo,)) = Path::<(String,)>::from_request_parts(parts, app).await.map_err(|_| Fault::unseen("such repository"))?;
        Ok(Self(RepoId::new(repo)))
    }
}

/// The merge request that the path names.
pub struct At(pub MrId);

impl FromRequestParts<App> for At {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let Path((repo, number)) = Path::<(String, u64)>::from_request_parts(parts, app).await.map_err(|_| Fault::unseen("such merge request"))?;
        Ok(Self(MrId { repo: RepoId::new(repo), number }))
    }
}
