//! README.md says of each code why, and what helps.

use std::{collections::BTreeMap, fs};

use super::End;

const ALL: [End; 13] = [
    End::Closed,
    End::Gone,
    End::Stopping,
    End::ProtocolError,
    End::NotText,
    End::NotUtf8,
    End::TooLarge,
    End::Busy,
    End::TooSlow,
    End::Failed,
    End::Replaced,
    End::Expired,
    End::MessageTimeout,
];

/// What the table of README.md says of each code: when to come back.
fn documented() -> BTreeMap<u16, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let text = fs::read_to_string(path).expect("readable");
    let (_, table) = text.split_once("| code | why | come back |\n|---|---|---|\n").expect("there");
    let (table, _) = table.split_once("\n\n").expect("it ends");
    let mut rows: BTreeMap<u16, String> = BTreeMap::new();
    for row in table.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let &["", codes, _, back, ""] = cells.as_slice() else { panic!("{row}") };
        for code in codes.split(", ") {
            let before = rows.insert(code.parse().expect("a code"), back.to_owned());
            assert_eq!(before, None, "{code} is there twice");
        }
    }
    rows
}

#[test]
fn the_readme_has_every_code_and_no_other() {
    let variants = include_str!("../end.rs").split("pub(super) enum End {").nth(1);
    let (variants, _) = variants.and_then(|text| text.split_once("\n}")).expect("it is there");
    let variants = variants.lines().filter(|line| !line.trim().starts_with("///"));
    assert_eq!(variants.filter(|line| line.ends_with(',')).count(), ALL.len(), "all are in ALL");
    let codes: Vec<u16> = ALL.iter().filter_map(|end| Some(end.close()?.0)).collect();
    let said: Vec<u16> = documented().into_keys().collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    assert_eq!(said, sorted, "in README.md, and in the code");
}

#[test]
fn the_readme_says_of_every_code_whether_to_come_back_as_before_and_when() {
    let said = documented();
    for end in ALL {
        let Some((code, reason)) = end.close() else { continue };
        let back = &said[&code];
        let as_before = match code {
            1001 | 1013 | 4000..4500 => true,
            1000..2000 | 4500..5000 => false,
            _ => panic!("{code} is in no range that anybody may use"),
        };
        assert_eq!(back.contains("with your last position"), as_before, "{code} {reason}: {back}");
        let waits = end.reconnect_after_ms(0) > 0;
        assert_eq!(back.contains("`reconnect_after_ms`"), waits, "{code} {reason}: {back}");
    }
}
