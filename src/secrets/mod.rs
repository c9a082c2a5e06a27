//! Secret providers: environment and file.

mod local;

pub use local::LocalSecrets;
