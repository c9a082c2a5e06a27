//! Changes as a table for people.

use crate::cli::client::field;
use serde_json::Value;

/// Prints one line a change.
pub fn print(changes: &Value) {
    print!("{}", table(changes.as_array().map(Vec::as_slice).unwrap_or_default()));
}

/// Columns as wide as their widest cell; the last one is free.
fn table(changes: &[Value]) -> String {
    if changes.is_empty() {
        return "no changes; open one with `trueup mr open`\n".into();
    }
    let row = |change: &Value| [format!("{}!{}", field(change, "repo"), field(change, "number")), field(change, "phase"), field(change, "title"), field(change, "waits_for")];
    let mut rows = vec![["change", "phase", "title", "waits for"].map(str::to_owned)];
    rows.extend(changes.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (name, phase, title) = (width(0), width(1), width(2));
    let line = |[a, b, c, d]: &[String; 4]| format!("{a:<name$}  {b:<phase$}  {c:<title$}  {d}").trim_end().to_owned() + "\n";
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::table;
    use serde_json::json;

    #[test]
    fn changes_stand_in_columns() {
        let changes = [
            json!({ "repo": "dns", "number": 7, "phase": "rolling", "title": "move www", "waits_for": "step 2 of 5" }),
            json!({ "repo": "team/zones", "number": 12, "phase": "awaiting_approval", "title": "ü", "waits_for": "one approval by `@sre`" }),
        ];
        insta::assert_snapshot!(table(&changes), @r"
        change         phase              title     waits for
        dns!7          rolling            move www  step 2 of 5
        team/zones!12  awaiting_approval  ü         one approval by `@sre`
        ");
        insta::assert_snapshot!(table(&[]), @"no changes; open one with `trueup mr open`");
    }
}
