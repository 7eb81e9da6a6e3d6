//! Where backups are kept, and a place that is none.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn what_is_no_location_is_refused_with_the_way_to_write_it() {
    let site = Site::new();
    let get = |location| format!("backup get --storage-location {location}");
    assert_snapshot!(site.run(&get("/var/backups")).await, @r#"
    exit code: 2
    --- stderr
    error: the storage location is not valid (--storage-location)
      cause: "/var/backups" is a path, not a URL
    hint: write file:///var/backups
    "#);
    assert_snapshot!(site.run(&get("backups")).await, @r#"
    exit code: 4
    --- stderr
    error: the storage location is not valid (--storage-location)
      cause: location "backups" does not exist in /HOME/.config/bowline/config.toml
    hint: bowline location get lists what there is; a URL looks like file:///var/backups
    "#);
    #[cfg(not(feature = "aws"))]
    assert_snapshot!(site.run(&get("s3://bucket/prefix")).await, @r"
    exit code: 2
    --- stderr
    error: the storage location is not valid (--storage-location)
      cause: this build has no S3 support
    hint: use a directory, such as file:///var/backups
    ");
    assert_snapshot!(site.run(&get("ftp://me:secret@host/x")).await, @r#"
    exit code: 2
    --- stderr
    error: the storage location is not valid (--storage-location)
      cause: "ftp://host/x" is not a location: there is no location of kind "ftp"
    hint: write the absolute path of a directory, such as file:///var/backups
    "#);
    assert_snapshot!(site.run(&get("file://backups/daily -o json")).await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "the storage location is not valid (--storage-location)",
        "causes": [
          "\"file://backups/daily\" is not a location: it names the host \"backups\", and a relative path is not possible"
        ],
        "hint": "write file:///backups/daily or the absolute path",
        "exitCode": 2
      }
    }
    "#);
}

#[tokio::test]
async fn the_variable_is_named_where_it_is_at_fault() {
    let site = Site::new();
    assert_snapshot!(site.env("BOWLINE_LOCATION", "/var").run("restore get").await, @r#"
    exit code: 2
    --- stderr
    error: the storage location is not valid ($BOWLINE_LOCATION)
      cause: "/var" is a path, not a URL
    hint: write file:///var
    "#);
    assert_snapshot!(site.env("BOWLINE_LOCATION", "").run("backup get").await, @r#"
    exit code: 2
    --- stderr
    error: the storage location is not valid ($BOWLINE_LOCATION)
      cause: "" is not a location: it is empty
    hint: write the absolute path of a directory, such as file:///var/backups
    "#);
    let shown = site.env("BOWLINE_LOCATION", "/var").run("backup get --location file:///x").await;
    assert!(shown.contains("there are no backups in file:///x"), "{shown}");
}

#[tokio::test]
async fn without_any_it_is_a_directory_of_the_users_own() {
    let site = Site::new();
    let bare = site.bowline.clone().without_env("BOWLINE_LOCATION");
    let site = Site { bowline: bare };
    assert_snapshot!(site.run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///HOME/.local/share/bowline
    ");
    assert_snapshot!(site.env("XDG_DATA_HOME", "/data").run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///data/bowline
    ");
    assert_snapshot!(site.env("XDG_DATA_HOME", "").run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///HOME/.local/share/bowline
    ");
    assert_snapshot!(site.env("XDG_DATA_HOME", "relative").run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///HOME/.local/share/bowline
    ");
    let bare = site.bowline.clone().without_env("XDG_DATA_HOME").without_env("HOME");
    assert_snapshot!(Site { bowline: bare }.run("backup get").await, @r"
    exit code: 2
    --- stderr
    error: there is no storage location and no home directory
    hint: name a location with --storage-location file:///var/backups
    ");
}

#[tokio::test]
async fn one_that_is_a_file_cannot_be_used_and_nothing_is_written() {
    let site = Site::new().with_server("https://127.0.0.1:1");
    let file = site.bowline.home().join("file");
    std::fs::write(&file, "mine").unwrap();
    let site = site.env("BOWLINE_LOCATION", &format!("file://{}", file.display()));
    assert_snapshot!(site.run("backup get").await, @r#"
    exit code: 5
    --- stderr
    error: the storage location cannot be used
      cause: failed to list "backups/"
      cause: /HOME/file: Not a directory (os error 20)
    hint: check --storage-location or $BOWLINE_LOCATION
    "#);
    assert_snapshot!(site.run("backup describe x").await, @r#"
    exit code: 5
    --- stderr
    error: the storage location cannot be used
      cause: failed to list "backups/"
      cause: /HOME/file: Not a directory (os error 20)
    hint: check --storage-location or $BOWLINE_LOCATION
    "#);
    assert_snapshot!(site.run("restore get -o json").await, @r#"
    exit code: 5
    --- stdout
    {
      "error": {
        "message": "the storage location cannot be used",
        "causes": [
          "failed to list \"restores/\"",
          "/HOME/file: Not a directory (os error 20)"
        ],
        "hint": "check --storage-location or $BOWLINE_LOCATION",
        "exitCode": 5
      }
    }
    "#);
    assert_snapshot!(site.run("backup create x").await, @r#"
    exit code: 5
    --- stderr
    checking
    error: the storage location cannot be used
      cause: failed to describe "metadata/bowline/deleting/x.json"
      cause: /HOME/file: Not a directory (os error 20)
    hint: check --storage-location or $BOWLINE_LOCATION
    "#);
    assert_snapshot!(site.run("restore create r --from-backup x").await, @r#"
    exit code: 5
    --- stderr
    reading the backup
    error: the storage location cannot be used
      cause: failed to describe "metadata/bowline/deleting/x.json"
      cause: /HOME/file: Not a directory (os error 20)
    hint: check --storage-location or $BOWLINE_LOCATION
    "#);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}

#[tokio::test]
async fn a_backup_that_is_not_there_cannot_be_restored() {
    let site = Site::new().with_server("https://127.0.0.1:1");
    site.add_velero_backup("shop-full");
    assert_snapshot!(site.run("restore create r --from-backup shopfull").await, @r#"
    exit code: 4
    --- stderr
    reading the backup
    error: backup "shopfull" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    assert_snapshot!(site.run("restore create r --from-backup crashed -o json").await, @r#"
    exit code: 1
    --- stdout
    {
      "error": {
        "message": "backup \"crashed\" was never finished and cannot be restored",
        "causes": [],
        "hint": "it runs still, or was interrupted; choose another backup",
        "exitCode": 1
      }
    }
    --- stderr
    reading the backup
    "#);
    site.write("backups/damaged/velero-backup.json", "{");
    assert_snapshot!(site.run("restore create r --from-backup damaged").await, @r#"
    exit code: 6
    --- stderr
    reading the backup
    error: backup "damaged" is damaged: EOF while parsing an object at line 1 column 1
    hint: nothing was changed; choose another backup
    "#);
    site.write("backups/shop-full/shop-full.tar.gz", "no gzip");
    assert_snapshot!(site.run("restore create r --from-backup shop-full").await, @r#"
    exit code: 6
    --- stderr
    reading the backup
    error: the archive of backup "shop-full" is damaged
      cause: the archive is truncated: it ends inside its compressed data
    hint: nothing was changed; choose another backup
    "#);
}
