//! `CODEOWNERS` files as GitHub, GitLab and Gitea document them: who is asked for what.

use trueup::formats::codeowners::{Asked, CodeOwners, Dialect, Owner};

fn said(owner: &Owner) -> String {
    match owner {
        Owner::Login(name) | Owner::Either(name) => format!("@{name}"),
        Owner::Team(name) => format!("team {name}"),
        Owner::Mail(mail) => mail.to_string(),
    }
}

/// `line: owners xcount`, for each group of people that is asked.
fn asked(dialect: Dialect, text: &str, changed: &[&str]) -> Vec<String> {
    let line = |asked: &Asked| {
        let owners: Vec<String> = asked.owners.iter().map(said).chain(asked.nobody.iter().map(|word| format!("nobody `{word}`"))).collect();
        format!("{}: {} x{}", asked.place.line, owners.join(" "), asked.count)
    };
    CodeOwners::read("CODEOWNERS", text.as_bytes(), dialect).asked(changed.iter().copied()).iter().map(line).collect()
}

fn faults(dialect: Dialect, text: &str) -> Vec<String> {
    CodeOwners::read("CODEOWNERS", text.as_bytes(), dialect).faults.iter().map(|fault| fault.to_string()).collect()
}

#[test]
fn on_github_the_last_line_that_matches_decides() {
    let text = "# everything\n*       @global-owner1 @global-owner2\n*.js    @js-owner #This is an inline comment.\n*.go docs@example.com\n*.txt @octo-org/octocats\n/build/logs/ @doctocat\n/apps/ @octocat\n/apps/github\n";
    let asked = |changed: &[&str]| asked(Dialect::GitHub, text, changed);
    assert_eq!(asked(&["README"]), ["2: @global-owner1 @global-owner2 x1"]);
    assert_eq!(asked(&["a.js", "x/b.js"]), ["3: @js-owner x1"]);
    assert_eq!(asked(&["a.js", "README", "a.txt"]), ["2: @global-owner1 @global-owner2 x1", "3: @js-owner x1", "5: team octo-org/octocats x1"]);
    assert_eq!(asked(&["a.go"]), ["4: docs@example.com x1"]);
    assert_eq!(asked(&["apps/x"]), ["7: @octocat x1"]);
    assert!(asked(&["apps/github/x"]).is_empty(), "a line without owners asks nobody");
    assert_eq!(asked(&["build/logs/a.js"]), ["6: @doctocat x1"]);
}

#[test]
fn on_gitlab_each_section_asks_for_itself_with_its_own_count() {
    let text =
        "* @general\n\n[Documentation][2] @docs-team\ndocs/\nREADME.md @tech\n\n^[Optional] @nice\n*\n\n[Database] @dba\nmodel/db/\n!model/db/generated/\n[DOCUMENTATION]\n*.txt\n";
    let asked = |changed: &[&str]| asked(Dialect::GitLab, text, changed);
    assert_eq!(asked(&["main.rs"]), ["1: @general x1"]);
    assert_eq!(asked(&["docs/a.md"]), ["1: @general x1", "4: @docs-team x2"]);
    assert_eq!(asked(&["README.md"]), ["1: @general x1", "5: @tech x2"]);
    assert_eq!(asked(&["model/db/a"]), ["1: @general x1", "11: @dba x1"]);
    assert_eq!(asked(&["model/db/generated/a"]), ["1: @general x1"], "what is taken out of a section is none of it");
    assert_eq!(asked(&["a.txt"]), ["1: @general x1", "14: @docs-team x2"], "sections of one name are one");
    assert!(faults(Dialect::GitLab, text).is_empty());
}

#[test]
fn on_gitlab_a_heading_stands_for_the_lines_below_it_alone_and_one_that_cannot_be_read_asks_somebody_who_is_nobody() {
    let asked = |text: &str, changed: &[&str]| asked(Dialect::GitLab, text, changed);
    let twice = "[Docs] @a\nfoo\n[Docs] @b\nbar\n";
    assert_eq!((asked(twice, &["foo"]), asked(twice, &["bar"])), (vec!["2: @a x1".to_owned()], vec!["4: @b x1".to_owned()]));
    assert_eq!(asked("[Database] @@maintainer\n/db/\n", &["db/a"]), ["2: nobody `@@maintainer` x1"], "it is not as if nobody owned it");
    assert_eq!(asked("/db/ # ask @dba about it\n", &["db/a"]), ["1: @dba x1"], "owners in what is for people count there");
    assert!(asked("# @dba\n", &["db/a"]).is_empty());
}

#[test]
fn a_path_with_a_line_break_is_in_its_folder() {
    for text in ["/dns/ @dns", "dns/** @dns", "**/b.yaml @dns"] {
        assert_eq!(asked(Dialect::GitHub, text, &["dns/a\nb/b.yaml"]), ["1: @dns x1"], "{text}");
    }
}

