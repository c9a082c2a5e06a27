//! The shell: where effects become real, and the wiring of everything.
