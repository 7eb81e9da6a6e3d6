//! `bowline completion`.

use crate::site::Site;

#[tokio::test]
async fn every_shell_gets_a_script_that_knows_the_commands_and_their_flags() {
    let site = Site::new();
    for (shell, beginning) in [
        ("bash", "_bowline() {"),
        ("elvish", "\nuse builtin;"),
        ("fish", "# Print an optspec for argparse"),
        ("powershell", "\nusing namespace System.Management.Automation"),
        ("zsh", "#compdef bowline"),
    ] {
        let script = site.bowline.run(&["completion", shell]).await.unwrap().success();
        assert!(script.starts_with(beginning), "{shell}: {}", &script[..80]);
        for word in ["backup", "describe", "include-namespaces", "kubecontext"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[tokio::test]
async fn a_shell_reads_its_script_without_complaint() {
    let site = Site::new();
    let script = site.bowline.run(&["completion", "bash"]).await.unwrap().success();
    let path = site.bowline.home().join("completion.bash");
    std::fs::write(&path, script).unwrap();
    let bash = bowline_testkit::Bowline::new("/bin/bash").unwrap();
    let load = format!("source {}; complete -p bowline", path.display());
    let output = bash.run(&["-c", &load]).await.unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert!(output.stdout.contains("-F _bowline"), "{}", output.stdout);
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
