//! Where a house rule is broken on purpose: one list, each entry with its reason; an entry that nothing needs any more fails.

use std::{cell::RefCell, collections::BTreeSet};

/// One place where one rule does not hold.
pub struct Exception {
    pub rule: &'static str,
    pub file: &'static str,
    pub reason: &'static str,
}

pub const EXCEPTIONS: &[Exception] = &[
    Exception { rule: "mod.rs holds docs and re-exports", file: "src/ports/mod.rs", reason: "the one type alias that every port's signature uses" },
    Exception {
        rule: "mod.rs holds docs and re-exports",
        file: "src/core/run/handle/mod.rs",
        reason: "the pass that all of its children are methods of; a file beside it would be named the same",
    },
    Exception {
        rule: "only the wiring names concrete adapters",
        file: "src/app/local_desk.rs",
        reason: "opening merge requests through us is an ability of the local forge alone; this is where it becomes a trait",
    },
    Exception {
        rule: "only the wiring names concrete adapters",
        file: "src/web/git_http.rs",
        reason: "serves the local forge's repositories to git; no other forge has this page",
    },
    Exception { rule: "only the store makes receipts", file: "tests/core/engine/world.rs", reason: "is the store of the engine's scenarios" },
    Exception { rule: "only the store makes receipts", file: "tests/bench/engine.rs", reason: "measures the engine without a store" },
];

/// Collects faults of one rule, takes out the excepted ones, and fails on the rest and on stale exceptions.
pub struct Rule {
    name: &'static str,
    faults: RefCell<Vec<String>>,
    used: RefCell<BTreeSet<&'static str>>,
}

impl Rule {
    pub fn new(name: &'static str) -> Self {
        Self { name, faults: RefCell::default(), used: RefCell::default() }
    }

    /// A fault in a file.
    pub fn broken(&self, file: &str, what: impl std::fmt::Display) {
        match EXCEPTIONS.iter().find(|exception| exception.rule == self.name && exception.file == file) {
            Some(exception) => drop(self.used.borrow_mut().insert(exception.file)),
            None => self.faults.borrow_mut().push(format!("{file}: {what}")),
        }
    }

    /// Fails when there was a fault, or when an exception was not needed.
    pub fn hold(self) {
        let mut faults = self.faults.into_inner();
        let used = self.used.into_inner();
        let stale = EXCEPTIONS.iter().filter(|exception| exception.rule == self.name && !used.contains(exception.file));
        faults.extend(stale.map(|exception| format!("{}: the exception is stale ({}); take it out of tests/core/tidy/exceptions.rs", exception.file, exception.reason)));
        assert!(faults.is_empty(), "{}:\n  {}", self.name, faults.join("\n  "));
    }
}
