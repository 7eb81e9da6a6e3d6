//! `bowline location check`.

use insta::assert_snapshot;

use crate::site::Site;

/// What is shown, without how long it took.
async fn check(site: &Site, line: &str) -> String {
    let shown = site.run(line).await;
    let lines = shown.lines().map(|line| {
        if line.trim_start().starts_with("\"milliseconds\"") {
            return line.split(':').next().unwrap().to_owned();
        }
        let words = line.split("  ").map(|word| {
            let number = word.trim().strip_suffix("ms").unwrap_or_default();
            let is_time = number.parse::<u64>().is_ok();
            if is_time { "[TIME]" } else { word.trim() }
        });
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How many files there are.
fn files(directory: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test]
async fn a_sound_location_passes_every_step_and_is_left_as_it_was() {
    let site = Site::new();
    assert_snapshot!(check(&site, "location check").await, @r"
    exit code: 0
    --- stdout
    Location:  file:///HOME/location

    Steps:
    STEP  OUTCOME  TIME  DETAIL
    reach  ok  [TIME]  <none>
    write  ok  [TIME]  <none>
    refuse a second write  ok  [TIME]  <none>
    replace what is unchanged  ok  [TIME]  <none>
    read  ok  [TIME]  <none>
    read a range  ok  [TIME]  <none>
    upload in parts  ok  [TIME]  <none>
    list  ok  [TIME]  <none>
    delete  ok  [TIME]  <none>
    ");
    assert_eq!(files(&site.path("")), 0);
}

#[tokio::test]
async fn what_is_odd_is_a_warning() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site.write("other/file", "mine");
    let shown = check(&site, "location check -o json").await;
    assert_snapshot!(shown.split("\"steps\"").next().unwrap(), @r#"
    exit code: 0
    --- stdout
    {
    "location": "file:///HOME/location",
    "#);
    assert_snapshot!(shown.split("\"warnings\"").nth(1).unwrap(), @r#"
    : [
    {
    "scope": "run",
    "resource": null,
    "namespace": null,
    "name": null,
    "operation": "list",
    "status": null,
    "message": "at its root there is other: a Velero would find the location Unavailable",
    "hint": "choose a prefix of its own for backups, such as s3://bucket/backups"
    }
    ],
    "hint": null
    }
    "#);
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_told_step_by_step() {
    let site = Site::new();
    let file = site.bowline.home().join("file");
    std::fs::write(&file, "mine").unwrap();
    let line = format!("location check file://{}", file.display());
    assert_snapshot!(check(&site, &line).await, @r#"
    exit code: 5
    --- stdout
    Location:  file:///HOME/file

    Steps:
    STEP  OUTCOME  TIME  DETAIL
    reach  failed  [TIME]  /HOME/file: Not a directory (os error 20)
    write  skipped  [TIME]  "reach" has to work first
    refuse a second write  skipped  [TIME]  "write" has to work first
    replace what is unchanged  skipped  [TIME]  "write" has to work first
    read  skipped  [TIME]  "write" has to work first
    read a range  skipped  [TIME]  "write" has to work first
    upload in parts  skipped  [TIME]  "write" has to work first
    list  skipped  [TIME]  "write" has to work first
    delete  skipped  [TIME]  "write" has to work first

    Hint:
    check the URL; for a bucket also region and endpoint (region=, endpoint= in the URL) and credentials (profile= in the URL, AWS_PROFILE), which must be allowed to list it
    "#);
    assert_snapshot!(check(&site, "location check nowhere").await, @r#"
    exit code: 4
    --- stderr
    error: location "nowhere" does not exist in /HOME/.config/bowline/config.toml
    hint: bowline location get lists what there is; a URL looks like file:///var/backups
    "#);
    assert_snapshot!(check(&site, "location check /var").await, @r#"
    exit code: 2
    --- stderr
    error: "/var" is a path, not a URL
    hint: write file:///var
    "#);
}

#[tokio::test]
async fn a_directory_that_is_mistyped_is_not_made() {
    let site = Site::new();
    let mistyped = site.bowline.home().join("locatoin");
    let line = format!("location check file://{}", mistyped.display());
    assert_snapshot!(check(&site, &line).await, @r#"
    exit code: 5
    --- stderr
    error: directory "/HOME/locatoin" does not exist
    hint: is it the one you meant? the first backup, or mkdir -p, makes it
    "#);
    assert!(!mistyped.exists());
}
