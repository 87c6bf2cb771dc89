//! What fails, what it takes with it, and what goes on.

use imgraph::build::builder::BuildError;
use imgraph::engine::report::Ending;

use crate::runs::DIAMOND;
use crate::scripted::failed;
use crate::shop::{Asked, Shop};

fn keep_going() -> Asked {
    Asked { keep_going: true, ..Asked::default() }
}

#[test]
fn a_failure_stops_what_needs_it() {
    let shop = Shop::new(DIAMOND);
    shop.builder.on("//:b", |_, _| Err(failed("no")));
    let ran = shop.run_as("//:a", &keep_going());
    assert_eq!(ran.lines(), ["//:a skipped: //:b failed", "//:b failed: no", "//:c built", "//:d built"]);
    // What was built is known; what failed is tried again.
    shop.builder.on("//:b", |_, _| Ok(None));
    assert_eq!(shop.run("//:a").lines(), ["//:a built", "//:b built", "//:c cached", "//:d cached"]);
}

#[test]
fn without_keep_going_nothing_more_is_begun() {
    let targets: String = (0..6).map(|n| format!("[image.t{n}]\nlabels = {{ n = \"{n}\" }}\n")).collect();
    let shop = Shop::new(&targets);
    for n in 0..6 {
        shop.builder.on(&format!("//:t{n}"), |_, _| Err(failed("no")));
    }
    let ran = shop.run_as("//:all", &Asked { jobs: Some(1), ..Asked::default() });
    let how = |word: &str| ran.ended.values().filter(|how| how.starts_with(word)).count();
    assert_eq!((how("failed"), how("skipped")), (1, 5), "{:?}", ran.ended);
    let ran = shop.run_as("//:all", &Asked { jobs: Some(1), ..keep_going() });
    assert!(ran.ended.values().all(|how| how == "failed: no"), "{:?}", ran.ended);
}

#[test]
fn a_failure_keeps_its_line_and_its_log() {
    let shop = Shop::new("[image.a]\n");
    shop.builder.on("//:a", |_, _| Err(failed("no")));
    let ran = shop.run("//:a");
    let ended = &ran.report.nodes.values()[0];
    let Ending::Failed(failure) = &ended.ending else { panic!("{ended:?}") };
    assert_eq!((failure.line, failure.log_tail.as_slice()), (Some(1), &["last".to_owned()][..]));
    assert!(ended.log.as_ref().is_some_and(|log| log.is_file()), "{ended:?}");
    assert_eq!(ended.digest, None);
}

#[test]
fn what_the_builder_lacks_is_no_fault_of_a_target() {
    let shop = Shop::new("[image.a]\n");
    shop.builder.on("//:a", |_, _| Err(BuildError::Surroundings { message: "disk".to_owned(), help: None }));
    assert_eq!(shop.run("//:a").lines(), ["//:a surroundings: disk"]);
    let shop = Shop::new("[image.a]\n#--- Dockerfile\nFROM debian:12\n");
    let ran = shop.run("//:a");
    assert_eq!(ran.lines(), ["//:a skipped: debian:12 failed", "debian:12 surroundings: no debian:12"]);
}

#[test]
fn a_run_that_is_cancelled_begins_nothing_more() {
    let shop = Shop::new(DIAMOND);
    let asked = Asked { jobs: Some(1), ..Asked::default() };
    let cancellation = asked.cancellation.clone();
    shop.builder.on("//:d", move |_, _| {
        cancellation.cancel();
        Err(BuildError::Cancelled)
    });
    let ran = shop.run_as("//:a", &asked);
    assert!(ran.report.cancelled);
    assert!(ran.ended.values().all(|how| how.starts_with("skipped")), "{:?}", ran.ended);
    assert_eq!(ran.ended["//:d"], "skipped: cancelled");
    assert_eq!(shop.builder.calls(), ["build //:d"]);
}

/// The builder is told through the same value, while it works.
#[test]
fn a_builder_hears_of_a_cancellation() {
    let shop = Shop::new("[image.a]\n");
    let asked = Asked::default();
    let cancellation = asked.cancellation.clone();
    shop.builder.on("//:a", |_, heard| {
        while !heard.is_cancelled() {
            std::thread::yield_now();
        }
        Err(BuildError::Cancelled)
    });
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            cancellation.cancel();
        });
        shop.run_as("//:a", &asked)
    });
    assert_eq!(ran.lines(), ["//:a skipped: cancelled"]);
}

/// What ended well before the builder heard of it is kept.
#[test]
fn a_build_that_ends_in_spite_of_a_cancellation_counts() {
    let shop = Shop::new("[image.a]\n");
    let asked = Asked::default();
    let cancellation = asked.cancellation.clone();
    shop.builder.on("//:a", move |_, _| {
        cancellation.cancel();
        Ok(None)
    });
    assert_eq!(shop.run_as("//:a", &asked).lines(), ["//:a built"]);
    assert_eq!(shop.run("//:a").lines(), ["//:a cached"]);
}

