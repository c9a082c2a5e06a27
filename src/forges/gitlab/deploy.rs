//! Runs among GitLab's deployments: one for each target and head, found again by its commit.

use super::{
    forge::{GitLab, Place},
    wire::Deployed,
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

/// Deployments of one environment that are looked through, newest first.
const RECENT: usize = 100;

impl GitLab {
    /// Shows the deployments that are not shown yet.
    pub(super) async fn show_deployments(&self, mr: &MrId, place: &Place, face: &Face, last: Option<&Face>) -> Result<(), NetError> {
        let news = undeployed(face, last);
        if news.is_empty() {
            return Ok(());
        }
        let branch = self.request(place, mr.number).await?.source_branch;
        for deployment in news {
            self.show_deployment(place, face, deployment, &branch).await?;
        }
        Ok(())
    }

    async fn show_deployment(&self, place: &Place, face: &Face, wanted: &Deployment, branch: &str) -> Result<(), NetError> {
        let bot = self.bot().await?;
        let path = place.path("/deployments");
        let query = format!("{path}?environment={}&order_by=id&sort=desc&per_page={RECENT}", encoded(&wanted.environment));
        let known: Vec<Deployed> = self.api.get(&query).await?;
        let ours: Vec<&Deployed> = known.iter().filter(|one| self.user(one.user.as_ref()) == *bot && one.name == branch).collect();
        let state = word(wanted.state);
        // What an earlier head began goes on with this one.
        for older in ours.iter().filter(|one| one.sha != face.head.as_str() && one.status == "running") {
            self.api.send(Weight::Deployment, Method::PUT, &format!("{path}/{}", older.id), &json!({ "status": "canceled" })).await?;
        }
        match ours.iter().find(|one| one.sha == face.head.as_str()) {
            Some(there) if there.status == state => Ok(()),
            // One that ended never runs again, and none begins for what is over.
            Some(there) if there.status == "running" || wanted.state != DeploymentState::InProgress => {
                self.api.send(Weight::Deployment, Method::PUT, &format!("{path}/{}", there.id), &json!({ "status": state })).await.map(drop)
            }
            None if wanted.state == DeploymentState::Inactive => Ok(()),
            Some(_) | None => {
                let body = json!({ "environment": wanted.environment, "sha": face.head, "ref": branch, "tag": false, "status": state });
                self.api.send(Weight::Deployment, Method::POST, &path, &body).await.map(drop)
            }
        }
    }
}

fn word(state: DeploymentState) -> &'static str {
    match state {
        DeploymentState::InProgress => "running",
        DeploymentState::Success => "success",
        DeploymentState::Failure => "failed",
        // GitLab has no word for what is live no more.
        DeploymentState::Inactive => "canceled",
    }
}
