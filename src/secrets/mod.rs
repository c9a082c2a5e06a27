//! Secret providers: environment and file.
