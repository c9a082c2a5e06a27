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

/// Dependencies taken: a description is written by anyone, and each is read from the forge.
const MOST: usize = 20;

const KEY: &str = "depends-on";

/// What a description names, each once, in its order: as it is written, and the merge request it means where it means one.
///
/// `!7` is of the same repository, `dns!7` of another; a link is to a page `…/changes/REPO/7`, or below `web` to the forge's own `…/merge_requests/7` and `…/pull/7`.
/// A line may be an item of a list, a quote or emphasized, and a line that names nothing itself names what is listed below it.
pub fn depends_on(description: &str, own: &RepoId, web: Option<&str>) -> Vec<(Str, Option<MrId>)> {
    let mut found: Vec<(Str, Option<MrId>)> = Vec::new();
    let mut listing = false;
    for line in description.lines() {
        let named = names(line);
        let Some(rest) = named.or_else(|| item(line).filter(|_| listing)) else {
            listing &= line.trim().is_empty();
            continue;
        };
        let mut said = rest.split([',', ' ', '\t']).map(|said| said.trim_matches(['<', '>', '`', '*', '_', ';'])).filter(|said| !said.is_empty()).peekable();
        listing = listing && named.is_none() || said.peek().is_none();
        for said in said {
            if found.iter().any(|(known, _)| **known == *said) {
                continue;
            }
            if found.len() == MOST {
                found.push((format!("{said} (at most {MOST} are looked at)").into(), None));
                return found;
            }
            found.push((said.into(), meant(said, own, web)));
        }
    }
    found
}

/// What stands behind `Depends-On:` in a line of it.
fn names(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let key = key.trim_end_matches(|c: char| c.is_whitespace() || "*_`".contains(c));
    let at = key.len().checked_sub(KEY.len())?;
    let marks = key.get(..at)?.replace("[x]", "").replace("[X]", "");
    (key.get(at..)?.eq_ignore_ascii_case(KEY) && !marks.contains(char::is_alphabetic)).then_some(rest)
}

/// What an item of a list says, where it begins with what may be a merge request; the checklist of a template does not.
fn item(line: &str) -> Option<&str> {
    let said = line.trim_start_matches(|c: char| c.is_whitespace() || c == '>').strip_prefix(['-', '*', '+'])?.trim_start();
    let said = ["[ ]", "[x]", "[X]"].iter().find_map(|mark| said.strip_prefix(mark)).unwrap_or(said);
    let first = said.split_whitespace().next()?;
    (first.contains(['!', '#']) || first.contains("://")).then_some(said)
}

fn meant(said: &str, own: &RepoId, web: Option<&str>) -> Option<MrId> {
    if let Some((_, path)) = said.split_once("://") {
        let parts = |path| str::split(path, ['?', '#']).next().map(|path| path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>());
        if let [.., "changes", repo, number] = *parts(path)? {
            return mr(&repo.replace("%2F", "/").replace("%2f", "/"), number);
        }
        // Another forge has a repository of that path and a merge request of that number, too.
        let web = web?;
        let below = said.get(..web.len()).filter(|begin| begin.eq_ignore_ascii_case(web)).and_then(|_| said.get(web.len()..)?.strip_prefix('/'))?;
        return match *parts(below)? {
            [ref repo @ .., "-", "merge_requests", number] | [ref repo @ .., "pull" | "pulls", number] => mr(&repo.join("/"), number),
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

    fn found(text: &str) -> Vec<String> {
        let found = depends_on(text, &RepoId::new("dns"), Some("https://git.example/code"));
        found.into_iter().map(|(said, meant)| format!("{said} = {}", meant.map_or_else(|| "?".to_owned(), |mr| mr.to_string()))).collect()
    }

    #[test]
    fn a_description_names_what_it_waits_for_in_the_ways_people_write_it() {
        let text = "Moves www.\n\nDepends-On: !7, other!3\ndepends-on: https://trueup.example/changes/team%2Fdns/12\n\
                    Depends-On: https://Git.example/code/team/dns/-/merge_requests/5#note_1\nDepends-On: #9\nnot Depends-On: !8\nDepends-On: !7";
        let wanted = [
            "!7 = dns!7",
            "other!3 = other!3",
            "https://trueup.example/changes/team%2Fdns/12 = team/dns!12",
            "https://Git.example/code/team/dns/-/merge_requests/5#note_1 = team/dns!5",
            "#9 = ?",
        ];
        assert_eq!(found(text), wanted);
    }

    #[test]
    fn an_item_of_a_list_a_quote_and_an_emphasized_line_are_dependencies_like_a_plain_line() {
        let lines = [
            "- Depends-On: !7",
            "* depends-on: !7",
            "> Depends-On: `!7`",
            "**Depends-On:** !7",
            "**Depends-On: !7**",
            "- **Depends-On**: !7;",
            "1. __Depends-On__: !7",
            "- [x] Depends-On: **!7**",
            "  Depends-On : !7",
            "\u{2022} Depends-On: <!7>",
        ];
        for line in lines {
            assert_eq!(found(line), ["!7 = dns!7"], "{line}");
        }
        assert_eq!(found("Depends-On:\n\n- !7\n- other!3\n\nAnd more:\n- !9"), ["!7 = dns!7", "other!3 = other!3"]);
        assert_eq!(found("**Depends-On:**\n* !7\n- [ ] other!3"), ["!7 = dns!7", "other!3 = other!3"]);
        assert!(found("Depends-On:\n\n- [ ] I tested this\n- [ ] !7 is reviewed\n").is_empty(), "the rest of a template");
        assert!(found("It depends-on: nothing\n- !7\nnot Depends-On: !8").is_empty());
    }

    #[test]
    fn a_link_to_another_forge_means_nothing_here() {
        for link in ["https://github.example/team/dns/pull/5", "https://git.example/codex/team/dns/pull/5", "https://git.example/team/dns/pull/5", "https://git.example/code"] {
            assert_eq!(found(&format!("Depends-On: {link}")), [format!("{link} = ?")]);
        }
        assert_eq!(found("Depends-On: https://git.example/code/team/dns/pulls/5/"), ["https://git.example/code/team/dns/pulls/5/ = team/dns!5"]);
        assert_eq!(depends_on("Depends-On: https://git.example/team/dns/pull/5", &RepoId::new("dns"), None)[0].1, None);
    }

    #[test]
    fn what_is_named_beyond_the_bound_is_held_and_not_forgotten() {
        let text: String = (1..=22).map(|n| format!("Depends-On: !{n}\n")).collect();
        let found = found(&text);
        assert_eq!((found.len(), &*found[20]), (21, "!21 (at most 20 are looked at) = ?"));
    }
}
