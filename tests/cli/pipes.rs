//! Where stdout goes: to a reader that has gone away, and to a full disk.

use bowline_testkit::{Bowline, Output};

/// Runs the program as `$BOWLINE` of a shell script.
async fn script(text: &str) -> Output {
    let bash = Bowline::new("/bin/bash").unwrap().env("BOWLINE", env!("CARGO_BIN_EXE_bowline"));
    bash.run(&["-c", text]).await.unwrap()
}

#[tokio::test]
async fn a_reader_that_has_gone_away_is_no_error() {
    for command in [
        "version",
        "--help",
        "completion bash",
        "backup get -o json",
        "backup describe x -o json",
        "backup --bad -o json",
    ] {
        let gone = format!("exec 3> >(:); wait $!; $BOWLINE {command} >&3; echo $?");
        let closed = script(&gone).await;
        let read = script(&format!("$BOWLINE {command} > /dev/null; echo $?")).await;
        assert_eq!((&closed.stdout, closed.stderr.as_str()), (&read.stdout, ""), "{command}");
    }
}

#[tokio::test]
async fn a_disk_that_is_full_is_an_error() {
    let output = script("$BOWLINE version > /dev/full").await;
    assert_eq!(output.code, Some(1));
    assert_eq!(output.stderr, "error: No space left on device (os error 28)\n");
}
