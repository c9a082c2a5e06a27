//! Changes and journals as tables for people.

use crate::cli::client::field;
use serde_json::Value;

/// Prints one line a change.
pub fn print(changes: &Value) {
    print!("{}", table(changes.as_array().map(Vec::as_slice).unwrap_or_default()));
}

fn table(changes: &[Value]) -> String {
    if changes.is_empty() {
        return "no changes; open one with `trueup mr open`\n".into();
    }
    let title = |change: &Value| format!("{}{}", field(change, "title"), if change["draft"] == true { " (draft)" } else { "" });
    let row = |change: &Value| [format!("{}!{}", field(change, "repo"), field(change, "number")), field(change, "phase"), title(change), field(change, "waits_for")];
    columns(["change", "phase", "title", "waits for"], changes.iter().map(row).collect())
}

/// One line a journal row: when, who, what; repeats with their count.
pub fn journal(rows: &Value) -> String {
    let row = |row: &Value| {
        let again = row["times"].as_u64().filter(|times| *times > 1);
        let again = again.map_or(String::new(), |times| format!(" ({times} times, last at {})", field(row, "until")));
        let who = if row["who"].is_null() { "trueup".to_owned() } else { field(row, "who") };
        [field(row, "at"), who, format!("{}{again}", field(row, "text"))]
    };
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "nothing happened yet\n".into();
    }
    columns(["when", "who", "what"], rows.iter().map(row).collect())
}

/// Columns as wide as their widest cell; the last one is free.
fn columns<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut all = vec![head.map(str::to_owned)];
    all.extend(rows);
    let width: Vec<usize> = (0..N).map(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(&width).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{journal, table};
    use serde_json::json;

    #[test]
    fn changes_stand_in_columns() {
        let changes = [
            json!({ "repo": "dns", "number": 7, "phase": "rolling", "title": "move www", "waits_for": "step 2 of 5" }),
            json!({ "repo": "team/zones", "number": 12, "phase": "awaiting_approval", "title": "ü", "draft": true, "waits_for": "one approval by `@sre`" }),
        ];
        insta::assert_snapshot!(table(&changes), @r"
        change         phase              title      waits for
        dns!7          rolling            move www   step 2 of 5
        team/zones!12  awaiting_approval  ü (draft)  one approval by `@sre`
        ");
        insta::assert_snapshot!(table(&[]), @"no changes; open one with `trueup mr open`");
    }

    #[test]
    fn a_journal_says_when_who_and_what() {
        let at = "2026-11-21T13:00:00Z";
        let rows = json!([
            { "seq": 1, "at": at, "who": null, "text": "saw head `0123456789ab`", "times": 1, "until": at },
            { "seq": 4, "at": at, "who": "ann\u{1b}[31m", "text": "approved `abcdefabcdef`", "times": 2, "until": "2026-11-21T13:05:00Z" },
        ]);
        insta::assert_snapshot!(journal(&rows), @r"
        when                  who            what
        2026-11-21T13:00:00Z  trueup         saw head `0123456789ab`
        2026-11-21T13:00:00Z  ann\u{1b}[31m  approved `abcdefabcdef` (2 times, last at 2026-11-21T13:05:00Z)
        ");
        insta::assert_snapshot!(journal(&json!([])), @"nothing happened yet");
    }
}
