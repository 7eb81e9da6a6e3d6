//! `bowline version`.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn the_versions_of_the_program_and_of_its_format_are_told() {
    let site = Site::new();
    assert_snapshot!(site.run("version").await, @r"
    exit code: 0
    --- stdout
    bowline 0.1.0
    format 1.1.0
    ");
    assert_snapshot!(site.run("version -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "version": "0.1.0",
      "formatVersion": "1.1.0",
      "kubernetes": null
    }
    "#);
    assert_snapshot!(site.run("version -o yaml").await, @r#"
    exit code: 0
    --- stdout
    version: "0.1.0"
    formatVersion: "1.1.0"
    kubernetes: null
    "#);
    assert_snapshot!(site.run("--version").await, @r"
    exit code: 0
    --- stdout
    bowline 0.1.0
    ");
}
