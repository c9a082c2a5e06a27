//! What GitLab's documentation describes of the requests that are made: no package carries its OpenAPI file, so this table is written after its pages.

use serde_json::Value;
use std::collections::BTreeMap;

/// One described request: `:x` stands for any part.
struct Described {
    method: &'static str,
    path: &'static str,
    query: &'static [&'static str],
    /// Fields of the body; those that must be there end in `!`.
    body: &'static [&'static str],
}

const fn get(path: &'static str, query: &'static [&'static str]) -> Described {
    Described { method: "GET", path, query, body: &[] }
}

const fn write(method: &'static str, path: &'static str, body: &'static [&'static str]) -> Described {
    Described { method, path, query: &[], body }
}

const PAGE: [&str; 2] = ["page", "per_page"];

/// The pages are "Merge requests API", "Notes API", "Discussions API", "Merge request approvals API", "Commits API", "Branches API",
/// "Events API", "Users API", "Jobs API", "Protected branches API", "Project members API", "Resource label events API" and "Emoji reactions API", "Project webhooks API",
/// "Labels API", "Groups API", "Projects API", "Members API" and "Deployments API".
const ALL: [Described; 45] = [
    get("/groups/:id/projects", &["archived", "include_subgroups", "order_by", "search", "simple", "sort", "visibility", "with_shared"]),
    get("/user", &[]),
    get("/users", &["username", "active", "blocked", "search"]),
    get("/projects/:id", &["license", "statistics", "with_custom_attributes"]),
    get("/projects/:id/events", &["action", "target_type", "before", "after", "sort"]),
    get("/projects/:id/members/all/:user", &[]),
    get("/projects/:id/repository/branches/:branch", &[]),
    get("/projects/:id/repository/commits/:sha", &["stats"]),
    get("/projects/:id/repository/commits/:sha/statuses", &["ref", "stage", "name", "pipeline_id", "order_by", "sort", "all"]),
    write("POST", "/projects/:id/statuses/:sha", &["state!", "ref", "name", "context", "target_url", "description", "coverage", "pipeline_id"]),
    get(
        "/projects/:id/merge_requests",
        &[
            "approved_by_ids",
            "approver_ids",
            "author_id",
            "author_username",
            "created_after",
            "created_before",
            "draft",
            "iids[]",
            "labels",
            "merge_user_username",
            "milestone",
            "order_by",
            "reviewer_username",
            "scope",
            "search",
            "sort",
            "source_branch",
            "state",
            "target_branch",
            "updated_after",
            "updated_before",
            "view",
            "wip",
        ],
    ),
    write(
        "POST",
        "/projects/:id/merge_requests",
        &[
            "source_branch!",
            "target_branch!",
            "title!",
            "description",
            "labels",
            "assignee_id",
            "assignee_ids",
            "reviewer_ids",
            "milestone_id",
            "remove_source_branch",
            "squash",
            "allow_collaboration",
            "target_project_id",
        ],
    ),
    get("/projects/:id/merge_requests/:iid", &["include_diverged_commits_count", "include_rebase_in_progress", "render_html"]),
    write(
        "PUT",
        "/projects/:id/merge_requests/:iid",
        &[
            "add_labels",
            "remove_labels",
            "labels",
            "title",
            "description",
            "state_event",
            "target_branch",
            "squash",
            "remove_source_branch",
            "discussion_locked",
            "assignee_ids",
            "reviewer_ids",
            "milestone_id",
            "allow_collaboration",
        ],
    ),
    write("PUT", "/projects/:id/merge_requests/:iid/merge", &["sha", "squash", "merge_commit_message", "squash_commit_message", "should_remove_source_branch", "auto_merge"]),
    get("/projects/:id/merge_requests/:iid/commits", &[]),
    get("/projects/:id/merge_requests/:iid/versions", &[]),
    get("/projects/:id/merge_requests/:iid/approvals", &[]),
    get("/projects/:id/merge_requests/:iid/reviewers", &[]),
    get("/projects/:id/merge_requests/:iid/notes", &["sort", "order_by"]),
    get("/projects/:id/merge_requests/:iid/notes/:note", &[]),
    write("POST", "/projects/:id/merge_requests/:iid/notes", &["body!", "created_at", "internal", "merge_request_diff_head_sha"]),
    write("PUT", "/projects/:id/merge_requests/:iid/notes/:note", &["body!"]),
    write("DELETE", "/projects/:id/merge_requests/:iid/notes/:note", &[]),
    get("/projects/:id/merge_requests/:iid/discussions", &[]),
    get("/projects/:id/merge_requests/:iid/resource_label_events", &[]),
    get("/projects/:id/merge_requests/:iid/notes/:note/award_emoji", &[]),
    write("POST", "/projects/:id/merge_requests/:iid/notes/:note/award_emoji", &["name!"]),
    get("/projects/:id/jobs/:job", &[]),
    get("/projects/:id/protected_branches", &["search"]),
    get("/projects/:id/labels", &["search", "with_counts"]),
    write("POST", "/projects/:id/labels", &["name!", "color!", "description", "priority"]),
    write(
        "POST",
        "/projects/:id/protected_branches",
        &[
            "name!",
            "push_access_level",
            "merge_access_level",
            "unprotect_access_level",
            "allow_force_push",
            "allowed_to_push",
            "allowed_to_merge",
            "allowed_to_unprotect",
            "code_owner_approval_required",
        ],
    ),
    write(
        "PATCH",
        "/projects/:id/protected_branches/:branch",
        &["allow_force_push", "allowed_to_push", "allowed_to_merge", "allowed_to_unprotect", "code_owner_approval_required"],
    ),
    get("/projects/:id/deployments", &["environment", "status", "order_by", "sort", "updated_after", "updated_before", "finished_after", "finished_before"]),
    write("POST", "/projects/:id/deployments", &["environment!", "sha!", "ref!", "tag!", "status!"]),
    write("PUT", "/projects/:id/deployments/:deployment", &["status!"]),
    get("/projects/:id/hooks", &[]),
    write("POST", "/projects/:id/hooks", &HOOK),
    write("PUT", "/projects/:id/hooks/:hook", &HOOK),
    write("DELETE", "/projects/:id/hooks/:hook", &[]),
    // Of the many settings those that are set here.
    write("PUT", "/projects/:id", &["only_allow_merge_if_pipeline_succeeds", "only_allow_merge_if_all_discussions_are_resolved"]),
    get("/projects/:id/approvals", &[]),
    write(
        "POST",
        "/projects/:id/approvals",
        &[
            "reset_approvals_on_push",
            "disable_overriding_approvers_per_merge_request",
            "merge_requests_author_approval",
            "merge_requests_disable_committers_approval",
            "require_password_to_approve",
            "selective_code_owner_removals",
        ],
    ),
    get("/groups/:id/members", &["query", "user_ids", "skip_users"]),
];