#[test]
fn an_agent_is_given_or_missed() {
    let text = "[image.a]\nssh = ['default', { id = 'more', env = 'MORE', optional = true }]\n#--- Dockerfile\nFROM scratch\nRUN --mount=type=ssh true\n";
    let shop = Shop::new(text);
    let missed = "//:a failed: the SSH agent `default` cannot be had: the environment variable SSH_AUTH_SOCK is not set; start one with `eval $(ssh-agent)`, and give it a key with `ssh-add`";
    assert_eq!(shop.run("//:a").lines(), [missed]);
    assert_eq!(shop.builder.calls(), Vec::<String>::new(), "nothing is built without its agent");
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent");
    let _agent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let socket: &'static str = socket.to_str().unwrap().to_owned().leak();
    let given = |variables: &[&'static str]| {
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let writes = std::sync::Arc::clone(&seen);
        shop.builder.on("//:a", move |request, _| {
            let agent = |agent: &imgraph::build::builder::AgentSocket| {
                format!("{}={}", agent.id, agent.socket.display())
            };
            *writes.lock().unwrap() = request.agents.iter().map(agent).collect();
            Ok(None)
        });
        let environment = variables.iter().map(|name| (*name, socket)).collect();
        let asked = Asked { environment, forced: true, ..Asked::default() };
        assert_eq!(shop.run_as("//:a", &asked).lines(), ["//:a built"]);
        seen.lock().unwrap().clone()
    };
    assert_eq!(given(&["SSH_AUTH_SOCK"]), [format!("default={socket}")]);
    let both = [format!("default={socket}"), format!("more={socket}")];
    assert_eq!(given(&["SSH_AUTH_SOCK", "MORE"]), both);
}

#[test]
fn a_secret_is_given_or_missed() {
    let text = "[image.a]\nsecrets = [{ id = 'needed', env = 'NEEDED' }, { id = 'more', env = 'MORE', optional = true }, { id = 'file', file = 'token', optional = true }]\n#--- Dockerfile\nFROM scratch\nRUN --mount=type=secret,id=needed true\n";
    let shop = Shop::new(text);
    assert_eq!(
        shop.run("//:a").lines(),
        ["//:a failed: the secret `needed` cannot be had: the environment variable NEEDED is not set"]
    );
    assert_eq!(shop.builder.calls(), Vec::<String>::new(), "nothing is built without its secret");
    let given = |shop: &Shop, environment| {
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let writes = std::sync::Arc::clone(&seen);
        shop.builder.on("//:a", move |request, _| {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            *writes.lock().unwrap() = request
                .secrets
                .iter()
                .map(|secret| format!("{}={}", secret.id, text(&secret.value)))
                .collect();
            Ok(None)
        });
        let asked = Asked { environment, forced: true, ..Asked::default() };
        assert_eq!(shop.run_as("//:a", &asked).lines(), ["//:a built"]);
        seen.lock().unwrap().clone()
    };
    assert_eq!(given(&shop, vec![("NEEDED", "1")]), ["needed=1"]);
    shop.write("token", "t");
    let mut all = given(&shop, vec![("NEEDED", "1"), ("MORE", "2")]);
    all.sort();
    assert_eq!(all, ["file=t", "more=2", "needed=1"]);
    // No value is in the cache, and another value dirties nothing.
    let asked = Asked { environment: vec![("NEEDED", "3")], ..Asked::default() };
    assert_eq!(shop.run_as("//:a", &asked).lines(), ["//:a cached"]);
}

/// The triggers of the base, more lines of the Dockerfile, and the trigger that is refused, with why.
type TriggerCase<'c> = (&'c [&'c str], &'c str, Option<(&'c str, &'c str)>);

const TRIGGERED: &str = "[image.a]\nargs = { VERSION = '1' }\n#--- file\n#--- Dockerfile\nFROM base:1\n";

#[test]
fn triggers_of_a_base_from_elsewhere_may_not_read_what_the_key_does_not_hold() {
    let files = "reads those files: take a base without this trigger, or read the whole context with \
                 `RUN --mount=type=bind,target=/context true`";
    let argument = "uses that argument: write `ARG VERSION` after its `FROM`";
    let elsewhere = "reads from there: take a base without this trigger";
    let cases: &[TriggerCase<'_>] = &[
        (&[], "", None),
        (&["RUN true"], "", None),
        (&["RUN true", "COPY . /"], "", Some(("COPY . /", files))),
        (&["add file /"], "", Some(("add file /", files))),
        (&["RUN --mount=target=/m true"], "", Some(("RUN --mount=target=/m true", files))),
        (&["COPY --from=x . /"], "COPY . /\n", Some(("COPY --from=x . /", elsewhere))),
        (&["RUN --mount=from=x,target=/x true"], "", Some(("RUN --mount=from=x,target=/x true", elsewhere))),
        (&["COPY . /"], "COPY . /\n", None),
        (&["COPY . /"], "COPY file /\n", Some(("COPY . /", files))),
        (&["ARG VERSION"], "", Some(("ARG VERSION", argument))),
        (&["arg VERSION=2"], "COPY . /\n", Some(("arg VERSION=2", argument))),
        (&["ARG VERSION"], "ARG VERSION\n", None),
        (&["ARG OTHER"], "", None),
        (&["ENV VERSION=1"], "", None),
    ];
    for (triggers, more, refused) in cases {
        let shop = Shop::new(&format!("{TRIGGERED}{more}"));
        shop.builder.elsewhere("base:1", "base");
        shop.builder.triggers_of("base:1", triggers);
        let ran = shop.run("//:a");
        let expected = match refused {
            None => "built".to_owned(),
            Some((trigger, why)) => {
                format!(
                    "failed: the base `base:1` leaves `ONBUILD {trigger}` to this Dockerfile, which does not say that it {why}"
                )
            }
        };
        assert_eq!(ran.ended["//:a"], expected, "{triggers:?} {more}");
        if refused.is_some() {
            let failed = ran.report.nodes.values().iter().find_map(|ended| match &ended.ending {
                Ending::Failed(failure) => failure.line,
                _ => None,
            });
            assert_eq!(failed, Some(1));
        }
    }
}
