//! The paths that a file imports from its own crate, as far as this project writes them.

use super::Module;

/// The paths of `text`, which is the file of the module `of`.
pub fn of(text: &str, of: &Module) -> Vec<Module> {
    let text = product(text);
    let mut paths = Vec::new();
    for statement in text.split(';') {
        let Some((before, tree)) = statement.rsplit_once("use ") else { continue };
        // What is only passed on is no need of this file.
        let is_passed_on = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
        if !is_passed_on {
            expand(&[], tree, &mut paths);
        }
    }
    paths.into_iter().filter_map(|path| resolve(&path, of)).collect()
}

/// Without comments, and without the tests at the end.
fn product(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(prefix: &[String], tree: &str, paths: &mut Vec<Module>) {
    let mut depth = 0_i32;
    let parts = tree.split(|char: char| {
        depth += i32::from(char == '{') - i32::from(char == '}');
        char == ',' && depth == 0
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let (head, rest) = match part.split_once('{') {
            Some((head, rest)) => (head, rest.rsplit_once('}').map(|(inside, _)| inside)),
            None => (part, None),
        };
        let head = head.split(" as ").next().unwrap_or_default();
        let names = head.split("::").map(str::trim).filter(|name| !name.is_empty());
        let path: Module = prefix.iter().cloned().chain(names.map(str::to_owned)).collect();
        match rest {
            Some(inside) => expand(&path, inside, paths),
            None => paths.push(path),
        }
    }
}

/// The path from the root of the crate; `None` when it is of another one.
fn resolve(path: &[String], of: &Module) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some(of.iter().chain(rest).cloned().collect()),
        "super" => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            let base = of.iter().take(of.len().saturating_sub(ups));
            Some(base.chain(&path[ups..]).cloned().collect())
        }
        _ => None,
    }
}

#[test]
fn imports_are_read_as_they_are_written() {
    let text = "use std::fmt;\nuse super::{Fault, past::{Past as P, Q}};\npub use self::child::X;\n\
                use crate::{\n    a::B,\n    c,\n};\n// use crate::no;\n#[cfg(test)]\nmod tests {\nuse crate::d;\n}";
    let found = of(text, &["x".to_owned(), "y".to_owned()].to_vec());
    let found: Vec<_> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["x::Fault", "x::past::Past", "x::past::Q", "a::B", "c"]);
}
