//! `bowline backup create`: what is refused before anything is contacted.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn a_name_that_cannot_be_one_is_refused() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create My_Backup").await, @r#"
    exit code: 2
    --- stderr
    error: the backup's name is not valid
      cause: "My_Backup" is not a valid name: it must hold only lower-case letters, digits and '-', not 'M'
    hint: use lower-case letters, digits, "-" and "."
    "#);
    assert_snapshot!(site.run("backup create .. -o json").await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "the backup's name is not valid",
        "causes": [
          "\"..\" is not a valid name: it must not be empty, nor have an empty part between dots"
        ],
        "hint": "use lower-case letters, digits, \"-\" and \".\"",
        "exitCode": 2
      }
    }
    "#);
    assert!(site.is_untouched());
}

#[tokio::test]
async fn a_selector_must_be_one_and_one_that_can_be_recorded() {
    let site = Site::new();
    assert_snapshot!(site.run_words(&["backup", "create", "x", "-l", "app in"]).await, @r#"
    exit code: 2
    --- stderr
    error: --selector <SELECTOR> is not valid
      cause: "app in" is not a label selector: at position 7, expected "(", found the end
    hint: write for example app=web, tier!=cache, env in (prod,test), env notin (dev), owner, !owner, joined by commas
    "#);
    assert_snapshot!(site.run("backup create x --selector replicas>3").await, @r#"
    exit code: 2
    --- stderr
    error: --selector <SELECTOR> is not valid
      cause: "replicas>3" can't be recorded in a backup: its format has no < and >
    hint: name the values: key in (1,2,3)
    "#);
    assert!(site.is_untouched());
}

#[tokio::test]
async fn a_time_to_live_is_a_duration_longer_than_nothing() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x --ttl 30d").await, @r#"
    exit code: 2
    --- stderr
    error: --ttl <DURATION> is not valid
      cause: "30d" is not a duration: there is no unit "d"
    hint: write hours, minutes and seconds, such as 720h, 1h30m or 90s (a day is 24h)
    "#);
    assert_snapshot!(site.run("backup create x --ttl 0s").await, @r"
    exit code: 2
    --- stderr
    error: --ttl <DURATION> is not valid
      cause: 0s must be longer than nothing
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create x --ttl=-1h").await, @r"
    exit code: 2
    --- stderr
    error: --ttl <DURATION> is not valid
      cause: -1h must be longer than nothing
    hint: see bowline backup create --help
    ");
}

#[tokio::test]
async fn labels_are_those_that_kubernetes_takes() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x --labels team").await, @r#"
    exit code: 2
    --- stderr
    error: --labels <KEY=VALUE> is not valid
      cause: "team" is not of the form KEY=VALUE
    hint: see bowline backup create --help
    "#);
    assert_snapshot!(site.run("backup create x --labels a=b,team=a/b").await, @r#"
    exit code: 2
    --- stderr
    error: --labels <KEY=VALUE> is not valid
      cause: "a/b" is not a label value: it must hold only letters, digits, '-', '_' and '.', not '/'
    hint: a value is a word such as web or v1.2; it may be empty
    "#);
}

#[tokio::test]
async fn a_switch_takes_its_value_only_after_an_equals_sign() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x --snapshot-volumes=no").await, @r"
    exit code: 2
    --- stderr
    error: invalid value 'no' for '--snapshot-volumes[=<BOOL>]' [possible values: true, false]
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create x --snapshot-volumes false").await, @r"
    exit code: 2
    --- stderr
    error: unexpected argument 'false' found
    hint: see bowline backup create --help
    ");
}
