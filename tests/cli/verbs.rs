//! The verb first: `bowline get backups`.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn a_command_is_the_same_with_either_word_first() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site.add_velero_backup("part-failed");
    site.add_restore("copy", None);
    site.run("location create lab --url file:///lab").await;
    for (verb_first, noun_first) in [
        ("get backups", "backup get"),
        ("get backup shop-full -o json", "backup get shop-full -o json"),
        ("--quiet get backups -l team=web", "--quiet backup get -l team=web"),
        ("describe backup shop-full", "backup describe shop-full"),
        ("describe backups nothing", "backup describe nothing"),
        ("get restores", "restore get"),
        ("describe restore copy -o yaml", "restore describe copy -o yaml"),
        ("get locations", "location get"),
        ("get backup-locations lab -o name", "location get lab -o name"),
        ("create backup No_Name", "backup create No_Name"),
        ("create restore --from-backup No_Name", "restore create --from-backup No_Name"),
        ("create backup-location lab --url file:///lab", "location create lab --url file:///lab"),
        ("delete backups shop-full", "backup delete shop-full"),
        ("delete restore copy -o json", "restore delete copy -o json"),
        ("delete location lab", "location delete lab"),
    ] {
        assert_eq!(site.run(verb_first).await, site.run(noun_first).await, "{verb_first}");
    }
}

#[tokio::test]
async fn a_deletion_with_the_verb_first_is_one() {
    let site = Site::new();
    site.add_restore("copy", None);
    assert_snapshot!(site.run("delete restore copy --confirm").await, @r"
    exit code: 0
    --- stdout
    restore copy is deleted
    ");
    assert_snapshot!(site.run("location create lab --url file:///lab").await, @r"
    exit code: 0
    --- stderr
    location lab is file:///lab
    ");
    assert_snapshot!(site.run("delete backup-location lab --confirm").await, @r"
    exit code: 0
    --- stderr
    location lab is forgotten; what is kept in file:///lab stays
    ");
}

#[tokio::test]
async fn a_verb_without_its_noun_lists_what_there_is() {
    let site = Site::new();
    let output = site.bowline.run(&["get"]).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    for noun in ["backups", "restores", "locations"] {
        assert!(output.stderr.contains(&format!("\n  {noun} ")), "{}", output.stderr);
    }
}

#[tokio::test]
async fn the_help_of_a_command_is_the_same_with_either_word_first() {
    let site = Site::new();
    for (verb_first, noun_first) in [
        (["get", "backups"], ["backup", "get"]),
        (["describe", "restore"], ["restore", "describe"]),
        (["create", "backup"], ["backup", "create"]),
    ] {
        let usage = format!("Usage: bowline {}", verb_first.join(" "));
        let verb = site.bowline.run(&[&verb_first[..], &["--help"]].concat()).await.unwrap();
        let noun = site.bowline.run(&[&noun_first[..], &["--help"]].concat()).await.unwrap();
        let (verb, noun) = (verb.success(), noun.success());
        assert!(verb.contains(&usage), "{verb}");
        let plain = |help: &str| help.split_once("Usage: ").unwrap().0.to_owned();
        assert_eq!(plain(&verb), plain(&noun));
    }
}
