//! Which paths a pattern means; all kinds become regular expressions, which take linear time whatever somebody writes.

use super::Dialect;
use regex::{Regex, RegexBuilder};

/// What one pattern may take of memory: a path of folders with wildcards takes a few kilobytes.
const MOST: usize = 256 << 10;

/// Why a pattern is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It takes more memory than one pattern may; its forge may still read it.
    Long,
    /// It says nothing.
    Wrong(String),
}

impl Unread {
    /// A lowercase fragment.
    pub fn said(&self) -> &str {
        match self {
            Self::Long => "it is too long",
            Self::Wrong(why) => why,
        }
    }
}

/// Reads a pattern with its escapes as the file has them; the error says what is wrong with it.
pub fn pattern(text: &str, dialect: Dialect) -> Result<Regex, Unread> {
    let expression = match dialect {
        Dialect::GitHub => ignored(text).map_err(Unread::Wrong)?,
        Dialect::GitLab => globbed(text).map_err(Unread::Wrong)?,
        // As Gitea builds it: around the whole, whatever alternatives it holds.
        Dialect::Gitea => format!("^{text}$"),
    };
    let built = RegexBuilder::new(&expression).dot_matches_new_line(true).size_limit(MOST).dfa_size_limit(MOST).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Unread::Long,
        _ => Unread::Wrong("it is no regular expression".to_owned()),
    })
}

/// GitHub: as `.gitignore` has it, without negation and ranges; what ends with `/*` means no folder's content.
fn ignored(text: &str) -> Result<String, String> {
    if text.starts_with('!') {
        return Err("GitHub knows no `!` here".to_owned());
    }
    if text.starts_with("\\#") {
        return Err("GitHub takes no `\\#` here".to_owned());
    }
    if text.contains(['[', ']']) {
        return Err("GitHub knows no `[ ]` here".to_owned());
    }
    let folder = text.ends_with('/');
    let inner = text.trim_matches('/');
    // A slash before the end ties it to the root.
    let rooted = text.trim_end_matches('/').contains('/');
    let mut out = String::from(if rooted { "^" } else { "^(?:.*/)?" });
    let parts: Vec<&str> = inner.split('/').collect();
    let last = parts.len().saturating_sub(1);
    for (n, part) in parts.iter().enumerate() {
        match (*part, n == last) {
            ("**", false) => out += "(?:.*/)?",
            ("**", true) => out += ".*",
            (part, ends) => {
                wild(part, &mut out, false)?;
                out += if ends { "" } else { "/" };
            }
        }
    }
    out += match (folder, parts.last().copied()) {
        (true, _) => "/.*",
        (false, Some("*" | "**")) => "",
        // A folder of that name with all that is in it, too.
        (false, _) => "(?:/.*)?",
    };
    Ok(out + "$")
}

/// GitLab: Ruby's `File.fnmatch` with `FNM_PATHNAME` and `FNM_DOTMATCH`; what does not begin at the root begins anywhere, and a folder is named by the slash at its end.
fn globbed(text: &str) -> Result<String, String> {
    let whole = if text.starts_with('/') { text.to_owned() } else { format!("/**/{text}") };
    let whole = if whole.ends_with('/') { format!("{whole}**/*") } else { whole };
    let mut out = String::from("^");
    let parts: Vec<&str> = whole.split('/').skip(1).collect();
    let last = parts.len().saturating_sub(1);
    for (n, part) in parts.iter().enumerate() {
        if *part == "**" && n != last {
            out += "(?:.*/)?";
            continue;
        }
        wild(part, &mut out, true)?;
        out += if n == last { "" } else { "/" };
    }
    Ok(out + "$")
}

