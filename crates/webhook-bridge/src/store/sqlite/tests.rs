//! What the tables promise.
