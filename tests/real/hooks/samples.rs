//! Payloads in the shape that GitLab's documentation and Gitea's source give them, written by hand and cut to what tells.

use serde_json::{Value, json};

pub const TIP: &str = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";
const OLD: &str = "95790bf891e76fee5e1747ab589903a6a1f80f22";

/// GitLab's project, as it stands in every payload.
fn project() -> Value {
    json!({ "id": 15, "name": "dns", "namespace": "Platform", "path_with_namespace": "platform/dns", "default_branch": "main", "web_url": "http://example.com/platform/dns" })
}

/// GitLab: somebody pushed a branch.
pub fn gitlab_push() -> Value {
    json!({
        "object_kind": "push", "event_name": "push", "before": OLD, "after": TIP, "ref": "refs/heads/feature/www", "checkout_sha": TIP,
        "user_id": 4, "user_name": "Ann Example", "user_username": "ann", "project_id": 15, "project": project(),
        "commits": [{ "id": TIP, "message": "dns: www moves", "timestamp": "2026-01-02T03:04:05+00:00", "author": { "name": "Somebody Else", "email": "else@example.com" } }],
        "total_commits_count": 1,
    })
}

/// GitLab: a merge request's head moved.
pub fn gitlab_merge_request() -> Value {
    json!({
        "object_kind": "merge_request", "event_type": "merge_request", "user": { "id": 4, "name": "Ann Example", "username": "ann" }, "project": project(),
        "object_attributes": {
            "id": 99, "iid": 7, "target_branch": "main", "source_branch": "feature/www", "title": "www moves", "state": "opened", "action": "update", "oldrev": OLD,
            "created_at": "2026-01-02 03:00:00 UTC", "updated_at": "2026-01-02 03:04:05 UTC", "last_commit": { "id": TIP, "message": "dns: www moves" },
        },
        "labels": [], "changes": {},
    })
}

/// GitLab: somebody commented on a merge request.
pub fn gitlab_note() -> Value {
    json!({
        "object_kind": "note", "event_type": "note", "user": { "username": "bob" }, "project": project(),
        "object_attributes": { "id": 1244, "note": "/trueup approve", "noteable_type": "MergeRequest", "created_at": "2026-01-02 03:04:05 UTC", "updated_at": "2026-01-02 03:04:05 UTC" },
        "merge_request": { "id": 99, "iid": 7, "source_branch": "feature/www" },
    })
}

/// GitLab: somebody commented on an issue.
pub fn gitlab_note_on_an_issue() -> Value {
    let mut note = gitlab_note();
    note["object_attributes"]["noteable_type"] = json!("Issue");
    note
}

/// GitLab: a pipeline ended.
pub fn gitlab_pipeline() -> Value {
    json!({
        "object_kind": "pipeline", "project": project(), "user": { "username": "ann" },
        "object_attributes": { "id": 31, "iid": 3, "ref": "feature/www", "sha": TIP, "status": "success", "created_at": "2026-01-02 03:03:05 UTC", "finished_at": "2026-01-02 03:04:05 UTC" },
    })
}

/// GitLab's system hook: a project got another name.
pub fn gitlab_rename() -> Value {
    json!({ "event_name": "project_rename", "created_at": "2026-01-02T03:00:00Z", "updated_at": "2026-01-02T03:04:05Z", "path_with_namespace": "platform/names", "old_path_with_namespace": "platform/dns" })
}

/// Gitea's repository, as it stands in every payload.
fn repository() -> Value {
    json!({ "id": 1, "name": "dns", "full_name": "platform/dns", "default_branch": "main", "updated_at": "2026-01-02T03:04:05Z" })
}

/// Gitea: somebody pushed a branch.
pub fn gitea_push() -> Value {
    json!({
        "ref": "refs/heads/feature/www", "before": OLD, "after": TIP, "commits": [], "total_commits": 1, "repository": repository(),
        "pusher": { "id": 4, "login": "ann", "username": "ann" }, "sender": { "id": 4, "login": "ann", "username": "ann" },
    })
}

/// Gitea: a pull request's head moved.
pub fn gitea_pull_request(number: u64, tip: &str) -> Value {
    json!({
        "action": "synchronized", "number": number, "repository": repository(), "sender": { "login": "ann", "username": "ann" },
        "pull_request": { "id": 3, "number": number, "updated_at": "2026-01-02T03:04:05Z", "head": { "label": "feature/www", "ref": "feature/www", "sha": tip } },
    })
}

/// Gitea: a pull request was approved.
pub fn gitea_review() -> Value {
    json!({
        "action": "reviewed", "number": 7, "repository": repository(), "sender": { "login": "bob" }, "review": { "type": "pull_request_review_approved", "content": "" },
        "pull_request": { "id": 3, "number": 7, "updated_at": "2026-01-02T03:04:05Z", "head": { "label": "feature/www", "ref": "feature/www", "sha": TIP } },
    })
}

/// Gitea: somebody commented.
pub fn gitea_comment(is_pull: bool) -> Value {
    json!({
        "action": "created", "is_pull": is_pull, "issue": { "id": 3, "number": 7, "pull_request": null }, "repository": repository(), "sender": { "login": "bob" },
        "comment": { "id": 5, "body": "/trueup approve", "updated_at": "2026-01-02T03:04:05Z" },
    })
}

/// Gitea: a status was set on a commit.
pub fn gitea_status(context: &str) -> Value {
    json!({ "id": 2, "sha": TIP, "context": context, "state": "success", "created_at": "2026-01-02T03:04:05Z", "updated_at": null, "repository": repository(), "sender": { "login": "ci" } })
}
