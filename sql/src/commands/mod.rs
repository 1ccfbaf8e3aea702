//! Commands: utility statements that change what exists.

pub mod dependency;
