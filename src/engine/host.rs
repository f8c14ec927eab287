//! Which process this is, so that others can tell whether it still runs.

/// A process, as far as another one can recognise it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Process {
    /// The machine's name; for people, never compared.
    pub host: String,
    /// Another one after each boot; empty where the system has none.
    pub boot_id: String,
    /// Containers on one machine share its boot id but not their process numbers.
    pub pid_namespace: Option<String>,
    /// Process number.
    pub pid: u32,
    /// When it was started, in the system's own unit, since numbers are used again.
    pub started: Option<u64>,
}

impl Process {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        let uname = rustix::system::uname();
        Self {
            host: uname.nodename().to_string_lossy().into_owned(),
            boot_id: boot_id().unwrap_or_default(),
            pid_namespace: pid_namespace(),
            pid,
            started: stat(pid).map(|stat| stat.started),
        }
    }

    /// Whether this process is known to have ended, as seen from `here`. False where that can't
    /// be told: on another machine, after a boot, in another container.
    pub fn is_gone(&self, here: &Self) -> bool {
        let comparable = !self.boot_id.is_empty()
            && self.boot_id == here.boot_id
            && self.pid_namespace == here.pid_namespace;
        comparable && !self.is_alive()
    }

    fn is_alive(&self) -> bool {
        let Some(pid) = i32::try_from(self.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        else {
            return false;
        };
        // Asks the kernel itself: other users' processes may be hidden from /proc.
        if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return false;
        }
        match stat(self.pid) {
            Some(stat) => !stat.ended && self.started.is_none_or(|own| own == stat.started),
            None => true,
        }
    }
}

#[cfg(target_os = "linux")]
fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// macOS has the same under another name.
#[cfg(not(target_os = "linux"))]
fn boot_id() -> Option<String> {
    let output = std::process::Command::new("/usr/sbin/sysctl")
        .args(["-n", "kern.bootsessionuuid"])
        .output()
        .ok()?;
    let id = String::from_utf8(output.stdout).ok()?;
    Some(id.trim().to_owned())
}

/// `pid:[4026531836]`
fn pid_namespace() -> Option<String> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

struct Stat {
    /// Dead, though its parent has not asked about it yet.
    ended: bool,
    /// Clock ticks between boot and start.
    started: u64,
}

/// Fields 3 and 22 of `/proc/<pid>/stat`, see proc_pid_stat(5). None where there is no `/proc` or
/// no such process in it.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 2 is the command in parentheses and may itself contain any character.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    Some(Stat {
        ended: matches!(state, "Z" | "X"),
        started: fields.nth(18)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    use std::process::Command;

    #[test]
    fn this_process_is_alive() {
        let here = Process::current();
        assert!(!here.is_gone(&here), "{here:?}");
        assert!(!here.host.is_empty());
        assert!(!here.boot_id.is_empty());
    }

    #[test]
    fn an_ended_process_is_gone_even_before_its_parent_has_noticed() {
        let here = Process::current();
        let mut child = Command::new("true").spawn().unwrap();
        let process = Process {
            pid: child.id(),
            started: None,
            ..here.clone()
        };
        let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), options).unwrap();
        if cfg!(target_os = "linux") {
            assert!(process.is_gone(&here), "a zombie");
        }
        child.wait().unwrap();
        assert!(process.is_gone(&here));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let here = Process::current();
        let earlier = Process {
            started: here.started.map(|ticks| ticks - 1),
            ..here.clone()
        };
        assert!(earlier.is_gone(&here));
    }

    #[test]
    fn nothing_is_said_of_other_boots_machines_and_containers() {
        let here = Process::current();
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let gone = Process {
            pid: child.id(),
            ..here.clone()
        };
        assert!(gone.is_gone(&here));
        let other_boot = Process {
            boot_id: "other".to_owned(),
            ..gone.clone()
        };
        let other_container = Process {
            pid_namespace: Some("pid:[1]".to_owned()),
            ..gone.clone()
        };
        let no_boot_id = Process {
            boot_id: String::new(),
            ..gone
        };
        let unknowing = Process {
            boot_id: String::new(),
            ..here.clone()
        };
        assert!(!other_boot.is_gone(&here));
        assert!(!other_container.is_gone(&here));
        assert!(!no_boot_id.is_gone(&unknowing));
    }
}
