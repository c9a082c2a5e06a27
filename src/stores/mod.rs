//! Stores: adapters of the `Kv` port, and the one Store written over it.
