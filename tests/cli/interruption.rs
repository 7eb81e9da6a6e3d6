//! Ctrl-C, while the cluster keeps silent.

use std::net::TcpListener;

use bowline_testkit::Output;
use insta::assert_snapshot;

use crate::site::Site;

/// Starts a command, waits until it says something, and interrupts it.
async fn interrupted(site: &Site, line: &str, said: &str) -> Output {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = site.with_server(&format!("http://{}", silent.local_addr().unwrap()));
    let running = site.bowline.spawn(&line.split(' ').collect::<Vec<_>>()).unwrap();
    running.wait_for_stderr(said).await.unwrap();
    running.interrupt().unwrap();
    running.wait().await.unwrap()
}

#[tokio::test]
async fn a_backup_says_how_to_make_it_anew() {
    let site = Site::new();
    let output = interrupted(&site, "backup create x", "checking").await;
    assert_snapshot!(site.shown(&output), @r"
    exit code: 130
    --- stderr
    checking
    error: interrupted
    hint: what it has written is Incomplete; run the same command again with --replace-incomplete
    ");
}

#[tokio::test]
async fn a_restore_says_its_name_at_once_and_how_it_goes_on() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let command = "restore create --from-backup shop-full";
    let Output { code, stdout, stderr } = interrupted(&site, command, "reading the backup").await;
    let name = stderr.split(' ').find(|word| word.starts_with("shop-full-")).unwrap();
    let name = name.trim_end_matches(';').to_owned();
    let digits = name.trim_start_matches("shop-full-");
    assert!(digits.len() == 14 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
    let stderr = stderr.replace(&name, "NAME");
    assert_snapshot!(site.shown(&Output { code, stdout, stderr }), @r"
    exit code: 130
    --- stderr
    this restore is named NAME; should it be interrupted, it goes on under that name
    reading the backup
    error: interrupted
    hint: nothing was changed yet
    ");
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_to_go_on_with() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let command = "restore create --from-backup shop-full --dry-run -o json";
    let output = interrupted(&site, command, "reading the backup").await;
    assert_snapshot!(site.shown(&output), @r#"
    exit code: 130
    --- stdout
    {
      "error": {
        "message": "interrupted",
        "causes": [],
        "hint": null,
        "exitCode": 130
      }
    }
    --- stderr
    reading the backup
    "#);
}
