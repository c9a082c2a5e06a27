//! The demo's shop: it follows what trueup changes, and its client counts honestly.

mod shop;
