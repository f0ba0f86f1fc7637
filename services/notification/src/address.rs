//! Which mailbox a user has.

use eventsourcing::UserId;
use lettre::Address;

/// The mailbox of `user`: the id itself when it names a domain, otherwise in `domain`. `None` when there cannot be one.
///
/// A local part that is no dot-string is quoted (RFC 5321, 4.1.2); a user id has no character that wants a backslash. What
/// comes before the last `@` is the local part.
pub(crate) fn mailbox(user: &UserId, domain: &str) -> Option<Address> {
    let (local, domain) = user.as_str().rsplit_once('@').unwrap_or((user.as_str(), domain));
    let quoted = || Address::new(format!("\"{local}\""), domain);
    Address::new(local, domain).or_else(|_| quoted()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str) -> Option<String> {
        let user = user.parse().expect("a user id");
        mailbox(&user, "example.org").map(|address| address.to_string())
    }

    #[test]
    fn an_id_that_is_no_dot_string_is_quoted() {
        for (user, address) in [
            ("ann", "ann@example.org"),
            ("ann@example.com", "ann@example.com"),
            ("ann+news@example.com", "ann+news@example.com"),
            ("sammy.davis.jr.", "\"sammy.davis.jr.\"@example.org"),
            ("j..doe", "\"j..doe\"@example.org"),
            (".@example.com", "\".\"@example.com"),
            ("a@b@c", "\"a@b\"@c"),
            (&"x".repeat(64), &format!("{}@example.org", "x".repeat(64))),
        ] {
            assert_eq!(of(user).as_deref(), Some(address), "{user}");
        }
    }

    #[test]
    fn an_id_without_a_local_part_or_with_an_impossible_domain_has_none() {
        let too_long_in_quotes = format!("{}.", "x".repeat(62));
        for user in
            ["@", "@@", "@example.org", "ann@", "ann@-x.org", "ann@x..y", &too_long_in_quotes]
        {
            assert_eq!(of(user), None, "{user}");
        }
    }
}
