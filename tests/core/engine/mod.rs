//! The engine: scenarios as text files, every prefix recovers.
