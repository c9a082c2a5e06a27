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

/// Begins what is to be checked about certificates.
pub(super) const CHECK: &str = "; check `tls.";

/// What is to be checked where a member is away.
pub(super) const UP: &str = "; check `endpoints` and that the server is up";

impl Fault {
    /// Whether every member that was asked is there and the certificates are at fault, which no waiting mends.
    pub fn is_about_certificates(&self) -> bool {
        match self {
            Self::Unreachable(why) | Self::Lost(why) => why.contains(CHECK) && !why.contains(UP),
            Self::Stranger(_) | Self::Denied(_) | Self::TooMany(_) | Self::TooLarge(_) | Self::Full(_) | Self::Other(_) => false,
        }
    }
}
