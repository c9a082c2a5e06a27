//! `Depends-On:` lines of a merge request's description: what must be merged before it starts.

use crate::core::model::{MrId, RepoId, Str};
use serde::{Deserialize, Serialize};

/// One merge request that another waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dependency {
    /// As the description says it.
    pub said: Str,
    pub state: Depended,
}

/// Where the other one is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depended {
    Merged,
    Open(MrId),
    /// Closed without being merged.
    Closed(MrId),
    /// Nobody here knows it.
    Unknown,
    /// It waits for this one, by way of these.
    Cycle(Vec<MrId>),
}

/// Lines looked at, and dependencies taken: a description is written by anyone, and each dependency is read from the forge.
const MOST: usize = 20;

/// What Markdown puts before and around a key.
const AROUND: [char; 9] = ['-', '*', '+', '>', '_', '`', ' ', '\t', '•'];

/// What Markdown puts around a word.
const EMPHASIS: [char; 5] = ['*', '_', ' ', '\t', ';'];

/// What a description names, each once, in its order: as it is written, and the merge request it means where it means one.
///
/// `!7` is of the same repository, `dns!7` of another; a link is to a page `…/changes/REPO/7` or to a forge's `…/merge_requests/7` and `…/pull/7`.
pub fn depends_on(description: &str, own: &RepoId) -> Vec<(Str, Option<MrId>)> {
    let mut found: Vec<(Str, Option<MrId>)> = Vec::new();
    for line in description.lines() {
        let Some((key, rest)) = line.trim().split_once(':') else { continue };
        // In a list, quoted or bold it is meant alike: what is not understood must not be passed over.
        if !key.trim_matches(AROUND).eq_ignore_ascii_case("depends-on") {
            continue;
        }
        for said in rest.split([',', ' ', '\t']).map(|said| said.trim_matches(EMPHASIS)).filter(|said| !said.is_empty()) {
            if found.iter().any(|(known, _)| **known == *said) {
                continue;
            }
            if found.len() == MOST {
                found.push((format!("more than {MOST} others").into(), None));
                return found;
            }
            found.push((said.into(), meant(said, own)));
        }
    }
    found
}

fn meant(said: &str, own: &RepoId) -> Option<MrId> {
    let said = said.trim_matches(['<', '>', '`']);
    if let Some((_, path)) = said.split_once("://") {
        let parts: Vec<&str> = path.split(['?', '#']).next()?.split('/').filter(|part| !part.is_empty()).collect();
        let [before @ .., number] = parts.as_slice() else { return None };
        return match before {
            [.., "changes", repo] => mr(&repo.replace("%2F", "/").replace("%2f", "/"), number),
            // The host first, then the repository's path.
            [_, repo @ .., "-", "merge_requests"] | [_, repo @ .., "pull" | "pulls"] => mr(&repo.join("/"), number),
            _ => None,
        };
    }
    let (repo, number) = said.rsplit_once('!')?;
    mr(if repo.is_empty() { own.as_str() } else { repo }, number)
}

fn mr(repo: &str, number: &str) -> Option<MrId> {
    Some(MrId { repo: RepoId::new(repo), number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::depends_on;
    use crate::core::model::RepoId;

    #[test]
    fn a_dependency_is_one_however_it_is_marked_and_too_many_are_not_passed_over() {
        let own = RepoId::new("dns");
        for text in ["- Depends-On: !7", "* depends-on: !7", "**Depends-On:** !7", "**Depends-On: !7**", "> Depends-On: !7", "  + `Depends-On`: !7", "- **Depends-On**: !7;"] {
            let found = depends_on(text, &own);
            assert_eq!(found.iter().map(|(said, meant)| (&**said, meant.as_ref().map(|mr| mr.number))).collect::<Vec<_>>(), [("!7", Some(7))], "{text}");
        }
        let many: String = (1..=30).map(|n| format!("Depends-On: !{n}\n")).collect();
        let found = depends_on(&many, &own);
        assert_eq!((found.len(), found.last().map(|(said, meant)| (said.to_string(), meant.is_none()))), (21, Some(("more than 20 others".to_owned(), true))));
        assert_eq!(depends_on("It depends-on nothing: !7\nnot Depends-On: !8", &own), []);
    }

    #[test]
    fn a_description_names_what_it_waits_for_in_the_ways_people_write_it() {
        let text = "Moves www.\n\nDepends-On: !7, other!3\ndepends-on: https://trueup.example/changes/team%2Fdns/12\n\
                    Depends-On: https://git.example/team/dns/-/merge_requests/5#note_1\nDepends-On: #9\nnot Depends-On: !8\nDepends-On: !7";
        let found: Vec<String> =
            depends_on(text, &RepoId::new("dns")).into_iter().map(|(said, meant)| format!("{said} = {}", meant.map_or_else(|| "?".to_owned(), |mr| mr.to_string()))).collect();
        assert_eq!(
            found,
            [
                "!7 = dns!7",
                "other!3 = other!3",
                "https://trueup.example/changes/team%2Fdns/12 = team/dns!12",
                "https://git.example/team/dns/-/merge_requests/5#note_1 = team/dns!5",
                "#9 = ?"
            ]
        );
    }
}
