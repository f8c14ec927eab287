//! Running the user's own command.

use super::News;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::fd::AsFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Runs it with `sh -c`: the summary on its standard input, what it says on standard error, the
/// exit code and the like among its variables. When its time is over, it and all that it started
/// is killed.
pub(super) async fn run(line: &str, news: &News, bound: Duration) -> Result<(), String> {
    let wrong = |why: String| format!("[notify] command {why}");
    let mut child = spawn(line, news).map_err(|error| wrong(format!("can't be run: {error}")))?;
    let group = child.id();
    match tokio::time::timeout(bound, feed(&mut child, news)).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(wrong(format!("failed: {status}"))),
        Ok(Err(error)) => Err(wrong(format!("can't be waited for: {error}"))),
        Err(_) => {
            let group = group.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
            if let Some(group) = group {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            Err(wrong(format!(
                "was stopped after {} s; let it go on in the background (`… &`) if it needs longer",
                bound.as_secs_f64()
            )))
        }
    }
}

fn spawn(line: &str, news: &News) -> std::io::Result<Child> {
    // Standard output may be JSON Lines.
    let said = std::io::stderr().as_fd().try_clone_to_owned();
    Command::new("sh")
        .args(["-c", line])
        .env("TIDELOCK_EXIT_CODE", news.exit.code().to_string())
        .env("TIDELOCK_COMMAND", &news.command)
        .env("TIDELOCK_LIBRARY", &news.library)
        .env("TIDELOCK_SNAPSHOT", &news.snapshot)
        .stdin(Stdio::piped())
        .stdout(said.map_or_else(|_| Stdio::null(), Stdio::from))
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn feed(child: &mut Child, news: &News) -> std::io::Result<ExitStatus> {
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read is none the worse for it.
        let fed = async {
            let _ = stdin.write_all(news.summary.as_bytes()).await;
            let _ = stdin.write_all(b"\n").await;
            drop(stdin);
        };
        let (status, ()) = tokio::join!(child.wait(), fed);
        return status;
    }
    child.wait().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ExitCode;

    fn news(summary: String) -> News {
        News {
            command: "run".to_owned(),
            exit: ExitCode::Partial,
            library: "photos".to_owned(),
            snapshot: "20261123T021500Z-1a2b3c4d".to_owned(),
            summary,
        }
    }

    #[tokio::test]
    async fn it_gets_the_summary_and_what_a_script_asks_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("got");
        let line = format!(
            "echo $TIDELOCK_EXIT_CODE $TIDELOCK_COMMAND $TIDELOCK_LIBRARY $TIDELOCK_SNAPSHOT > \
             '{0}'; cat >> '{0}'",
            file.display()
        );
        let summary = "x".repeat(1 << 20);
        run(&line, &news(summary.clone()), Duration::from_secs(60))
            .await
            .expect("it runs");
        let got = std::fs::read_to_string(file).expect("what it got");
        let told = "3 run photos 20261123T021500Z-1a2b3c4d\n";
        assert_eq!(got, format!("{told}{summary}\n"));
    }

    #[tokio::test]
    async fn one_that_reads_nothing_is_fine_and_one_that_fails_is_told() {
        let long = news("x".repeat(1 << 20));
        let bound = Duration::from_secs(60);
        assert_eq!(run("true", &long, bound).await, Ok(()));
        let why = run("exit 9", &long, bound).await.expect_err("fails");
        assert!(why.contains("exit status: 9"), "{why}");
    }

    #[tokio::test]
    async fn one_that_hangs_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let pid = folder.path().join("pid");
        let line = format!("sleep 600 & echo $! > '{}'; wait", pid.display());
        let why = run(&line, &news(String::new()), Duration::from_secs(2))
            .await
            .expect_err("hangs");
        assert!(why.contains("stopped after 2 s"), "{why}");
        let pid = std::fs::read_to_string(pid).expect("it had begun");
        let stat = format!("/proc/{}/stat", pid.trim());
        let gone = || {
            let state = std::fs::read_to_string(&stat).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        // The signal is on its way.
        let begun = std::time::Instant::now();
        while !gone() && begun.elapsed() < Duration::from_secs(20) {
            tokio::task::yield_now().await;
        }
        assert!(gone(), "it still runs");
    }
}
