//! `bowline completion`, and what its scripts call back.

use std::time::Duration;

use bowline_testkit::Bowline;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::site::Site;

#[tokio::test]
async fn every_shell_gets_a_script() {
    let site = Site::new();
    for (shell, beginning) in [
        ("bash", "# bash completion for bowline\n"),
        ("elvish", "\nuse builtin;"),
        ("fish", "# fish completion for bowline\n"),
        ("powershell", "\nusing namespace System.Management.Automation"),
        ("zsh", "#compdef bowline\n"),
    ] {
        let script = site.bowline.run(&["completion", shell]).await.unwrap().success();
        assert!(script.starts_with(beginning), "{shell}: {}", &script[..80]);
    }
}

/// What bash offers for a line, by the script and the program that it calls.
async fn offered(site: &Site, line: &str) -> Vec<String> {
    let script = site.bowline.run(&["completion", "bash"]).await.unwrap().success();
    let path = site.bowline.home().join("completion.bash");
    std::fs::write(&path, script).unwrap();
    let program = env!("CARGO_BIN_EXE_bowline");
    // bash parts the line as it does for readline: at spaces, and at each of : and =.
    let steps = format!(
        r#"source {path}
        complete -p bowline >/dev/null || exit 1
        compopt() {{ echo compopt "$@"; }}
        COMP_LINE="$1"; COMP_POINT=${{#COMP_LINE}}
        parted="${{COMP_LINE//:/ : }}"; parted="${{parted//=/ = }}"
        read -ra COMP_WORDS <<< "$parted"
        [[ "$COMP_LINE" == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_WORDS[0]={program}
        _bowline
        printf '%s\n' "${{COMPREPLY[@]}}""#,
        path = path.display()
    );
    let home = site.bowline.home().display();
    let bash = Bowline::new("/bin/bash")
        .unwrap()
        .env("XDG_CONFIG_HOME", &format!("{home}/.config"))
        .env("BOWLINE_LOCATION", &format!("file://{}", site.bowline.location().display()))
        .env("KUBECONFIG", &format!("{home}/kubeconfig"));
    let output = bash.run(&["-c", &steps, "bash", line]).await.unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{line}");
    output.stdout.lines().filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn bash_completes_commands_flags_and_names() {
    let site = Site::new().with_server("http://127.0.0.1:1");
    site.add_velero_backup("shop-full");
    site.add_attempt("shop-2", "2026-03-01T02:00:00Z");
    site.write("backups/No Name; rm/velero-backup.json", "{}");
    site.add_restore("copy", None);
    site.run("location create lab --url file:///lab").await;
    for (line, expected) in [
        ("bowline back", &["backup"][..]),
        ("bowline get back", &["backups"]),
        ("bowline backup describe ", &["shop-2", "shop-full"]),
        ("bowline backup describe shop-f", &["shop-full"]),
        ("bowline delete backup shop-2 sh", &["shop-2", "shop-full"]),
        ("bowline restore create x --from-backup shop-f", &["shop-full"]),
        ("bowline restore create x --from-backup=shop-f", &["shop-full"]),
        ("bowline restore describe ", &["copy"]),
        ("bowline backup get --location ", &["lab"]),
        ("bowline version --kubecontext ", &["east", "west"]),
        ("bowline backup get -o j", &["json"]),
        ("bowline backup create x --include-resources pods,cronj", &["pods,cronjobs.batch"]),
        ("bowline version --kubeconfig ", &["compopt -o default"]),
        ("bowline backup get --storage-location file:///none ", &[]),
        ("bowline nonsense ", &[]),
    ] {
        assert_eq!(offered(&site, line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn what_goes_wrong_is_not_told_in_the_middle_of_a_line() {
    let site = Site::new();
    for line in [
        "bowline backup get --location no/url:// ",
        "bowline --kubecontext ",
        "bowline --storage-location missing backup get ",
    ] {
        let shown = site.run_words(&["__complete", "--", line]).await;
        assert_eq!(shown, "exit code: 0\n", "{line}");
    }
}

#[tokio::test]
async fn names_that_do_not_come_are_not_waited_for() {
    let site = Site::new().with_server("http://127.0.0.1:1");
    // A pipe that nobody writes to is read for ever.
    let pipe = site.bowline.home().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let line = format!("bowline --kubeconfig {} --kubecontext ", pipe.display());
    let bowline = site.bowline.clone().limit(Duration::from_secs(30));
    let output = bowline.run(&["__complete", "--", &line]).await.unwrap();
    assert_eq!(site.shown(&output), "exit code: 0\n");
}

#[tokio::test]
async fn another_shell_is_refused_with_those_there_are() {
    let shown = Site::new().run("completion tcsh").await;
    insta::assert_snapshot!(shown, @r#"
    exit code: 2
    --- stderr
    error: invalid value 'tcsh' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]
    hint: did you mean "zsh"?
    "#);
}
