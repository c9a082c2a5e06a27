//! Why a question to a cluster has no answer that can be used.

/// What went wrong with one request, as far as what to do next depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was done: no member takes a connection, or the one that did turned it away.
    Unreachable(String),
    /// It may have happened.
    Lost(String),
    /// Whoever asks is not let in at all: a wrong password, a token nobody knows.
    Stranger(String),
    /// Whoever asks may not do this to these keys, by their place among those asked for; empty: to some of them, the server does not say which.
    Denied(Vec<usize>),
    /// More operations than the server takes in one transaction; how many it takes, where it says so. Nothing was done.
    TooMany(Option<usize>),
    /// More bytes than the server takes in one request; how many it takes, where it says so. Nothing was done.
    TooLarge(Option<usize>),
    /// The server takes no write before somebody has made room; what to do.
    Full(&'static str),
    /// The server will never do this.
    Other(String),
}
