//! How a command ends: the exit codes scripts rely on.

use std::process::ExitCode;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `plan`: nothing to do.
    Ok,
    /// An error, usage errors too.
    Error,
    /// `plan`, `preview`, `drift`: there are changes.
    Changes,
    /// `mr wait`: the change ended in another phase.
    Elsewhere,
    /// `mr wait`: the time is up.
    TimedOut,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Error => 1,
            Exit::Changes => 2,
            Exit::Elsewhere => 3,
            Exit::TimedOut => 4,
        })
    }
}