#[test]
fn on_gitea_every_expression_that_matches_asks() {
    let text = ".*\\\\.go @user1 @user2 # This is comment\n\n# Comment too\nfrontend/src/.*\\\\.js @org1/team1 @user3\n!frontend/.* @org1/team3\npath\\ with\\ space user5\ndir/with\\#hashtag @user1\n";
    let asked = |changed: &[&str]| asked(Dialect::Gitea, text, changed);
    assert_eq!(asked(&["main.go"]), ["1: @user1 @user2 x1", "5: team org1/team3 x1"]);
    assert_eq!(asked(&["frontend/src/a.js"]), ["4: team org1/team1 @user3 x1"]);
    assert_eq!(asked(&["path with space"]), ["5: team org1/team3 x1", "6: @user5 x1"]);
    assert_eq!(asked(&["dir/with#hashtag"]), ["5: team org1/team3 x1", "7: @user1 x1"]);
    assert!(faults(Dialect::Gitea, text).is_empty());
}

#[test]
fn what_a_newer_gitea_reads_and_we_do_not_asks_its_owners_for_every_file() {
    let text = "(?!docs/).* @sre\n!(?<=x)a @dba\ndocs/.* @docs\n";
    assert_eq!(asked(Dialect::Gitea, text, &["docs/a"]), ["1: @sre x1", "2: @dba x1", "3: @docs x1"], "rather one too many than nobody");
    assert_eq!(asked(Dialect::Gitea, text, &["x"]), ["1: @sre x1", "2: @dba x1"]);
    let told = faults(Dialect::Gitea, text);
    assert!(told.len() == 2 && told[0].contains("CODEOWNERS:1") && told[0].contains("for every file"), "{told:?}");
}

#[test]
fn lines_that_the_forge_reads_and_we_do_not_are_told_apart_from_those_that_say_nothing() {
    let unread = |dialect, text: &str| CodeOwners::read("CODEOWNERS", text.as_bytes(), dialect).unread.map(|place| place.line);
    let long = format!("* @ana\n{} @ben\n", "/*/a".repeat(30_000));
    assert_eq!([Dialect::GitHub, Dialect::GitLab].map(|dialect| unread(dialect, &long)), [Some(2); 2]);
    assert_eq!([Dialect::GitHub, Dialect::GitLab, Dialect::Gitea].map(|dialect| unread(dialect, &".* @ana\n".repeat(3_002))), [Some(3_001); 3]);
    assert_eq!(unread(Dialect::GitHub, "v[0-9] @ana\n* @ana\n"), None, "that one is nothing at the forge, too");
}

#[test]
fn the_same_people_are_asked_once_and_more_files_are_counted() {
    let owners = CodeOwners::read("CODEOWNERS", b"/a/ @ana\n/b/ @ana\n/c/ @ben\n", Dialect::GitHub);
    let asked = owners.asked(["a/1", "a/2", "b/1", "c/1"]);
    assert_eq!(asked.iter().map(|one| (&*one.file, one.more)).collect::<Vec<_>>(), [("a/1", 2), ("c/1", 0)]);
}

#[test]
fn every_line_that_says_nothing_is_told_with_its_place_and_others_hold() {
    let github = "*.js @js extra\n!docs/ @ana\nv[0-9] @ana\n\\#x @ana\n* @ana\n";
    assert_eq!(asked(Dialect::GitHub, github, &["a"]), ["5: @ana x1"]);
    assert_eq!(asked(Dialect::GitHub, github, &["a.js"]), ["5: @ana x1"]);
    assert_eq!(asked(Dialect::GitHub, "*.js @@maintainer\n", &["a.js"]), ["1: nobody `@@maintainer` x1"], "whom nobody knows nobody can be: it never counts as unowned");
    let gitlab = "[] @ana\n[Docs\n[Docs][0]\n[Docs][many] @ana\nv[0-9 @ana\n* @@developer\n";
    let gitea = "(\n( @ana\nonly-a-pattern\n";
    insta::assert_snapshot!([faults(Dialect::GitHub, github), faults(Dialect::GitLab, gitlab), faults(Dialect::Gitea, gitea)].concat().join("\n"));
}

#[test]
fn a_file_of_any_size_or_shape_is_read_within_bounds() {
    let many = "/x/ @ana\n".repeat(10_000);
    let owners = CodeOwners::read("CODEOWNERS", many.as_bytes(), Dialect::GitHub);
    assert!(owners.faults.len() == 1 && owners.faults[0].to_string().contains("more than 3000 patterns"), "{:?}", owners.faults.first());
    for dialect in [Dialect::GitHub, Dialect::GitLab, Dialect::Gitea] {
        for odd in ["\\", "[", "^[", "[]", "[[", "![", "/", "//", "**", "/**/", "*/", "\u{0} @a", "a\\", "[a-\u{10ffff}] @x", "[x][", "[x][99999999999999999999] @a"] {
            CodeOwners::read("CODEOWNERS", odd.as_bytes(), dialect).asked(["a", "", "/", "a/b"]);
        }
        CodeOwners::read("CODEOWNERS", &[0xff, 0xfe, b'\n', b'*', b' ', b'@', b'a'], dialect);
    }
}
