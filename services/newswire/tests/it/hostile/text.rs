//! Text that breaks what handles text carelessly.

/// Strings of every kind that has broken something somewhere, and those of the file that the environment names.
pub fn naughty() -> Vec<String> {
    let own = [
        "",
        " ",
        "\t\r\n",
        "\u{a0}\u{2028}\u{3000}",
        "\0",
        "before\0after",
        "null",
        "undefined",
        "NaN",
        "-1e999",
        "0x0",
        "true",
        "1;DROP TABLE articles;--",
        "' OR 1=1 --",
        "\"; --",
        "%s%n%p",
        "${jndi:ldap://127.0.0.1/a}",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "../../../../etc/passwd",
        "commands.article.>",
        "events.*.*",
        "\\u0000 \\ud800",
        "\u{feff}BOM",
        "a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}",
        "\u{202e}right to left\u{202c}",
        "\u{200b}\u{200d}\u{2060}zero width",
        "👩‍👩‍👧‍👦🏳️‍🌈",
        "\u{10ffff}\u{fffd}\u{fffe}",
        "田中さんにあげて下さい",
        "ثم نفس سقطت",
        "Ω≈ç√∫˜µ≤≥÷",
        "İıſK",
        "\u{1b}[31mred\u{7}",
        "\u{7f}\u{80}\u{9f}",
        "\r\nSet-Cookie: a=b",
        "HPUB events.article 0",
        "+OK\r\nPUB x 1\r\n",
    ];
    let mut all: Vec<String> = own.iter().map(ToString::to_string).collect();
    all.push("x".repeat(200));
    all.push("🦀".repeat(200));
    all.push("x".repeat(201));
    if let Some(path) = std::env::var_os("NEWSWIRE_NAUGHTY_STRINGS") {
        let file = std::fs::read(path).expect("NEWSWIRE_NAUGHTY_STRINGS names a file");
        let more: Vec<String> = serde_json::from_slice(&file).expect("a JSON array of strings");
        all.extend(more);
    }
    all
}

/// Whether an article may have `text` as its title; written independently of the service's own rule.
pub fn is_valid_title(text: &str) -> bool {
    let length = text.chars().count();
    (1..=200).contains(&length) && !text.contains('\0') && text.chars().any(|c| !c.is_whitespace())
}
