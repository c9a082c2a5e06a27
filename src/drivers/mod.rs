//! The code that talks to live systems, one folder a kind; IO only.

pub mod dns;
