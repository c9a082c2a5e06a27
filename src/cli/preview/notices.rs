//! What GitHub Actions reads from a job's log: annotations, and nothing that a merge request made look like one.

use serde_json::Value;
use std::path::Path;

/// A log's text in which nothing is a command of the runner: it takes lines that begin with `::`, and `##[` anywhere.
pub fn harmless(text: &str) -> String {
    let line = |line: &str| {
        let start = line.len() - line.trim_start().len();
        let (blank, rest) = line.split_at(start);
        let rest = rest.strip_prefix("::").map_or_else(|| rest.to_owned(), |rest| format!(": :{rest}"));
        format!("{blank}{}", rest.replace("##[", "## ["))
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// One annotation; `place` as JSON has it, below `folder` of the workspace.
pub fn annotation(what: &str, place: &Value, folder: &str) -> String {
    let mut properties = vec!["title=trueup preview".to_owned()];
    if let Some(file) = place["file"].as_str() {
        let file = if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
        properties.insert(0, format!("file={}", property(&file)));
        for (name, key) in [("line", "line"), ("col", "column")] {
            if let Some(number) = place[key].as_u64().filter(|number| *number > 0) {
                properties.push(format!("{name}={number}"));
            }
        }
    }
    format!("::error {}::{}", properties.join(","), message(what))
}

/// Where the repository lies below the workspace; empty where it is the workspace.
pub fn folder(workspace: Option<&str>, repo: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().ok();
    let below = workspace.and_then(|workspace| whole(repo)?.strip_prefix(whole(Path::new(workspace))?).ok().map(Path::to_path_buf));
    below.map(|path| path.display().to_string()).unwrap_or_default()
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_annotation_names_file_line_and_column_and_ends_where_it_ends() {
        let place = json!({ "file": "zones/a,b:c.yaml", "line": 3, "column": 9 });
        let said = annotation("no target `x`\n::add-mask::y 100%", &place, "state");
        assert_eq!(said, "::error file=state/zones/a%2Cb%3Ac.yaml,title=trueup preview,line=3,col=9::no target `x`%0A::add-mask::y 100%25");
        assert_eq!(annotation("away", &Value::Null, ""), "::error title=trueup preview::away");
    }

    #[test]
    fn nothing_of_a_plan_is_a_command_of_the_runner() {
        let text = harmless("  ::stop-commands::x\n+ ::a\nv ##[add-path]/tmp\n");
        assert_eq!(text, "  : :stop-commands::x\n+ ::a\nv ## [add-path]/tmp\n");
    }
}
