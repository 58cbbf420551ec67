//! A study of four runs.

/// Four runs of 20 updates, and no range test. What is trained, and the title of all, come before it.
pub(crate) const STUDY: &str = r#"
[[comparison]]
name = "small"
title = "20 updates"
updates = 20
evaluations = 2
reference = "a"
seeds = [1, 2]
margin = 0.5

[[comparison.arm]]
label = "a"
policy = "fixed(lr=0.05)"
tuned = false

[[comparison.arm]]
label = "b"
policy = "linear(lr=0.05)"
tuned = false
"#;
