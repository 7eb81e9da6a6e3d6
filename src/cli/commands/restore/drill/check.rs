//! The command that looks at what was restored.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::engine::drill::{Check, Scratch};
use crate::engine::model::drill::Checked;

/// How much of what a command writes is kept: the end.
const KEPT: usize = 16 << 10;

/// How long to wait for what was written last, once the command has ended.
const REST: Duration = Duration::from_secs(1);

/// Runs `$2`; of several kubeconfigs the first that names a context, `$1`, decides.
///
/// The whole group ends once nobody holds the other end of its input any more: it was given up, its
/// command has ended, or this program was killed.
const WRAPPER: &str = r#"
exec 3<&0 </dev/null
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
if [ -n "$1" ]; then
    export KUBECONFIG="$1:${KUBECONFIG:-$HOME/.kube/config}"
fi
exec sh -c "$2" 2>&1
"#;

/// A command of this machine's shell.
#[derive(Debug)]
pub(super) struct ShellCheck {
    command: String,
    kubeconfig: Option<PathBuf>,
    /// Names the context; lives as long as the command.
    context: Option<NamedTempFile>,
    output: Mutex<Vec<u8>>,
}

impl ShellCheck {
    /// A command that finds the same cluster as this program.
    pub(super) fn new(
        command: String,
        kubeconfig: Option<&Path>,
        context: Option<&str>,
    ) -> io::Result<Self> {
        let context = context.map(choice).transpose()?;
        let kubeconfig = kubeconfig.map(Path::to_owned);
        Ok(Self { command, kubeconfig, context, output: Mutex::default() })
    }

    fn start(&self, scratch: &Scratch) -> io::Result<Child> {
        let context = self.context.as_ref().map(|file| file.path().as_os_str()).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", WRAPPER, "sh"]).arg(context).arg(&self.command);
        command.env("BOWLINE_DRILL_UID", &scratch.uid);
        command.env("BOWLINE_DRILL_BACKUP", &scratch.backup);
        let pairs = scratch.namespaces.iter().map(|(from, to)| format!("{from}={to}"));
        command.env("BOWLINE_DRILL_NAMESPACES", pairs.collect::<Vec<_>>().join(" "));
        if let [name] = &scratch.namespaces.values().collect::<Vec<_>>()[..] {
            command.env("BOWLINE_DRILL_NAMESPACE", name);
        }
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.process_group(0).kill_on_drop(true).spawn()
    }

    async fn carry_out(&self, scratch: &Scratch) -> io::Result<ExitStatus> {
        let mut child = self.start(scratch)?;
        let (tether, stdout) = (child.stdin.take(), child.stdout.take());
        let mut reading = Box::pin(self.read(stdout));
        let (status, is_read) = tokio::select! {
            status = child.wait() => (status?, false),
            read = &mut reading => {
                read?;
                (child.wait().await?, true)
            }
        };
        // What it left in the background ends with it, and may have its output open until then.
        drop(tether);
        if !is_read && let Ok(read) = timeout(REST, reading).await {
            read?;
        }
        Ok(status)
    }

    async fn read(&self, stdout: Option<ChildStdout>) -> io::Result<()> {
        let Some(mut stdout) = stdout else { return Ok(()) };
        let mut piece = vec![0; 4 << 10];
        loop {
            match stdout.read(&mut piece).await? {
                0 => return Ok(()),
                length => self.keep(&piece[..length]),
            }
        }
    }

    fn keep(&self, piece: &[u8]) {
        let mut output = self.output();
        output.extend_from_slice(piece);
        let excess = output.len().saturating_sub(KEPT);
        output.drain(..excess);
    }

    fn output(&self) -> MutexGuard<'_, Vec<u8>> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, exit_code: Option<i32>, fault: Option<String>, took: Duration) -> Checked {
        Checked {
            command: self.command.clone(),
            exit_code,
            fault,
            output: String::from_utf8_lossy(&self.output()).into_owned(),
            seconds: took.as_secs(),
        }
    }
}

