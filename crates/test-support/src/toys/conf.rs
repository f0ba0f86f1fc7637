/// What the user `toy` may do.
const USER: &str = include_str!("toys.conf");

/// `permissions` with a user for the toy contexts.
///
/// # Panics
/// The users do not stand where they stood.
pub(crate) fn with_toys(permissions: &str) -> String {
    const BEFORE: &str = "jetstream: enabled\n\n    users = [\n";
    assert_eq!(permissions.matches(BEFORE).count(), 1, "one account has users and JetStream");
    permissions.replacen(BEFORE, &format!("{BEFORE}{USER}"), 1)
}
