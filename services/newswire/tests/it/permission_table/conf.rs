//! The users of `permissions.conf`, as far as this project writes it.

/// A user, and where it may publish and subscribe.
#[derive(Debug, Clone, Default)]
pub struct User {
    pub name: String,
    pub publish: Vec<Allowed>,
    pub subscribe: Vec<Allowed>,
}

/// A subject, or many.
#[derive(Debug, Clone)]
pub struct Allowed {
    pub pattern: String,
    /// The only queue group in which it may be subscribed to.
    pub queue: Option<String>,
}

/// What comes next belongs there.
enum Into {
    Nothing,
    Publish,
    Subscribe,
}

/// Reads the users of the account that has JetStream.
pub fn users(text: &str) -> Vec<User> {
    let (_, account) = text.split_once("jetstream: enabled").expect("an account has JetStream");
    let (mut users, mut into) = (Vec::<User>::new(), Into::Nothing);
    for line in account.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        assert!(!line.contains("deny"), "the test knows allow lists only: {line}");
        if let Some((_, rest)) = line.split_once("user: ") {
            let name = rest.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
            users.push(User { name: name.to_owned(), ..User::default() });
            into = Into::Nothing;
        }
        // Both may stand on one line, each with its strings behind it.
        for (index, part) in line.split('"').enumerate() {
            if index % 2 == 1 {
                add(&mut users, &into, part);
            } else if part.contains("publish:") {
                into = Into::Publish;
            } else if part.contains("subscribe:") {
                into = Into::Subscribe;
            } else if part.contains("allow_responses") || line == "}" {
                into = Into::Nothing;
            }
        }
    }
    users
}

fn add(users: &mut [User], into: &Into, text: &str) {
    let user = users.last_mut().expect("a permission is a user's");
    let (pattern, queue) = match text.split_once(' ') {
        Some((pattern, queue)) => (pattern.to_owned(), Some(queue.to_owned())),
        None => (text.to_owned(), None),
    };
    let allowed = Allowed { pattern, queue };
    match into {
        Into::Publish => user.publish.push(allowed),
        Into::Subscribe => user.subscribe.push(allowed),
        // Such as how long an answer may take.
        Into::Nothing => {}
    }
}

/// Whether everything that `subject` can be is matched by `pattern`.
pub fn covers(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(own), Some(token)) if own == token => {}
            _ => return false,
        }
    }
}

#[test]
fn a_pattern_covers_what_the_server_matches() {
    for (pattern, subject, expected) in [
        ("a.>", "a.b.c", true),
        ("a.>", "a", false),
        ("a.*", "a.b", true),
        ("a.*", "a.b.c", false),
        ("a.*", "a.>", false),
        ("a.*", "a.*", true),
        (">", "a.*", true),
        ("a.b", "a.*", false),
    ] {
        assert_eq!(covers(pattern, subject), expected, "{pattern} {subject}");
    }
}
