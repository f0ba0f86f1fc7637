//! What a `Host` may be (RFC 9110, 7.2): a host and, perhaps, a port.

use std::net::Ipv6Addr;

/// Whether `text` is `uri-host [ ":" port ]` (RFC 3986, 3.2.2 and 3.2.3) and names a host.
pub(super) fn is_host(text: &str) -> bool {
    let (is_name, port) = if let Some(literal) = text.strip_prefix('[') {
        let Some((literal, port)) = literal.split_once(']') else { return false };
        (literal.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        (is_reg_name(&text[..end]), &text[end..])
    };
    is_name && is_port(port)
}

fn is_reg_name(name: &str) -> bool {
    let mut rest = name.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'%', [one, two, behind @ ..])
                if one.is_ascii_hexdigit() && two.is_ascii_hexdigit() =>
            {
                behind
            }
            (byte, behind) if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => {
                behind
            }
            _ => return false,
        };
    }
    !name.is_empty()
}

/// Nothing, or a colon and a port; the port may be missing.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    is_number && (port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_perhaps_a_port_is_taken_and_nothing_else() {
        for host in [
            "a",
            "localhost:8080",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::7]:65535",
            "x.example.",
            "a:",
            "b%C3%BCcher.example",
            "a_b",
        ] {
            assert!(is_host(host), "{host}");
        }
        for text in [
            "",
            ":80",
            "user@a",
            "a/path",
            "a b",
            "a:99999",
            "a:x",
            "a:80:80",
            "a:+1",
            "[::1",
            "[a]",
            "[::1]x",
            "::1",
            "a%2",
            "a%zz",
            "a?b",
            "a#b",
            "b\u{fc}cher",
        ] {
            assert!(!is_host(text), "{text}");
        }
    }
}
