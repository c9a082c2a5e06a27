//! The local forge: bare repositories on disk, merge requests in the store.
