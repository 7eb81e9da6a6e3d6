//! What cannot be understood.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn without_a_command_there_is_help_but_no_success() {
    let site = Site::new();
    for (line, usage) in [
        (&[][..], "Usage: bowline [OPTIONS] <COMMAND>"),
        (&["backup"], "Usage: bowline backup [OPTIONS] <COMMAND>"),
        (&["restores"], "Usage: bowline restore [OPTIONS] <COMMAND>"),
    ] {
        let output = site.bowline.run(line).await.unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
        assert!(output.stderr.contains(usage), "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_slip_of_the_keyboard_is_answered_with_what_was_meant() {
    let site = Site::new();
    assert_snapshot!(site.run("bakcup get").await, @r#"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'bakcup'
    hint: did you mean "backup"?
    "#);
    assert_snapshot!(site.run("backup creat x").await, @r#"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'creat'
    hint: did you mean "create"?
    "#);
    assert_snapshot!(site.run("backup get --storage-locaton file:///x").await, @r#"
    exit code: 2
    --- stderr
    error: unexpected argument '--storage-locaton' found
    hint: did you mean "--storage-location"?
    "#);
    assert_snapshot!(site.run("backup get --output xml").await, @r#"
    exit code: 2
    --- stderr
    error: invalid value 'xml' for '--output <FORMAT>' [possible values: table, json, yaml]
    hint: did you mean "yaml"?
    "#);
}

#[tokio::test]
async fn an_unknown_word_is_answered_with_where_to_read_on() {
    let site = Site::new();
    assert_snapshot!(site.run("frobnicate get").await, @r"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'frobnicate'
    hint: see bowline --help
    ");
    assert_snapshot!(site.run("backup finish").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: <NAME>
    hint: see bowline backup finish --help
    ");
    assert_snapshot!(site.run("backup finish a b").await, @r"
    exit code: 2
    --- stderr
    error: unexpected argument 'b' found
    hint: see bowline backup finish --help
    ");
    assert_snapshot!(site.run("backup get --quiet=1").await, @r"
    exit code: 2
    --- stderr
    error: unexpected value '1' for '--quiet' found; no more were expected
    hint: see bowline backup get --help
    ");
}

#[tokio::test]
async fn for_programs_wrong_usage_is_one_document_too() {
    let site = Site::new();
    assert_snapshot!(site.run("backup get --bad -o json").await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "unexpected argument '--bad' found",
        "causes": [],
        "hint": "see bowline backup get --help",
        "exitCode": 2
      }
    }
    "#);
    assert_snapshot!(site.run("restore create -oyaml").await, @r#"
    exit code: 2
    --- stdout
    error:
      message: "the following required arguments were not provided: --from-backup <BACKUP>"
      causes: []
      hint: see bowline restore create --help
      exitCode: 2
    "#);
    assert_snapshot!(site.run("version --request-timeout 0 --output=json").await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "--request-timeout <DURATION> is not valid",
        "causes": [
          "0 must be longer than nothing"
        ],
        "hint": "see bowline version --help",
        "exitCode": 2
      }
    }
    "#);
}

#[tokio::test]
async fn names_of_velero_and_of_kubectl_are_understood() {
    let site = Site::new();
    for line in [
        "backups list",
        "restores list",
        "backup get --location file:///nowhere --context east",
        "backup get --storage-location file:///nowhere --kubecontext east",
    ] {
        let shown = site.run(line).await;
        assert!(shown.starts_with("exit code: 0\n"), "{line}: {shown}");
    }
}
