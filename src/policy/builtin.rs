//! The shipped policies, embedded.
//!
//! Nothing is decided here; the texts lie in `policies/`.

/// Every built-in policy: name and text.
pub const BUILTIN: &[(&str, &str)] = &[
    ("strict", include_str!("../../policies/strict.toml")),
    ("base", include_str!("../../policies/base.toml")),
    ("compile", include_str!("../../policies/compile.toml")),
    ("agent", include_str!("../../policies/agent.toml")),
    ("judge", include_str!("../../policies/judge.toml")),
    (
        "judge-compile",
        include_str!("../../policies/judge-compile.toml"),
    ),
];

/// The text of a built-in policy.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// The names, for messages.
pub(super) fn names() -> Vec<&'static str> {
    BUILTIN.iter().map(|(name, _)| *name).collect()
}
