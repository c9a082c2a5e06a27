//! The whole service against a real name server.
