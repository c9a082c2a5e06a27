//! Repositories against the git program.
