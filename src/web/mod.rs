//! HTTP: API, pages, live updates, git push, metrics.
