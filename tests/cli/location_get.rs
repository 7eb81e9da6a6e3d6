//! `bowline location get|create|delete`: locations by name.

use std::fs;

use insta::assert_snapshot;

use crate::site::Site;

const CONFIG: &str = "\
# ours
default = \"lab\"

[locations.lab]
url = \"file:///srv/lab\"

[locations.far]
url = \"s3://bucket/prefix?region=eu-west-1\"
s3ForcePathStyle = true
";

fn path(site: &Site) -> std::path::PathBuf {
    site.bowline.home().join(".config/bowline/config.toml")
}

/// A machine whose configuration file is this.
fn configured(text: &str) -> Site {
    let site = Site::new();
    fs::create_dir_all(path(&site).parent().unwrap()).unwrap();
    fs::write(path(&site), text).unwrap();
    site
}

/// The same machine, which was not told a location.
fn untold(site: &Site) -> Site {
    Site { bowline: site.bowline.clone().without_env("BOWLINE_LOCATION") }
}

#[tokio::test]
async fn the_one_in_use_is_listed_whoever_chose_it() {
    let site = configured(CONFIG);
    let told = site.env("BOWLINE_LOCATION", "file:///srv/other");
    assert_snapshot!(told.run("location get").await, @r"
    exit code: 0
    --- stdout
    NAME     URL                                                         DEFAULT   IN USE BY
    lab      file:///srv/lab                                             true      <none>
    far      s3://bucket/prefix?region=eu-west-1&s3ForcePathStyle=true   false     <none>
    <none>   file:///srv/other                                           false     $BOWLINE_LOCATION
    ");
    assert_snapshot!(untold(&site).run("locations list").await, @r"
    exit code: 0
    --- stdout
    NAME   URL                                                         DEFAULT   IN USE BY
    lab    file:///srv/lab                                             true      default of config.toml
    far    s3://bucket/prefix?region=eu-west-1&s3ForcePathStyle=true   false     <none>
    ");
    assert_snapshot!(site.run("backup-location get --storage-location far").await, @r"
    exit code: 0
    --- stdout
    NAME   URL                                                         DEFAULT   IN USE BY
    lab    file:///srv/lab                                             true      <none>
    far    s3://bucket/prefix?region=eu-west-1&s3ForcePathStyle=true   false     --storage-location
    ");
    let fresh = untold(&Site::new()).env("XDG_DATA_HOME", "/data");
    assert_snapshot!(fresh.run("location get").await, @r"
    exit code: 0
    --- stdout
    NAME     URL                    DEFAULT   IN USE BY
    <none>   file:///data/bowline   false     built in
    ");
    let wrong = site.env("BOWLINE_LOCATION", "nowhere");
    assert_snapshot!(wrong.run("location get lab").await, @r"
    exit code: 0
    --- stdout
    NAME   URL               DEFAULT   IN USE BY
    lab    file:///srv/lab   true      <none>
    ");
}

#[tokio::test]
async fn locations_are_listed_in_every_form() {
    let site = untold(&configured(CONFIG));
    assert_snapshot!(site.run("location get far -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "items": [
        {
          "default": false,
          "inUse": null,
          "name": "far",
          "url": "s3://bucket/prefix?region=eu-west-1&s3ForcePathStyle=true"
        }
      ]
    }
    "#);
    assert_snapshot!(site.run("location get -o yaml").await, @r"
    exit code: 0
    --- stdout
    items:
    - default: true
      inUse: default of config.toml
      name: lab
      url: file:///srv/lab
    - default: false
      inUse: null
      name: far
      url: s3://bucket/prefix?region=eu-west-1&s3ForcePathStyle=true
    ");
    assert_snapshot!(site.run("location get -o name").await, @r"
    exit code: 0
    --- stdout
    lab
    far
    ");
    assert_snapshot!(site.run("location get fra").await, @r#"
    exit code: 4
    --- stderr
    error: location "fra" does not exist in /HOME/.config/bowline/config.toml
    hint: bowline location get lists what there is; a URL looks like file:///var/backups
    "#);
    assert_snapshot!(site.run("location get other -o json").await, @r#"
    exit code: 4
    --- stdout
    {
      "error": {
        "message": "location \"other\" does not exist in /HOME/.config/bowline/config.toml",
        "causes": [],
        "hint": "bowline location get lists what there is; a URL looks like file:///var/backups",
        "exitCode": 4
      }
    }
    "#);
}

#[tokio::test]
async fn a_location_is_meant_by_its_name_and_the_default_is_used_unasked() {
    let site = configured(&CONFIG.replace("/srv/lab", "/nowhere/lab"));
    assert_snapshot!(untold(&site).run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///nowhere/lab
    ");
    assert_snapshot!(site.run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///HOME/location
    ");
    assert_snapshot!(site.run("backup get --storage-location lab").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///nowhere/lab
    ");
    assert_snapshot!(site.env("BOWLINE_LOCATION", "lab").run("restore get").await, @r"
    exit code: 0
    --- stderr
    there are no restores in file:///nowhere/lab
    ");
    assert_snapshot!(site.run("backup get --storage-location lap").await, @r#"
    exit code: 4
    --- stderr
    error: the storage location is not valid (--storage-location)
      cause: location "lap" does not exist in /HOME/.config/bowline/config.toml
    hint: did you mean "lab"?
    "#);
    assert_snapshot!(site.env("BOWLINE_LOCATION", "other").run("backup get").await, @r#"
    exit code: 4
    --- stderr
    error: the storage location is not valid ($BOWLINE_LOCATION)
      cause: location "other" does not exist in /HOME/.config/bowline/config.toml
    hint: bowline location get lists what there is; a URL looks like file:///var/backups
    "#);
}

#[tokio::test]
async fn a_file_that_is_not_understood_is_refused_with_its_line() {
    let site = untold(&configured("default = \"lab\"\n[locations.lab]\nurll = \"file:///x\"\n"));
    assert_snapshot!(site.run("backup get").await, @r#"
    exit code: 2
    --- stderr
    error: /HOME/.config/bowline/config.toml:3: there is no key "urll"
    hint: did you mean "url"?
    "#);
    let site = configured("[locations.lab]\nurl = \"s3://bucket?region=a\"\nregion = \"b\"\n");
    assert_snapshot!(untold(&site).run("location get -o json").await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "/HOME/.config/bowline/config.toml:2: location \"lab\" is not valid",
        "causes": [
          "\"s3://bucket\" is not a location: option \"region\" is given twice"
        ],
        "hint": "keep one of them",
        "exitCode": 2
      }
    }
    "#);
    // Who names a URL does not need the file.
    assert_snapshot!(site.run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///HOME/location
    ");
}

#[tokio::test]
async fn a_location_is_created_once_and_checked_before() {
    let site = Site::new();
    assert_snapshot!(site.run("location create lab --url file:///srv/lab --default").await, @r"
    exit code: 0
    --- stderr
    location lab is file:///srv/lab
    ");
    assert_snapshot!(
        site.run("location create far --provider aws --bucket bucket --prefix a/b \
                  --config region=eu-west-1,kmsKeyId=alias/k").await, @r"
    exit code: 0
    --- stderr
    location far is s3://bucket/a/b?region=eu-west-1&kmsKeyId=alias/k
    ");
    assert_snapshot!(fs::read_to_string(path(&site)).unwrap(), @r#"
    default = "lab"

    [locations.lab]
    url = "file:///srv/lab"

    [locations.far]
    url = "s3://bucket/a/b?region=eu-west-1&kmsKeyId=alias/k"
    "#);
    assert_snapshot!(site.run("location create lab --url file:///other").await, @r#"
    exit code: 1
    --- stderr
    error: location "lab" exists already in /HOME/.config/bowline/config.toml
    hint: choose another name, or delete that one first
    "#);
    assert_snapshot!(site.run("location create a/b --url file:///other").await, @r#"
    exit code: 2
    --- stderr
    error: the location's name is not valid
      cause: "a/b" is not a valid name: it must hold only lower-case letters, digits and '-', not '/'
    hint: use lower-case letters, digits, '-' and '.', such as nightly-7
    "#);
    assert_snapshot!(site.run("location create x --url s3://bucket?regoin=a").await, @r#"
    exit code: 2
    --- stderr
    error: the location is not valid
      cause: "s3://bucket" is not a location: there is no option "regoin"
    hint: did you mean "region"?
    "#);
    assert_snapshot!(site.run("location create x --url s3://bucket --config insecureSkipTLSVerify=true").await, @r#"
    exit code: 2
    --- stderr
    error: the location is not valid
      cause: "s3://bucket" is not a location: option "insecureSkipTLSVerify" is not possible
    hint: name the certificate to trust with caCert=FILE
    "#);
    assert_snapshot!(site.run("location create x --url /var").await, @r#"
    exit code: 2
    --- stderr
    error: the location is not valid
      cause: "/var" is a path, not a URL
    hint: write file:///var
    "#);
    assert_snapshot!(site.run("location create x").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: --url <URL>
    hint: see bowline location create --help
    ");
    assert_snapshot!(site.run("location create x --url file:///x --bucket y").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--url <URL>' cannot be used with '--bucket <NAME>'
    hint: see bowline location create --help
    ");
}

#[tokio::test]
async fn a_name_is_forgotten_only_with_consent() {
    let site = configured(CONFIG);
    assert_snapshot!(site.run("location delete lab").await, @r"
    exit code: 2
    --- stderr
    error: there is no terminal to ask for confirmation
    hint: add --confirm if you mean it
    ");
    assert_eq!(fs::read_to_string(path(&site)).unwrap(), CONFIG);
    assert_snapshot!(site.run("location delete lab --confirm").await, @r"
    exit code: 0
    --- stderr
    location lab is forgotten; what is kept in file:///srv/lab stays
    it was the default, and there is none now
    ");
    assert_snapshot!(fs::read_to_string(path(&site)).unwrap(), @r#"
    [locations.far]
    url = "s3://bucket/prefix?region=eu-west-1"
    s3ForcePathStyle = true
    "#);
    assert_snapshot!(site.run("location delete lab --confirm").await, @r#"
    exit code: 4
    --- stderr
    error: location "lab" does not exist in /HOME/.config/bowline/config.toml
    hint: bowline location get lists what there is; a URL looks like file:///var/backups
    "#);
}
