//! `deploy/nats/permissions.conf` in tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::toys::with_toys;

/// The users of `deploy/nats/permissions.conf` that have a password. In tests it is the name.
#[must_use]
pub fn users() -> BTreeSet<String> {
    let permissions = fs::read_to_string(workspace().join("deploy/nats/permissions.conf"));
    let permissions = permissions.expect("the permissions are there");
    let name = |text: &str| Some(text.split_once("_PASSWORD")?.0.to_lowercase());
    permissions.split("$NEWSWIRE_NATS_").skip(1).filter_map(name).collect()
}

/// Puts Newswire's permissions into `dir`, and those of the service of the tests.
pub(crate) fn copy_permissions(dir: &Path) {
    let permissions = fs::read_to_string(workspace().join("deploy/nats/permissions.conf"));
    let permissions = with_toys(&permissions.expect("the permissions are there"));
    fs::write(dir.join("permissions.conf"), permissions).expect("the permissions are copied");
}

/// The project.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
