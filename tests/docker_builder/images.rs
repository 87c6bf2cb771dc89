//! Finding, naming and fetching images.

use std::collections::BTreeSet;

use imgraph::build::builder::{BuildError, Builder};
use imgraph::types::cancellation::Cancellation;
use imgraph::types::platform::Platform;

use crate::support::{BASE, Case, Engine, View, unique};

pub(crate) fn outputs_are_in_the_inventory(engine: &Engine) {
    let (one, other) = (unique("listed"), unique("listed").replace("imgraph-test", "imgraph.local"));
    let view = View::of(&[("file", &one)]);
    let dockerfile = "FROM scratch\nCOPY . /\n";
    let named =
        Case { dockerfile, context: Some(&view), tags: &[&one, &other], ..Case::default() }.output(engine);
    let inventory = engine.builder.inventory().unwrap();
    assert!(inventory.digests.contains(&named.digest), "{inventory:?}");
    assert_eq!(inventory.references.get(&one), Some(&named.digest));
    assert_eq!(inventory.references.get(&other), Some(&named.digest));
    let view = View::of(&[("file", &other)]);
    let unnamed = Case { dockerfile, context: Some(&view), ..Case::default() }.output(engine);
    assert!(engine.builder.inventory().unwrap().digests.contains(&unnamed.digest));
}

pub(crate) fn an_inventory_can_be_asked_for_some_names(engine: &Engine) {
    let (one, other, unwanted) = (unique("some"), unique("other"), unique("unwanted"));
    let view = View::of(&[("file", &one)]);
    let tags = [one.as_str(), other.as_str(), unwanted.as_str()];
    let case =
        Case { dockerfile: "FROM scratch\nCOPY . /\n", context: Some(&view), tags: &tags, ..Case::default() };
    let digest = case.output(engine).digest;
    let all = engine.builder.inventory().unwrap();
    let with_digest = all.references.keys().find(|reference| reference.contains('@'));
    let asked: BTreeSet<&str> = [one.as_str(), &other, BASE, "imgraph-test/absent:1"]
        .into_iter()
        .chain(with_digest.map(String::as_str))
        .collect();
    let some = engine.builder.inventory_of(&asked).unwrap();
    assert!(some.digests.contains(&digest));
    for reference in asked {
        assert_eq!(some.references.get(reference), all.references.get(reference), "{reference}");
    }
    // A classic store is quicker to list than to filter.
    let nothing = engine.builder.inventory_of(&BTreeSet::new()).unwrap();
    assert!(nothing.references.is_empty() || engine.builder.family() == "docker");
}

pub(crate) fn equal_builds_have_equal_digests(engine: &Engine) {
    let build = |content: &str| {
        let view = View::of(&[("file", content)]);
        let dockerfile = format!(
            "FROM {BASE} AS made\nCOPY file /\nRUN cat file >/other\nFROM scratch\nCOPY --from=made /other /\n"
        );
        Case { dockerfile: &dockerfile, context: Some(&view), ..Case::default() }.output(engine).digest
    };
    assert_eq!(build("the same"), build("the same"));
    assert_ne!(build("the same"), build("another"));
}

pub(crate) fn images_get_more_names(engine: &Engine) {
    let (first, second) = (unique("first"), unique("second"));
    let view = View::of(&[("file", &first)]);
    let case = Case {
        dockerfile: "FROM scratch\nCOPY . /\n",
        context: Some(&view),
        tags: &[&first],
        ..Case::default()
    };
    let digest = case.output(engine).digest;
    engine.builder.tag(&digest, &second).unwrap();
    assert_eq!(engine.builder.inventory().unwrap().references.get(&second), Some(&digest));
    assert_eq!(engine.look(&second, "cat /image/file"), first);
    let absent = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let error = engine.builder.tag(&absent, &second).unwrap_err().to_string();
    assert!(error.contains("is gone"), "{error}");
    assert!(engine.builder.tag(&digest, "No Name").is_err());
}

pub(crate) fn references_are_resolved(engine: &Engine) {
    let go_on = Cancellation::default();
    let platform = engine.builder.platform();
    let inventory = engine.builder.inventory().unwrap();
    let digest = engine.builder.resolve(BASE, platform, &go_on).unwrap();
    assert_eq!(inventory.references.get(BASE), Some(&digest));
    let full = format!("docker.io/{BASE}");
    assert_eq!(engine.builder.resolve(&full, platform, &go_on).unwrap(), digest);
    let pinned = format!("{BASE}@{digest}");
    assert_eq!(engine.builder.resolve(&pinned, platform, &go_on).unwrap(), digest);
    let cannot = |reference: &str, platform: &Platform, expected: &str| match engine
        .builder
        .resolve(reference, platform, &go_on)
    {
        Err(BuildError::Surroundings { message, .. }) => assert!(message.contains(expected), "{message}"),
        other => panic!("{other:?}"),
    };
    cannot("localhost:1/no/such:image", platform, "cannot fetch localhost:1/no/such:image: ");
    let other = if platform.architecture() == "amd64" { "linux/arm64" } else { "linux/amd64" };
    let tag = unique("platform");
    let dockerfile = format!("FROM {BASE}\n");
    Case { dockerfile: &dockerfile, tags: &[&tag], ..Case::default() }.output(engine);
    let own = engine.builder.resolve(&tag, platform, &go_on).unwrap();
    let other = other.parse().unwrap();
    // A classic store's name is for one platform; what a containerd store has is taken for any.
    match engine.builder.family() {
        "docker" => cannot(&tag, &other, &format!("cannot fetch {tag}: ")),
        _ => assert_eq!(engine.builder.resolve(&tag, &other, &go_on).unwrap(), own),
    }
    let cancelled = Cancellation::default();
    cancelled.cancel();
    let result = engine.builder.resolve("localhost:1/no/such:image", platform, &cancelled);
    assert!(matches!(result, Err(BuildError::Cancelled)));
}
