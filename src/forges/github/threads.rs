//! What GraphQL alone tells: conversations on the code that nobody resolved yet, and comments that were edited.

use super::forge::{GitHub, Place};
use crate::{
    forges::net::{NetError, Weight},
    ports::ForgeErrorKind,
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;

/// Pages of a hundred.
const MOST: usize = 20;

const QUERY: &str = "query($owner: String!, $name: String!, $number: Int!, $after: String) { repository(owner: $owner, name: $name) { pullRequest(number: $number) { \
                     reviewThreads(first: 100, after: $after) { nodes { isResolved } pageInfo { hasNextPage endCursor } } } } }";

/// Comments asked about at once; GitHub takes a hundred.
const AT_ONCE: usize = 100;

const EDITED: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on IssueComment { id lastEditedAt } } }";

#[derive(Deserialize)]
struct Asked {
    data: Option<Nodes>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Nodes {
    /// Null where there is none any more.
    nodes: Vec<Option<EditedComment>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EditedComment {
    id: String,
    last_edited_at: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    message: String,
    /// `NOT_FOUND`, `FORBIDDEN`, …; none of a fault of GitHub's own.
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

impl Fault {
    /// What is wrong, in words that are the same the next time: those of a fault of GitHub's own name the request.
    fn said(&self) -> String {
        let steady = |word: &&str| !(word.contains(':') && word.chars().filter(char::is_ascii_hexdigit).count() >= 8);
        let words: Vec<&str> = self.message.split_whitespace().filter(steady).collect();
        crate::core::review::escape::cut(&words.join(" "), 200)
    }
}

#[derive(Deserialize)]
struct Data {
    repository: Option<Repository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    pull_request: Option<Pull>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pull {
    review_threads: Threads,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Threads {
    nodes: Vec<Thread>,
    page_info: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thread {
    is_resolved: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl GitHub {
    /// Those of some comments that were edited since they were written, or are gone.
    pub(super) async fn edited(&self, place: &Place, ids: &[&str]) -> Result<BTreeSet<String>, NetError> {
        let mut edited: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        for ids in ids.chunks(AT_ONCE) {
            let said: Asked = place.questions.send(Weight::Status, Method::POST, "/graphql", &json!({ "query": EDITED, "variables": { "ids": ids } })).await?.json()?;
            // A comment that is gone is named among the faults, and is no fault; of any other fault nobody knows what it hides.
            let fault = said.errors.iter().find(|fault| fault.kind.as_deref() != Some("NOT_FOUND"));
            let (Some(data), None) = (said.data, fault) else {
                let fault = fault.or(said.errors.first()).map(Fault::said).unwrap_or_default();
                return Err(NetError::new(ForgeErrorKind::Denied, format!("forge {} does not tell whether comments were edited: {fault}", self.name)));
            };
            for comment in data.nodes.into_iter().flatten().filter(|comment| comment.last_edited_at.is_none()) {
                edited.remove(&comment.id);
            }
        }
        Ok(edited)
    }

    /// How many conversations on the code are open.
    pub(super) async fn open_threads(&self, place: &Place, number: u64) -> Result<u32, NetError> {
        let (owner, name) = place.project.path.split_once('/').unwrap_or_default();
        let mut after: Option<String> = None;
        let mut open = 0;
        for _ in 0..MOST {
            let asked = json!({ "query": QUERY, "variables": { "owner": owner, "name": name, "number": number, "after": after } });
            let said: Said = place.questions.send(Weight::Status, Method::POST, "/graphql", &asked).await?.json()?;
            let fault = said.errors.first().map(Fault::said);
            let threads = said.data.and_then(|data| data.repository?.pull_request).map(|pull| pull.review_threads);
            let (Some(threads), None) = (threads, &fault) else {
                let what = format!(
                    "forge {} does not tell which threads of {}#{number} are open: {}",
                    self.name,
                    place.project.path,
                    fault.unwrap_or_else(|| "it does not know it".into())
                );
                return Err(NetError::new(ForgeErrorKind::Denied, what));
            };
            open += threads.nodes.iter().filter(|thread| !thread.is_resolved).count() as u32;
            match threads.page_info.end_cursor.filter(|_| threads.page_info.has_next_page) {
                Some(next) => after = Some(next),
                None => return Ok(open),
            }
        }
        let what = format!("{}#{number} has more threads than the {} that are read; close it and open another", place.project.path, MOST * 100);
        Err(NetError::new(ForgeErrorKind::Invalid, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_in_the_same_words_each_time() {
        let said = |id: &str| {
            let message = format!("Something went wrong while executing your query. Please include `{id}` when reporting this issue.");
            Fault { message, kind: None }.said()
        };
        assert_eq!(said("8C1A:2F51:19E2B5A:1C0F2A6:6720A1B2"), said("D0B2:3A77:41F2C11:4AA0B0D:6720A1C9"));
        assert_eq!(Fault { message: "Resource not accessible: by token".into(), kind: None }.said(), "Resource not accessible: by token");
    }
}
