//! Names that must not stand in places: impurity in the pure layers, empty words, silenced warnings, things put off.

use super::{
    exceptions::Rule,
    source::{Source, sources},
};

/// Whether `word` stands in a line as a word or path of its own.
fn has(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let goes_on = |end: Option<char>, joins: bool| joins && end.is_some_and(part);
        !goes_on(before, word.starts_with(part)) && !goes_on(after, word.ends_with(part))
    })
}

fn none_of(rule: &Rule, source: &Source, words: &[&str]) {
    for (number, line) in source.code() {
        for word in words.iter().filter(|word| has(&line, word)) {
            rule.broken(&source.path, format!("line {number} names {word}"));
        }
    }
}

#[test]
fn the_pure_layers_know_no_runtime_files_network_environment_clock_or_chance() {
    let rule = Rule::new("the pure layers are pure");
    let everywhere = ["tokio", "std::fs", "std::env", "SystemTime", "Instant", "rand", "getrandom", "async", "await", "HashMap", "HashSet", "std::process"];
    // Addresses are values that records hold; sockets are not.
    let network = ["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"];
    for source in sources("src") {
        match source.area() {
            "core" => none_of(&rule, &source, &[&everywhere[..], &["std::net", "std::thread"], &network].concat()),
            "kinds" | "formats" => none_of(&rule, &source, &[&everywhere[..], &network].concat()),
            _ => {}
        }
    }
    rule.hold();
}

#[test]
fn names_say_what_a_thing_is() {
    let rule = Rule::new("names say what a thing is");
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        for (number, line) in source.code() {
            for word in line.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                let empty = ["Manager", "Helper", "Util"].iter().any(|empty| word.contains(empty)) || ["manager", "helper", "helpers", "util", "utils"].contains(&word);
                // The word list of this very rule stands in quotes, which are no code.
                if empty {
                    rule.broken(&source.path, format!("line {number}: {word} says nothing; name what it is"));
                }
            }
        }
        let file = source.path.rsplit('/').next().unwrap_or_default();
        if ["manager.rs", "helper.rs", "helpers.rs", "util.rs", "utils.rs", "common.rs", "misc.rs"].contains(&file) {
            rule.broken(&source.path, "the file's name says nothing");
        }
    }
    rule.hold();
}

#[test]
fn no_warning_is_silenced_and_no_test_is_put_off() {
    let rule = Rule::new("no warning is silenced and no test is put off");
    let late = ["TO", "FIX", "XX"].map(|half| {
        format!(
            "{half}{}",
            if half == "TO" {
                "DO"
            } else if half == "FIX" {
                "ME"
            } else {
                "X"
            }
        )
    });
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        for (number, line) in source.code() {
            if line.contains("#[allow") || line.contains("#![allow") {
                rule.broken(&source.path, format!("line {number}: write #[expect(…, reason)] where a lint is wrong"));
            }
            if line.contains("#[ignore") {
                rule.broken(&source.path, format!("line {number}: an ignored test proves nothing"));
            }
        }
        for (number, line) in source.text.lines().enumerate() {
            if late.iter().any(|word| has(line, word)) {
                rule.broken(&source.path, format!("line {}: do it, or open an issue", number + 1));
            }
        }
    }
    rule.hold();
}

#[test]
fn product_code_does_not_unwrap() {
    let rule = Rule::new("product code does not unwrap");
    for source in sources("src") {
        for (number, line) in source.product() {
            if line.contains(".unwrap()") || line.contains("panic!(") || has(&line, "todo!") || has(&line, "unimplemented!") {
                rule.broken(&source.path, format!("line {number}: return an error, or argue in expect(\"…\") why it cannot fail"));
            }
        }
    }
    rule.hold();
}

#[test]
fn no_test_sleeps_a_fixed_time() {
    let rule = Rule::new("no test sleeps a fixed time");
    for source in sources("tests") {
        for (number, line) in source.code() {
            if has(&line, "thread::sleep") || has(&line, "time::sleep") {
                rule.broken(&source.path, format!("line {number}: wait for a condition, with a deadline"));
            }
        }
    }
    rule.hold();
}

/// Effects wait for a receipt, and only an append is one (I7).
#[test]
fn only_the_store_makes_receipts() {
    let rule = Rule::new("only the store makes receipts");
    let mut made = 0;
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        for (number, line) in source.code() {
            let literal = has(&line, "Receipt {") && !line.contains("struct Receipt") && !line.contains("->");
            if literal && source.path.starts_with("src/stores/") {
                made += 1;
            } else if literal {
                rule.broken(&source.path, format!("line {number} makes a receipt"));
            }
        }
    }
    assert!(made > 0, "the store makes none: this rule looks for the wrong thing");
    rule.hold();
}
