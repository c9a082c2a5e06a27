//! GitLab's payloads of project, group and system hooks: <https://docs.gitlab.com/user/project/integrations/webhook_events/>.

use super::{
    hint::{Push, Reading, RepositoryNews, Subject},
    read::{Unreadable, branch, commit, is_ours, json, time},
};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    object_kind: Option<String>,
    event_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    project: Option<Project>,
    user: Option<Account>,
    merge_request: Option<Numbered>,
    object_attributes: Option<Attributes>,
    #[serde(rename = "ref")]
    name: Option<String>,
    after: Option<String>,
    user_username: Option<String>,
    sha: Option<String>,
    build_name: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

#[derive(Deserialize)]
struct Account {
    username: Option<String>,
}

#[derive(Deserialize)]
struct Numbered {
    iid: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    iid: Option<u64>,
    action: Option<String>,
    noteable_type: Option<String>,
    source_branch: Option<String>,
    oldrev: Option<String>,
    last_commit: Option<Commit>,
    sha: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    finished_at: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

/// What system hooks and group hooks say of a project.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OfProject {
    path_with_namespace: Option<String>,
    old_path_with_namespace: Option<String>,
    updated_at: Option<String>,
}

pub(super) fn read(payload: &[u8]) -> Result<Reading, Unreadable> {
    let kind: Kind = json(payload)?;
    match (kind.object_kind.as_deref(), kind.event_name.as_deref()) {
        (Some(kind @ ("push" | "merge_request" | "note" | "pipeline" | "build")), _) => read_of_project(kind, payload),
        // System hooks name some events only here.
        (None, Some("push")) => read_of_project("push", payload),
        (_, Some(event @ ("project_rename" | "project_transfer" | "project_destroy" | "project_update" | "project_archive"))) => read_about_project(event, payload),
        _ => Ok(Reading::default()),
    }
}

fn read_about_project(event: &str, payload: &[u8]) -> Result<Reading, Unreadable> {
    let OfProject { path_with_namespace, old_path_with_namespace, updated_at } = json(payload)?;
    let news = match event {
        "project_rename" | "project_transfer" => RepositoryNews::Moved,
        "project_destroy" => RepositoryNews::Deleted,
        _ => RepositoryNews::Changed,
    };
    let projects = path_with_namespace.into_iter().chain(old_path_with_namespace).collect();
    Ok(Reading { projects, about: Some(Subject::Repository(news)), at: time(updated_at.as_deref()), push: None })
}

fn read_of_project(kind: &str, payload: &[u8]) -> Result<Reading, Unreadable> {
    let payload: Payload = json(payload)?;
    let missing = |what: &str| Unreadable(format!("the payload of `{kind}` has no `{what}`"));
    let of = payload.object_attributes.unwrap_or_default();
    let mut reading = Reading { projects: payload.project.map(|project| project.path_with_namespace).into_iter().collect(), ..Reading::default() };
    match kind {
        "push" => {
            let name = payload.name.as_deref().ok_or_else(|| missing("ref"))?;
            let by = payload.user_username.as_deref().map(Into::into).into_iter().collect();
            reading.about = branch(name).map(|name| Subject::Branch(name.into()));
            reading.push = branch(name).zip(payload.after.as_deref().and_then(commit)).map(|(name, commit)| Push { commit, with: Vec::new(), branch: name.into(), by });
        }
        "merge_request" => {
            reading.about = Some(Subject::Mr(of.iid.ok_or_else(|| missing("object_attributes.iid"))?));
            reading.at = time(of.updated_at.as_deref());
            // `oldrev` is there when the head moved, and only then.
            if of.action.as_deref() == Some("update") && of.oldrev.is_some() {
                let tip = of.last_commit.as_ref().and_then(|last| commit(&last.id));
                let by = payload.user.and_then(|user| user.username).map(Into::into).into_iter().collect();
                reading.push = tip.zip(of.source_branch).map(|(commit, name)| Push { commit, with: Vec::new(), branch: name.into(), by });
            }
        }
        "note" => {
            let about = payload.merge_request.filter(|_| of.noteable_type.as_deref() == Some("MergeRequest"));
            reading.about = about.map(|mr| Subject::Mr(mr.iid));
            reading.at = time(of.updated_at.as_deref().or(of.created_at.as_deref()));
        }
        // Pipelines hold external statuses too, ours among them; a job says its name, a pipeline does not.
        _ => {
            let ours = payload.build_name.as_deref().is_some_and(is_ours);
            reading.about = of.sha.as_deref().or(payload.sha.as_deref()).and_then(commit).filter(|_| !ours).map(Subject::Commit);
            reading.at = time(of.finished_at.as_deref().or(of.updated_at.as_deref()).or(of.created_at.as_deref()));
        }
    }
    Ok(reading)
}
