//! Previews for jobs of CI: without a server from the repository alone (`alone`), or from a running server about one of its changes (`asked`).

mod alone;
mod asked;

pub use alone::{Alone, AloneError, Compared, Fault, alone};
pub use asked::{Answer, Question, asked};
