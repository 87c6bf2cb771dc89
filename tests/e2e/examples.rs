//! The examples, built by the program: what a reader of the README sees.

use crate::engine::Engine;
use crate::proxy::Proxy;
use crate::trial::{Trial, said, unique};

/// The market, with a repository of its own, so that no two tests name the same images.
fn market(engine: &Engine) -> (Trial, String) {
    let repository = format!("e2e.test/{}", unique("market"));
    (Trial::of_example(engine, "market").with("IMAGE_REPO", &repository), repository)
}

pub(crate) fn everything_of_the_market_is_built_and_runs(engine: &Engine) {
    let (trial, repository) = market(engine);
    let states = trial.build("//indexer:market");
    assert_eq!(
        said(&states),
        "//:runtime cached, //docker:builder-base built, //docker:library built, //docker:networks built, //indexer:market built"
    );
    let image = |name: &str| format!("{repository}/{name}:dev");
    assert_eq!(trial.inside(&image("indexer-market"), &["--version"]), "indexer-market 0.4.2\n");
    let states = trial.build("//...");
    let cached =
        ["//:runtime", "//docker:builder-base", "//docker:library", "//docker:networks", "//indexer:market"];
    for (label, state) in &states {
        let expected = if cached.contains(&label.as_str()) { "cached" } else { "built" };
        assert_eq!(state, expected, "{label}");
    }
    for name in
        ["slasher", "distributor", "order-stream", "order-generator", "indexer-rewards", "indexer-backfill"]
    {
        assert_eq!(trial.inside(&image(name), &["--version"]), format!("{name} 0.4.2\n"));
    }
}

pub(crate) fn everything_of_the_quickstart_is_built(engine: &Engine) {
    let trial = Trial::of_example(engine, "quickstart");
    let states = trial.build("//...");
    assert_eq!(
        said(&states),
        "//docs:docs built, //site:site built, //status:status built, //theme:theme built"
    );
    let states = trial.build("//...");
    assert_eq!(
        said(&states),
        "//docs:docs cached, //site:site cached, //status:status cached, //theme:theme cached"
    );
    let image = trial.engine.run(["image", "inspect", "quickstart/site:latest"]);
    assert!(image.status.success());
}

/// Whether a request is the beginning of a build.
fn builds(request: &str) -> bool {
    request.starts_with("POST ") && (request.ends_with("/grpc") || request.ends_with("/session"))
}

pub(crate) fn what_is_cached_asks_the_engine_for_no_build(engine: &Engine) {
    let (trial, _repository) = market(engine);
    let proxy = Proxy::new(trial.beside("proxy.sock"), &engine.host);
    let trial = trial.with("DOCKER_HOST", proxy.host());
    trial.build("//indexer:market");
    assert!(proxy.requests().iter().any(|request| builds(request)), "the proxy sees no build");
    let states = trial.build("//indexer:market");
    assert!(states.iter().all(|(_, state)| state == "cached"), "{}", said(&states));
    let requests = proxy.requests();
    assert!(!requests.is_empty() && !requests.iter().any(|request| builds(request)), "{requests:#?}");
    let moves = |request: &&String| request.starts_with("POST ") || request.starts_with("DELETE ");
    assert_eq!(requests.iter().find(moves), None, "a run that does nothing changes nothing");
}
