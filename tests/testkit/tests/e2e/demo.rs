//! The demo.

use tokio::process::Command;

#[tokio::test]
async fn the_demo_tells_its_story_to_the_end() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).output().await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let mut rest = stdout.as_str();
    for told in [
        "$ bowline backup create nightly\nbackup nightly is Completed: ",
        "cluster east is gone",
        "$ bowline restore create --from-backup nightly\nrestore nightly-",
        " is Completed: ",
        "data-nginx-ss-2: 8 files of 4390 KiB, 5 directories and links, byte for byte",
    ] {
        let found = rest.find(told);
        rest = &rest[found.unwrap_or_else(|| panic!("`{told}` is missing:\n{stdout}"))..];
    }
}
