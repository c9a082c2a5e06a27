//! What carries octocrab's requests: the connection that all network forges share, with its pace, tags, limits and errors.

use crate::forges::net::{Answer, Client, NetError, Weight};
use octocrab::OctoBody;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The longest body of ours: a comment of 65,536 characters, each escaped.
const BODY: usize = 1 << 20;

type Request = hyper::Request<OctoBody>;
type Response = hyper::Response<OctoBody>;

/// What a request carries beside its body: how heavy it is; none: it asks.
#[derive(Clone, Copy, Debug)]
pub struct Carried(pub Option<Weight>);

/// What came of a request, beside the status that octocrab looks at.
#[derive(Clone, Debug)]
pub struct Came(pub Result<Answer, NetError>);

/// A service of tower's over one client.
#[derive(Clone)]
pub struct Transport(pub Arc<Client>);

impl tower::Service<Request> for Transport {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // A token that octocrab asks for by itself is a small write.
            let asks = head.method == reqwest::Method::GET;
            let weight = head.extensions.get::<Carried>().map_or((!asks).then_some(Weight::Status), |carried| carried.0);
            let mut headers = HeaderMap::new();
            for name in [AUTHORIZATION, reqwest::header::CONTENT_TYPE] {
                headers.extend(head.headers.get(&name).map(|value| (name, value.clone())));
            }
            let came = match axum::body::to_bytes(axum::body::Body::new(body), BODY).await {
                Ok(body) => {
                    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
                    client.carry(weight, head.method, path, headers, body.to_vec()).await
                }
                Err(error) => Err(NetError::new(crate::ports::ForgeErrorKind::Invalid, format!("the request is too long: {error}"))),
            };
            let (status, body) = match &came {
                Ok(answer) => (answer.status, answer.body.to_vec()),
                Err(error) => (error.status.unwrap_or(503), Vec::new()),
            };
            let mut response = Response::new(body.into());
            // A status that is none was never sent by a forge.
            *response.status_mut() = reqwest::StatusCode::from_u16(status).unwrap_or(reqwest::StatusCode::BAD_GATEWAY);
            response.extensions_mut().insert(Came(came));
            Ok(response)
        })
    }
}
