//! Servers and fixtures the tests of every crate use. Nothing here reaches a user.
