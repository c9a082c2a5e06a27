//! Code owners through the whole server: their file on base says who approves what, in the words of each forge.

use super::{super::fake::Wire, office::PATH, told_on_both, town::Town};
use trueup::ports::Reaction;

const POLICY: &str = "  approvals:\n  - by: [codeowners]\n";

/// Where the file is and what it says: `root` owns the zones by a team, `ben` the rest.
fn file(wire: Wire) -> (&'static str, &'static str) {
    match wire {
        Wire::GitHub => (".github/CODEOWNERS", "* @Ben\n/zones/ @platform/sre nobody@example.com\n"),
        Wire::GitLab => (".gitlab/CODEOWNERS", "[Rest]\n* @Ben\n!/zones/\n^[Nice] @ana\n*\n[Zones][1] @platform/sre\n/zones/\n"),
    }
}

fn refused(town: &Town, number: u64, by: &str) {
    let said = town.comment(number, by, "/trueup approve");
    town.until("an answer", |town| town.marks(number, said) == [Reaction::Seen, Reaction::Refused]);
}

fn whoever_base_names_approves_what_is_changed(wire: Wire) {
    let town = Town::with_policy(wire, POLICY);
    let (path, text) = file(wire);
    town.fake.team("platform/sre", &["root"]);
    town.fake.push(PATH, "root", "main", &[(path, text)]);
    let (number, _) = town.propose("move-www", "192.0.2.91");
    // What a merge request says of owners is nothing yet.
    town.fake.push(PATH, "ana", "move-www", &[("docs/CODEOWNERS", "* @ben\n")]);
    town.until("who is asked, and where that stands", |town| {
        let (comment, _) = town.sticky(number);
        comment.contains(&format!("{path}:")) && comment.contains("platform/sre")
    });
    town.until_phase(number, "awaiting_approval");
    refused(&town, number, "ana");
    let ben = town.comment(number, "ben", "/trueup approve");
    town.until("ben's answer", |town| town.marks(number, ben).len() == 2);
    assert_eq!(town.phase(number), "awaiting_approval", "ben owns none of the zones");
    assert!(!town.leads_to("192.0.2.91"));
    town.comment(number, "root", "/trueup approve");
    town.until_phase(number, "merged");
    assert!(town.leads_to("192.0.2.91"));
}

fn a_change_of_the_owners_is_approved_by_those_of_base(wire: Wire) {
    let town = Town::with_policy(wire, POLICY);
    let (path, text) = file(wire);
    town.fake.team("platform/sre", &["root"]);
    town.fake.push(PATH, "root", "main", &[(path, text)]);
    town.fake.push(PATH, "ana", "mine", &[(path, "* @root\n")]);
    let number = town.fake.open(PATH, "ana", "mine", "mine");
    town.until_phase(number, "empty");
    let root = town.comment(number, "root", "/trueup approve");
    town.until("root's answer", |town| town.marks(number, root).len() == 2);
    assert_eq!(town.phase(number), "empty", "whom it would name does not count yet");
    town.fake.push(PATH, "ana", "mine", &[(path, "* @root @@nobody\n")]);
    town.until_phase(number, "refused");
    town.until("the place of the fault", |town| town.sticky(number).0.contains("@@nobody") && town.sticky(number).0.contains(&format!("{path}:1")));
    town.fake.push(PATH, "ana", "mine", &[(path, "* @root\n")]);
    town.until_phase(number, "empty");
    town.comment(number, "ben", "/trueup approve");
    town.until_phase(number, "merged");
}

/// One space of names holds both there, so that a name alone says nothing.
#[test]
fn on_gitlab_the_forge_says_whether_a_bare_name_is_somebody_or_a_group() {
    let town = Town::with_policy(Wire::GitLab, POLICY);
    town.fake.team("platform", &["root"]);
    town.fake.push(PATH, "root", "main", &[("CODEOWNERS", "/zones/ @platform\n/CODEOWNERS @Ben\n")]);
    let (number, _) = town.propose("move-www", "192.0.2.93");
    town.until("who is asked", |town| town.sticky(number).0.contains("team:@platform"));
    let ben = town.comment(number, "ben", "/trueup approve");
    town.until("ben's answer", |town| town.marks(number, ben).len() == 2);
    assert_eq!(town.phase(number), "awaiting_approval", "he is not in the group");
    town.comment(number, "root", "/trueup approve");
    town.until_phase(number, "merged");
}

told_on_both! {
    whoever_base_names_approves_what_is_changed,
    a_change_of_the_owners_is_approved_by_those_of_base,
}
