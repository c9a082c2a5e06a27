//! Repositories: merged tree, tree diff, blobs, and the unit cache with its reverse index.
