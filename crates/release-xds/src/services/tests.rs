use super::{Description, read};
use crate::service::{Endpoint, VersionConfig};
use std::fmt::Write as _;
use std::time::Duration;

const WHOLE: &str = r#"# Everything that can be said.
[[service]]
mesh = "mesh-1"
namespace = "shop"
name = "cart"
domains = ["cart.shop", "*.cart.shop:8080"]
serves = "v1"
max-stream-seconds = 30
health-path = "/healthz?full=1"
ready-endpoints = 2
retire-command = ["/usr/local/bin/retire", "--quietly"]
versions.v1 = ["10.0.0.1:8080", "10.0.0.2:8080"]
versions.v2 = ["cart-v2.shop.svc:8080", "[fd00::7]:1"]
"#;

const LEAST: &str = r#"[[service]]
mesh = "mesh-1"
namespace = "shop"
name = "cart"
serves = "v1"
versions = { v1 = ["localhost:65535"] }
"#;

fn one(text: &str) -> Description {
    let mut services = read(text).unwrap();
    assert_eq!(services.len(), 1);
    services.remove(0)
}

/// Whoever copies it from there has one that works.
#[test]
fn the_readme_has_a_services_file() {
    let readme = include_str!("../../../../README.md");
    let file = readme.split("```toml\n# services.toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let services = read(file).unwrap();
    assert_eq!(services.len(), 1);
    assert!(services[0].retire.is_some() && services[0].versions.len() == 2);
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let cart = one(WHOLE);
    assert_eq!(cart.name.to_string(), "mesh-1/shop/cart");
    assert_eq!((cart.domains, cart.serves.as_str()), (vec!["cart.shop".into(), "*.cart.shop:8080".into()], "v1"));
    assert_eq!(cart.max_stream_duration, Duration::from_secs(30));
    assert_eq!(cart.health.path.as_deref(), Some("/healthz?full=1"));
    assert_eq!(cart.health.endpoints.map(Into::into), Some(2_usize));
    assert_eq!(format!("{:?}", cart.retire.unwrap()), "Hook(/usr/local/bin/retire …)");
    let endpoint = |host: &str, port| Endpoint { host: host.into(), port };
    let versions: Vec<_> = cart.versions.into_iter().map(|(label, version)| (label.to_string(), version)).collect();
    let expected = [
        ("v1".into(), VersionConfig { endpoints: vec![endpoint("10.0.0.1", 8080), endpoint("10.0.0.2", 8080)] }),
        ("v2".into(), VersionConfig { endpoints: vec![endpoint("cart-v2.shop.svc", 8080), endpoint("fd00::7", 1)] }),
    ];
    assert_eq!(versions, expected);
}

#[test]
fn what_is_left_out_has_a_default() {
    let cart = one(LEAST);
    assert_eq!((cart.domains, cart.retire), (vec!["cart.shop".into()], None));
    assert_eq!((cart.max_stream_duration, cart.health), (Duration::from_secs(15), super::Health::default()));
    assert_eq!(read("").unwrap(), []);
    let twice = format!("{LEAST}{}", LEAST.replace("mesh-1", "mesh-2"));
    assert_eq!(read(&twice).unwrap().len(), 2, "another mesh has domains of its own");
    assert_eq!(
        one(&LEAST.replace("serves", "max-stream-seconds = 86400\nserves")).max_stream_duration.as_secs(),
        86400
    );
}

/// What is wrong, where, and what is allowed: for people.
#[test]
fn errors_for_people() {
    let rows: &[(&str, &str)] = &[
        ("mesh = \"mesh-1\"", "mesh = 1"),
        ("mesh = \"mesh-1\"", "mesh = \"-\""),
        ("mesh = \"mesh-1\"", "mesh = \"mesh-1\"\nmesh = \"mesh-1\""),
        ("mesh = \"mesh-1\"\n", ""),
        ("name = \"cart\"", "nam = \"cart\""),
        ("name = \"cart\"", "name = \"cart"),
        ("\"cart.shop\", ", "\"cart shop\", "),
        ("[\"cart.shop\", \"*.cart.shop:8080\"]", "[]"),
        ("\"*.cart.shop:8080\"", "\"CART.shop\""),
        ("serves = \"v1\"", "serves = \"v3\""),
        ("30", "0"),
        ("30", "86401"),
        ("30", "-1"),
        ("30", "\"30s\""),
        ("/healthz?full=1", "healthz"),
        ("ready-endpoints = 2", "ready-endpoints = 0"),
        ("[\"/usr/local/bin/retire\", \"--quietly\"]", "[]"),
        ("versions.v1", "retire-webhook = \"http://hooks/retire\"\nversions.v1"),
        (
            "retire-command = [\"/usr/local/bin/retire\", \"--quietly\"]",
            "retire-webhook = \"https://user:secret@hooks\"",
        ),
        ("retire-command = [\"/usr/local/bin/retire\", \"--quietly\"]", "retire-webhook = \"/secret\""),
        ("[\"10.0.0.1:8080\", \"10.0.0.2:8080\"]", "[]"),
        ("10.0.0.2:8080", "10.0.0.1:8080"),
        ("10.0.0.2:8080", "10.0.0.2"),
        ("10.0.0.2:8080", "10.0.0.2:0"),
        ("10.0.0.2:8080", "10.0.0.2:65536"),
        ("10.0.0.2:8080", "fd00::7:80"),
        ("10.0.0.2:8080", "[fd00]:80"),
        ("10.0.0.2:8080", "http://a:80"),
        ("10.0.0.2:8080", ":80"),
        ("versions.v2", "versions.-v2"),
    ];
    let mut said = String::new();
    for (right, wrong) in rows {
        assert!(WHOLE.contains(right), "{right}");
        let error = read(&WHOLE.replacen(right, wrong, 1)).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        writeln!(said, "{}\n    {error}", wrong.replace('\n', " ⏎ ")).unwrap();
    }
    let twice = read(&format!("{LEAST}{LEAST}")).unwrap_err();
    writeln!(said, "the same service twice\n    {twice}").unwrap();
    let same_domain = read(&format!("{LEAST}{}domains = [\"CART.shop\"]\n", LEAST.replace("\"cart\"", "\"cart-2\"")));
    writeln!(said, "another service with the same domain\n    {}", same_domain.unwrap_err()).unwrap();
    insta::assert_snapshot!(said);
}

#[test]
fn a_file_that_is_being_written_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("services.toml");
    let service = |name: &str| {
        format!(
            "[[service]]\nmesh = \"m\"\nnamespace = \"n\"\nname = \"{name}\"\nserves = \"v1\"\nversions.v1 = [\"h:1\"]\n"
        )
    };
    let both = service("a") + &service("b");
    std::fs::write(&path, &both).unwrap();
    let (mut watch, _) = super::Watch::open(&path).unwrap();
    // Truncated, and half written, at the moment of a look.
    for torn in ["", &service("a"), &both] {
        std::fs::write(&path, torn).unwrap();
        assert!(watch.changed().unwrap().is_none());
    }
    assert!(watch.changed().unwrap().is_none(), "it is what it was");
    // Empty for good: said once.
    std::fs::write(&path, "").unwrap();
    assert!(watch.changed().unwrap().is_none());
    assert!(matches!(watch.changed(), Err(super::WatchError::Empty { .. })));
    assert!(watch.changed().unwrap().is_none());
    // Another one counts at the second look, and at each until it is taken in.
    std::fs::write(&path, service("a")).unwrap();
    assert!(watch.changed().unwrap().is_none());
    for _ in 0..2 {
        assert_eq!(watch.changed().unwrap().map(|services| services.len()), Some(1));
    }
    watch.taken();
    assert!(watch.changed().unwrap().is_none());
}
