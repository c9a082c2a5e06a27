//! Who asks from a job of CI: the tokens that forges make for jobs, judged by the keys they publish, and tokens of our own. Either opens previews alone.

mod keys;
mod sign_in;
mod token;

pub use keys::{KeyFault, KeySource, Keys};
pub use sign_in::{Issuer, Refused, SignIns};
pub use token::{About, Asker, Claimed};