/// The fields of a webhook.
const HOOK: [&str; 15] = [
    "url!",
    "token",
    "signing_token",
    "push_events",
    "push_events_branch_filter",
    "branch_filter_strategy",
    "merge_requests_events",
    "note_events",
    "pipeline_events",
    "job_events",
    "tag_push_events",
    "issues_events",
    "enable_ssl_verification",
    "name",
    "description",
];

/// What values some parameters may have.
const CHOICES: [(&str, &[&str]); 7] = [
    ("scope", &["created_by_me", "assigned_to_me", "reviews_for_me", "all"]),
    ("order_by", &["created_at", "updated_at", "title", "merged_at", "id"]),
    ("sort", &["asc", "desc"]),
    ("state", &["all", "opened", "closed", "locked", "merged", "pending", "running", "success", "failed", "canceled", "skipped"]),
    ("state_event", &["close", "reopen"]),
    ("action", &["approved", "closed", "commented", "created", "destroyed", "expired", "joined", "left", "merged", "pushed", "reopened", "updated"]),
    ("view", &["simple"]),
];

/// Holds a request against the documentation.
pub fn described(method: &str, path: &str, query: &BTreeMap<String, String>, body: &Value) -> Result<(), String> {
    let fits = |one: &&Described| {
        let (wanted, given): (Vec<&str>, Vec<&str>) = (one.path.split('/').collect(), path.split('/').collect());
        one.method == method && wanted.len() == given.len() && wanted.iter().zip(&given).all(|(wanted, given)| wanted == given || wanted.starts_with(':') && !given.is_empty())
    };
    let one = ALL.iter().filter(fits).min_by_key(|one| one.path.matches(':').count()).ok_or_else(|| format!("{method} {path} is not described"))?;
    let about = format!("{method} {}", one.path);
    if let Some(name) = query.keys().find(|name| !one.query.contains(&name.as_str()) && !PAGE.contains(&name.as_str())) {
        return Err(format!("{about} has no parameter `{name}`"));
    }
    let fields: Vec<(String, String)> = body.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    if let Some((name, _)) = fields.iter().find(|(name, _)| !one.body.iter().any(|known| known.trim_end_matches('!') == name)) {
        return Err(format!("{about} has no field `{name}`"));
    }
    if let Some(missing) = one.body.iter().filter_map(|known| known.strip_suffix('!')).find(|known| !fields.iter().any(|(name, _)| name == known)) {
        return Err(format!("{about} lacks its field `{missing}`"));
    }
    for (name, value) in query.iter().map(|(name, value)| (name.clone(), value.clone())).chain(fields) {
        if let Some((_, choices)) = CHOICES.iter().find(|(known, _)| *known == name)
            && !choices.contains(&value.as_str())
        {
            return Err(format!("{about}: `{name}` cannot be `{value}`"));
        }
    }
    Ok(())
}
