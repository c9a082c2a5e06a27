//! Numbers for Prometheus: requests as they are served, changes by phase as they are when asked.

use super::{answer::Fault, router::App};
use crate::core::review::Phase;
use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{collections::BTreeMap, sync::OnceLock, time::Instant};

/// From a cached page to a plan that is rendered whole.
const SECONDS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

/// The process has one recorder, however many servers run in it (tests run several).
fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        // The bounds are not empty, which is the only thing that could be wrong with them; without bounds it is a summary.
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // An application that embeds us may have a recorder of its own; then ours stays empty and theirs has the numbers.
        let _ = metrics::set_global_recorder(recorder);
        metrics::describe_counter!("trueup_http_requests_total", "Requests served, by route, method and status.");
        metrics::describe_histogram!("trueup_http_request_seconds", metrics::Unit::Seconds, "Time to the first byte of an answer, by route.");
        metrics::describe_gauge!("trueup_changes", "Changes by phase.");
        metrics::describe_gauge!("trueup_workers", "Running workers, one a change; those of changes that are over end.");
        metrics::describe_gauge!("trueup_drift", "Drifted resources that no override covers, as the sweep last saw them.");
        metrics::describe_gauge!("trueup_drift_unread_parts", "Parts that the sweep could not look at.");
        metrics::describe_gauge!("trueup_drift_swept_timestamp_seconds", "When the last whole sweep ended.");
        metrics::describe_gauge!("trueup_overrides", "Overrides that stand; `ending` are those whose end was announced.");
        metrics::describe_gauge!("trueup_overdue_claims", "Changes that hold claims, do nothing, and whose owners were called.");
        metrics::describe_gauge!("trueup_halted", "1 while writes are halted.");
        metrics::describe_gauge!("trueup_replicas", "Replicas whose session with the shared store stands; absent where the store is embedded.");
        metrics::describe_counter!("trueup_webhook_deliveries_total", "Webhook deliveries, by forge and by what became of them.");
        metrics::describe_histogram!(
            "trueup_news_late_seconds",
            metrics::Unit::Seconds,
            "From when something happened on a forge to when it was looked at, by how it was heard of."
        );
        metrics::describe_counter!("trueup_news_swept_total", "Merge requests of network forges that moved and that no webhook told of; the sweep found them.");
        metrics::describe_counter!("trueup_sweeps_total", "Sweeps that this replica made, by repository; `of` is the forge or drift.");
        metrics::describe_counter!("trueup_takeovers_total", "Open changes that this replica took over from another.");
        handle
    })
}

/// Starts counting.
pub fn start() {
    recorder();
}

/// Counts one request.
pub async fn count(request: Request, next: Next) -> Response {
    let started = Instant::now();
    // The pattern and not the path: names of repositories would make a series each.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    // The method is the client's own word: each invented one would make a series, too.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("trueup_http_requests_total", "route" => route.clone(), "method" => method, "status" => status).increment(1);
    metrics::histogram!("trueup_http_request_seconds", "route" => route).record(started.elapsed().as_secs_f64());
    response
}

/// `GET /metrics`.
pub async fn show(State(app): State<App>) -> Result<Response, Fault> {
    let mut phases: BTreeMap<Phase, u32> = Phase::ALL.into_iter().map(|phase| (phase, 0)).collect();
    let mut overdue = 0u32;
    for card in app.service.list().await? {
        overdue += u32::from(card.overdue);
        *phases.entry(card.phase).or_default() += 1;
    }
    metrics::gauge!("trueup_overdue_claims").set(overdue);
    for (phase, n) in phases {
        metrics::gauge!("trueup_changes", "phase" => phase.as_str()).set(n);
    }
    metrics::gauge!("trueup_workers").set(u32::try_from(app.service.workers()).unwrap_or(u32::MAX));
    metrics::gauge!("trueup_halted").set(u32::from(app.service.is_halted()));
    let overrides = app.service.overrides().await;
    let ending = overrides.standing().filter(|known| known.noticed).count();
    for (state, n) in [("standing", overrides.standing().count() - ending), ("ending", ending)] {
        metrics::gauge!("trueup_overrides", "state" => state).set(u32::try_from(n).unwrap_or(u32::MAX));
    }
    for ((repo, target), swept) in app.service.sweeps() {
        let of = [("repo", repo.to_string()), ("target", target.to_string())];
        // More drift than this is no finer number to anybody.
        metrics::gauge!("trueup_drift", &of).set(u32::try_from(swept.drifted()).unwrap_or(u32::MAX));
        metrics::gauge!("trueup_drift_unread_parts", &of).set(u32::try_from(swept.faults().count()).unwrap_or(u32::MAX));
        if let Some(ended) = swept.ended {
            metrics::gauge!("trueup_drift_swept_timestamp_seconds", &of).set(ended.0 as f64 / 1000.0);
        }
    }
    let handle = recorder();
    handle.run_upkeep();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response())
}
