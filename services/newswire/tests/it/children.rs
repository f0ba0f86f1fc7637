//! The processes that a process has started.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) else {
        return Vec::new();
    };
    // A child belongs to the thread that started it.
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let of_threads =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    let all: Vec<String> = of_threads.chain([text]).collect();
    all.iter().flat_map(|text| text.split_whitespace()).filter_map(|id| id.parse().ok()).collect()
}

/// Whether a process runs.
pub fn runs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

/// Ends processes as a crash does.
pub fn kill(pids: &[u32]) {
    signal(pids, Signal::KILL);
}

/// Stops processes until they are ended.
pub fn pause(pids: &[u32]) {
    signal(pids, Signal::STOP);
}

/// Has processes read their configuration again.
pub fn reload(pids: &[u32]) {
    signal(pids, Signal::HUP);
}

fn signal(pids: &[u32], signal: Signal) {
    for pid in pids {
        let pid = Pid::from_raw(i32::try_from(*pid).expect("a pid")).expect("a pid");
        // It may have ended already.
        let _ = kill_process(pid, signal);
    }
}
