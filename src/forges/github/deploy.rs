//! Runs among GitHub's deployments: one for each target and head, found again by its task.

use super::{
    forge::{GitHub, Place},
    wire::{Deployed, DeployedStatus},
    writer::DESCRIPTION,
};
use crate::{
    core::{
        model::MrId,
        review::{Deployment, DeploymentState, Face},
    },
    forges::net::{NetError, Weight, encoded, undeployed},
};
use reqwest::Method;
use serde_json::json;

/// Heads of one change that a run began on, newest first; more were pushed by somebody who tries things out.
const HEADS: usize = 30;

impl GitHub {
    /// Shows the deployments that are not shown yet.
    pub(super) async fn show_deployments(&self, mr: &MrId, place: &Place, face: &Face, last: Option<&Face>) -> Result<(), NetError> {
        let task = format!("trueup:{}!{}", mr.repo, mr.number);
        for deployment in undeployed(face, last) {
            self.show_deployment(place, face, deployment, &task).await?;
        }
        Ok(())
    }

    async fn show_deployment(&self, place: &Place, face: &Face, wanted: &Deployment, task: &str) -> Result<(), NetError> {
        let bot = self.bot().await?;
        let path = place.path("/deployments");
        // By its task, which names the change: what was made and never answered is found, too.
        let query = format!("{path}?task={}&environment={}&per_page={HEADS}", encoded(task), encoded(&wanted.environment));
        let known: Vec<Deployed> = place.api.get(&query).await?;
        let ours: Vec<&Deployed> = known.iter().filter(|one| self.user(one.creator.as_ref()) == *bot).collect();
        let id = match ours.iter().find(|one| one.sha == face.head.as_str()) {
            Some(there) => there.id,
            None if wanted.state == DeploymentState::Inactive => return Ok(()),
            None => {
                // What an earlier head began goes on with this one.
                for older in &ours {
                    self.say_deployment(place, older.id, &Deployment { state: DeploymentState::Inactive, text: "another head goes on".into(), ..wanted.clone() }).await?;
                }
                let body = json!({
                    "ref": face.head, "task": task, "auto_merge": false, "required_contexts": [], "environment": wanted.environment,
                    "description": cut(&wanted.text), "payload": { "change": task }, "transient_environment": false,
                });
                place.api.send(Weight::Deployment, Method::POST, &path, &body).await?.json::<Deployed>()?.id
            }
        };
        self.say_deployment(place, id, wanted).await
    }

    /// Says the state of a deployment, unless that is what was said last.
    async fn say_deployment(&self, place: &Place, id: u64, wanted: &Deployment) -> Result<(), NetError> {
        let path = place.path(format!("/deployments/{id}/statuses"));
        let last: Vec<DeployedStatus> = place.api.get(&format!("{path}?per_page=1")).await?;
        let state = word(wanted.state);
        if last.first().is_some_and(|last| last.state == state) {
            return Ok(());
        }
        // What other changes roll out there goes on, whatever became of this.
        let mut body = json!({ "state": state, "description": cut(&wanted.text), "auto_inactive": false });
        if let Some(url) = &wanted.url {
            body["environment_url"] = (**url).into();
            body["log_url"] = (**url).into();
        }
        place.api.send(Weight::Deployment, Method::POST, &path, &body).await.map(drop)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(DESCRIPTION).collect()
}

fn word(state: DeploymentState) -> &'static str {
    match state {
        DeploymentState::InProgress => "in_progress",
        DeploymentState::Success => "success",
        DeploymentState::Failure => "failure",
        DeploymentState::Inactive => "inactive",
    }
}
