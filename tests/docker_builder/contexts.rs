//! Arguments, named contexts and secrets.

use imgraph::build::builder::{Builder, ContextSource};

use crate::support::{BASE, Case, Engine, View, logs, unique};

pub(crate) fn arguments_labels_and_stages_are_used(engine: &Engine) {
    let dockerfile = format!(
        "FROM {BASE} AS one\nARG GREETING=none\nRUN echo \"$GREETING\" >/greeting\nFROM one AS two\nRUN echo two >/two\n"
    );
    let tag = unique("stage");
    let case = Case {
        dockerfile: &dockerfile,
        stage: Some("one"),
        args: &[("GREETING", "hello = world, \"quoted\"")],
        labels: &[("org.example.name", "a value"), ("empty", "")],
        tags: &[&tag],
        ..Case::default()
    };
    case.output(engine);
    let looked = engine.look(&tag, "sh -c 'cat /image/greeting; test -e /image/two || echo no two'");
    assert_eq!(looked, "hello = world, \"quoted\"\nno two\n");
    let image = engine.api(async |api| api.inspect_image(&tag).await.unwrap());
    let labels = image.config.unwrap().labels.unwrap();
    assert_eq!(labels.get("org.example.name").map(String::as_str), Some("a value"));
    assert_eq!(labels.get("empty").map(String::as_str), Some(""));
}

pub(crate) fn folders_are_named_contexts(engine: &Engine) {
    let main = View::of(&[("main", "of the main context")]);
    let assets = View::of(&[("logo", "of assets"), ("unwanted", "")]);
    let shadow = View::of(&[("etc/shadowed", "of the folder in place of an image")]);
    let dockerfile = format!(
        "FROM {BASE}\nCOPY main /\nCOPY --from=assets logo /\nCOPY --from=debian:latest etc/shadowed /\n\
         RUN --mount=from=assets,target=/mnt cat /main /logo /shadowed /mnt/logo\n"
    );
    let mut sent = assets.sent();
    let entries: Vec<_> =
        sent.entries.iter().filter(|entry| entry.path.to_string() == "logo").cloned().collect();
    sent.entries = &entries;
    let case = Case {
        dockerfile: &dockerfile,
        context: Some(&main),
        contexts: vec![
            ("assets", ContextSource::Folder(sent)),
            ("docker.io/library/debian", ContextSource::Folder(shadow.sent())),
        ],
        no_cache: true,
        ..Case::default()
    };
    let (result, events) = case.run(engine);
    result.unwrap();
    assert_eq!(logs(&events), "of the main contextof assetsof the folder in place of an imageof assets");
}

pub(crate) fn images_are_named_contexts(engine: &Engine) {
    let dockerfile = "FROM base\nCOPY --from=tools:1.0 /bin/busybox /copied\nRUN --mount=from=mounted,target=/mnt test -x /mnt/bin/busybox && test -x /copied && echo all there\n";
    let case = Case {
        dockerfile,
        contexts: vec![
            ("base", ContextSource::Image(BASE)),
            ("tools:1.0", ContextSource::Image(BASE)),
            ("mounted", ContextSource::Image(BASE)),
        ],
        no_cache: true,
        ..Case::default()
    };
    let (result, events) = case.run(engine);
    result.unwrap();
    assert_eq!(logs(&events), "all there\n");
}

pub(crate) fn a_pinned_image_is_a_named_context(engine: &Engine) {
    let tag = unique("pinned");
    let dockerfile = format!("FROM {BASE}\nRUN echo {tag} >/name\n");
    let built = Case { dockerfile: &dockerfile, tags: &[&tag], ..Case::default() }.output(engine).digest;
    let imported = engine.builder.inventory().unwrap().references[BASE].clone();
    for (image, digest) in [(BASE, &imported), (&tag, &built)] {
        let repository = image.split(':').next().unwrap();
        for reference in
            [format!("{repository}@{digest}"), format!("{image}@{digest}"), format!("elsewhere@{digest}")]
        {
            let case = Case {
                dockerfile: "FROM debian:bookworm\nCOPY --from=tools /bin/busybox /copied\nRUN echo it runs\n",
                contexts: vec![
                    ("debian:bookworm", ContextSource::Image(&reference)),
                    ("tools", ContextSource::Image(&reference)),
                ],
                no_cache: true,
                ..Case::default()
            };
            let (result, events) = case.run(engine);
            result.unwrap_or_else(|error| panic!("{reference}: {error}"));
            assert_eq!(logs(&events), "it runs\n");
        }
    }
}