/// A kubeconfig that says nothing but which context is meant.
fn choice(context: &str) -> io::Result<NamedTempFile> {
    let file = NamedTempFile::with_prefix("bowline-context-")?;
    let name = serde_json::to_string(context)?;
    let text = format!("apiVersion: v1\nkind: Config\ncurrent-context: {name}\n");
    std::fs::write(file.path(), text)?;
    Ok(file)
}

#[async_trait]
impl Check for ShellCheck {
    async fn run(&self, scratch: &Scratch) -> Checked {
        let started = Instant::now();
        let ended = self.carry_out(scratch).await;
        let (exit_code, fault) = match ended {
            Ok(status) if status.code().is_some() => (status.code(), None),
            Ok(status) => (None, Some(format!("was ended ({status})"))),
            Err(error) => (None, Some(format!("could not be run: {error}"))),
        };
        self.answer(exit_code, fault, started.elapsed())
    }

    fn timed_out(&self, after: Duration) -> Checked {
        let fault = format!("did not end within {} s", after.as_secs());
        self.answer(None, Some(fault), after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> Scratch {
        let namespaces = [("shop".to_owned(), "shop-drill-1".to_owned())].into();
        Scratch { uid: "u".to_owned(), backup: "b".to_owned(), namespaces }
    }

    async fn said(command: &str) -> Checked {
        ShellCheck::new(command.to_owned(), None, None).unwrap().run(&scratch()).await
    }

    #[tokio::test]
    async fn a_command_is_told_where_to_look_and_its_words_and_exit_code_are_kept() {
        let command =
            "echo $BOWLINE_DRILL_NAMESPACE $BOWLINE_DRILL_NAMESPACES; echo no >&2; exit 7";
        let checked = said(command).await;
        assert_eq!(checked.output, "shop-drill-1 shop=shop-drill-1\nno\n");
        assert_eq!((checked.exit_code, checked.is_passed()), (Some(7), false));
        assert!(said("true").await.is_passed());
        assert!(said("kill -9 $$").await.fault.is_some());
    }

    #[tokio::test]
    async fn of_much_output_the_end_is_kept() {
        let checked = said("seq 1 100000; echo end").await;
        assert!(checked.output.ends_with("100000\nend\n"));
        assert_eq!(checked.output.len(), KEPT);
    }

    #[tokio::test]
    async fn a_command_finds_the_cluster_that_was_asked_for() {
        let (file, context) = (Path::new("/etc/kube"), Some("west"));
        let command = r#"echo "${KUBECONFIG#*:}"; cat "${KUBECONFIG%%:*}""#;
        let check = ShellCheck::new(command.to_owned(), Some(file), context).unwrap();
        let checked = check.run(&scratch()).await;
        let expected = "/etc/kube\napiVersion: v1\nkind: Config\ncurrent-context: \"west\"\n";
        assert_eq!(checked.output, expected);
    }

    #[tokio::test]
    async fn a_command_ends_with_its_shell_and_what_that_left_in_the_background_with_it() {
        let checked = said("sleep 300 & echo $!; exit 3").await;
        assert_eq!((checked.exit_code, checked.seconds < 60), (Some(3), true), "{checked:?}");
        gone(checked.output.trim()).await;
    }

    /// Waits until a process is no more; a zombie is a name until whoever inherited it looks.
    async fn gone(id: &str) {
        let stat = format!("/proc/{id}/stat");
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }

    async fn wait_for_text(path: &Path) {
        while std::fs::read_to_string(path).unwrap().trim().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_command_that_is_given_up_ends_with_all_that_it_started() {
        let marker = NamedTempFile::new().unwrap();
        let path = marker.path().display();
        let command = format!("(sleep 300; echo late > {path}) & echo $! > {path}; wait");
        let check = ShellCheck::new(command, None, None).unwrap();
        let (scratch, begun) = (scratch(), wait_for_text(marker.path()));
        tokio::select! {
            _ = check.run(&scratch) => panic!("it ended"),
            () = begun => {}
        }
        gone(std::fs::read_to_string(marker.path()).unwrap().trim()).await;
        let checked = check.timed_out(Duration::from_secs(1));
        assert!(checked.fault.is_some() && !checked.is_passed(), "{checked:?}");
    }
}