/// One part of a path: `*` and `?` are no slash.
fn wild(part: &str, out: &mut String, sets: bool) -> Result<(), String> {
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '\\' => out.push_str(&regex::escape(&chars.next().unwrap_or('\\').to_string())),
            '[' if sets => {
                let rest = chars.as_str();
                let end = rest.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(at, _)| at).ok_or("a `[` is not closed")?;
                let (inside, after) = rest.split_at(end);
                let (not, inside) = match inside.strip_prefix(['!', '^']) {
                    Some(inside) => ("^/", inside),
                    None => ("", inside),
                };
                out.push('[');
                out.push_str(not);
                for c in inside.chars() {
                    match c {
                        '-' => out.push('-'),
                        '\\' => {}
                        c => out.push_str(&regex::escape(&c.to_string())),
                    }
                }
                out.push(']');
                chars = after.strip_prefix(']').unwrap_or(after).chars();
            }
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pattern means of some paths.
    fn means<'a>(dialect: Dialect, text: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let pattern = pattern(text, dialect).unwrap_or_else(|why| panic!("{text}: {}", why.said()));
        paths.iter().copied().filter(|path| pattern.is_match(path)).collect()
    }

    #[test]
    fn github_s_patterns_mean_what_its_page_says() {
        let means = |text: &str, paths: &[&'static str]| means(Dialect::GitHub, text, paths);
        assert_eq!(means("*", &["a", "a/b", ".github/x"]).len(), 3, "everything");
        assert_eq!(means("*.js", &["a.js", "x/y/a.js", "a.jsx"]), ["a.js", "x/y/a.js"]);
        assert_eq!(means("/build/logs/", &["build/logs/a", "build/logs/x/a", "x/build/logs/a", "build/logs"]), ["build/logs/a", "build/logs/x/a"]);
        assert_eq!(means("docs/*", &["docs/a.md", "docs/build/a.md", "x/docs/a.md"]), ["docs/a.md"]);
        assert_eq!(means("apps/", &["apps/a", "x/apps/y/a", "apps"]), ["apps/a", "x/apps/y/a"]);
        assert_eq!(means("/docs/", &["docs/a", "x/docs/a"]), ["docs/a"]);
        assert_eq!(means("**/logs", &["logs/a", "build/logs/x/a", "deeply/nested/logs", "logsx/a"]), ["logs/a", "build/logs/x/a", "deeply/nested/logs"]);
        assert_eq!(means("/apps/github", &["apps/github", "apps/github/a", "x/apps/github"]), ["apps/github", "apps/github/a"]);
        assert_eq!(means("docs", &["docs", "x/docs/a", "docsx"]), ["docs", "x/docs/a"]);
        assert_eq!(means("/a/**/z", &["a/z", "a/b/z", "a/b/c/z", "b/z"]), ["a/z", "a/b/z", "a/b/c/z"]);
        assert_eq!(means("/a/**", &["a/b", "a/b/c", "b/a/c"]), ["a/b", "a/b/c"]);
        assert_eq!(means("/a?.y", &["ab.y", "a/.y", "abc.y"]), ["ab.y"]);
        assert_eq!(means("/with\\ space", &["with space", "withspace"]), ["with space"]);
        assert_eq!(means("/a.b", &["a.b", "axb"]), ["a.b"]);
        for wrong in ["!a", "\\#a", "a[0-9]"] {
            assert!(pattern(wrong, Dialect::GitHub).is_err(), "{wrong}");
        }
    }

    #[test]
    fn gitlab_s_patterns_mean_what_fnmatch_says() {
        let means = |text: &str, paths: &[&'static str]| means(Dialect::GitLab, text, paths);
        assert_eq!(means("*", &["a", "a/b", ".gitlab/x"]).len(), 3);
        assert_eq!(means("README.md", &["README.md", "internal/README.md", "app/lib/README.md", "README.md/x"]), ["README.md", "internal/README.md", "app/lib/README.md"]);
        assert_eq!(means("internal/README.md", &["internal/README.md", "docs/internal/README.md", "docs/api/internal/README.md"]).len(), 3, "anywhere");
        assert_eq!(means("/docs/", &["docs/a", "docs/x/y/a", "x/docs/a", "docs"]), ["docs/a", "docs/x/y/a"]);
        assert_eq!(means("/docs/*", &["docs/index.md", "docs/projects/index.md"]), ["docs/index.md"]);
        assert_eq!(means("/docs/**/*.md", &["docs/a.md", "docs/x/y/a.md", "docs/a.rb"]), ["docs/a.md", "docs/x/y/a.md"]);
        assert_eq!(means("lib/", &["lib/a", "x/lib/y/a", "libx/a"]), ["lib/a", "x/lib/y/a"]);
        assert_eq!(means("docs", &["docs", "docs/a"]), ["docs"], "a folder is named by the slash at its end");
        assert_eq!(means("/v[0-9].md", &["v1.md", "vx.md"]), ["v1.md"]);
        assert_eq!(means("/v[!0-9].md", &["v1.md", "vx.md", "v/.md"]), ["vx.md"]);
        assert_eq!(means("\\#file_with_pound.rb", &["#file_with_pound.rb"]).len(), 1);
        assert_eq!(means("path\\ with\\ spaces/", &["path with spaces/a"]).len(), 1);
        assert!(pattern("/v[0-9", Dialect::GitLab).is_err());
    }

    #[test]
    fn gitea_s_patterns_are_regular_expressions_over_the_whole_path() {
        let means = |text: &str, paths: &[&'static str]| means(Dialect::Gitea, text, paths);
        assert_eq!(means(".*\\.go", &["main.go", "x/y.go", "x.gox"]), ["main.go", "x/y.go"]);
        assert_eq!(means("docs/(aws|google)/[^/]*\\.md", &["docs/aws/a.md", "docs/aws/x/a.md", "docs/azure/a.md"]), ["docs/aws/a.md"]);
        assert!(pattern("(", Dialect::Gitea).is_err());
        assert_eq!(pattern(&"(a{1,1000}){1,1000}".repeat(20), Dialect::Gitea).unwrap_err(), Unread::Long);
    }
}