pub(crate) fn an_output_of_an_earlier_build_is_linked_by_its_tag(engine: &Engine) {
    let tag = unique("dependency").replace("imgraph-test/", "imgraph.local/");
    let build = |content: &str| {
        let dockerfile = format!("FROM {BASE}\nENV OF={content}\nRUN echo {content} >/made\n");
        Case { dockerfile: &dockerfile, tags: &[&tag], ..Case::default() }.output(engine);
        let dockerfile = "FROM dependency\nCOPY --from=ghcr.io/acme/other:1 /made /copied\nRUN --mount=from=dependency,target=/mnt cat /made /copied /mnt/made; echo $OF\n";
        let contexts = vec![
            ("dependency", ContextSource::Image(&tag)),
            ("ghcr.io/acme/other:1", ContextSource::Image(&tag)),
        ];
        let (result, events) = Case { dockerfile, contexts, no_cache: true, ..Case::default() }.run(engine);
        result.unwrap();
        assert_eq!(logs(&events), format!("{content}\n").repeat(4));
    };
    build("first");
    build("second");
}

pub(crate) fn secrets_are_mounted_and_not_shown(engine: &Engine) {
    let dockerfile = format!(
        "FROM {BASE}\nRUN --mount=type=secret,id=token test -s /run/secrets/token && \
         echo it is $(cat /run/secrets/token) && cat /run/secrets/token >&2\n"
    );
    let tag = unique("secret");
    let case = Case {
        dockerfile: &dockerfile,
        secrets: &[("token", "correct-horse")],
        no_cache: true,
        tags: &[&tag],
        ..Case::default()
    };
    let (result, events) = case.run(engine);
    let output = result.unwrap();
    let told = format!("{events:?}");
    assert!(!told.contains("correct-horse"), "{told}");
    assert!(logs(&events).contains("it is ***\n"), "{told}");
    let history = engine.api(async |api| api.image_history(output.digest.as_str()).await.unwrap());
    assert!(!format!("{history:?}").contains("correct-horse"));
    let dockerfile = format!("FROM {BASE}\nRUN --mount=type=secret,id=token cat /run/secrets/token; false\n");
    let (result, events) = Case { dockerfile: &dockerfile, ..case }.run(engine);
    let told = format!("{result:?} {events:?}");
    assert!(result.is_err() && !told.contains("correct-horse"), "{told}");
}

pub(crate) fn a_missing_secret_is_not_found(engine: &Engine) {
    let build = |options: &str| {
        let dockerfile = format!(
            "FROM {BASE}\nRUN --mount=type=secret,id=absent{options} test ! -e /run/secrets/absent\n"
        );
        Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() }.run(engine).0
    };
    build("").unwrap();
    let error = build(",required=true").unwrap_err().to_string();
    assert!(error.contains("absent") && error.contains("not found"), "{error}");
}

pub(crate) fn no_cache_runs_again(engine: &Engine) {
    let dockerfile = format!("FROM {BASE}\nRUN echo ran\n");
    let ran = |no_cache| logs(&Case { dockerfile: &dockerfile, no_cache, ..Case::default() }.run(engine).1);
    assert_eq!(ran(true), "ran\n");
    assert_eq!(ran(true), "ran\n");
    assert_eq!(ran(false), "");
}

pub(crate) fn steps_reach_the_network_that_is_asked_for(engine: &Engine) {
    let dockerfile = format!("FROM {BASE}\nRUN busybox readlink /proc/self/ns/net\n");
    let namespace = |network| {
        let case =
            Case { dockerfile: &dockerfile, network: Some(network), no_cache: true, ..Case::default() };
        let (result, events) = case.run(engine);
        result.unwrap();
        logs(&events)
    };
    let host = namespace("host");
    assert_eq!(host, namespace("host"));
    assert_ne!(host, namespace("none"));
}
