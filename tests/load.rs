//! Loading of workspaces that are right: what targets come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use imgraph::graph::load::{Loaded, Options, load as load_snapshot};
use imgraph::graph::target::{
    AgentSource, ArgumentValue, BuildDefinition, Definition, Located, NamedContext, SecretSource, Target,
};
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;
use imgraph::types::label::Label;
use imgraph::types::sorted_map::SortedMap;
use imgraph::types::workspace_path::WorkspacePath;
use workspace::Workspace;

#[path = "support/workspace.rs"]
mod workspace;

fn load(text: &str) -> Loaded {
    Workspace::of(&format!("[workspace]\nname = \"shop\"\n{text}")).load()
}

fn load_well(text: &str) -> Loaded {
    let loaded = load(text);
    let said: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| &diagnostic.message).collect();
    assert!(!loaded.has_errors(), "{text}: {said:#?}");
    loaded
}

fn target<'l>(loaded: &'l Loaded, label: &str) -> &'l Target {
    let label = Label::parse(label, &Arc::new(WorkspacePath::root())).unwrap();
    &loaded.targets[loaded.names.target(&label).unwrap_or_else(|| panic!("no {label}"))]
}

fn show<Value>(located: Option<&Located<Value>>, show: impl Fn(&Value) -> String) -> String {
    located.map_or_else(|| "-".to_owned(), |located| show(&located.value))
}

fn table<Value>(table: &SortedMap<String, Located<Value>>, show: impl Fn(&Value) -> String) -> String {
    let entries = table.iter().map(|(key, located)| format!("{key}={}", show(&located.value)));
    entries.collect::<Vec<_>>().join(" ")
}

fn list<'v, Value: 'v>(
    values: impl IntoIterator<Item = &'v Located<Value>>,
    show: impl Fn(&Value) -> String,
) -> String {
    values.into_iter().map(|located| show(&located.value)).collect::<Vec<_>>().join(" ")
}

/// One field of a target, in a word.
fn field(build: &BuildDefinition, name: &str) -> String {
    let text = String::clone;
    match name {
        "dockerfile" => build.dockerfile.value.to_string(),
        "context" => build.context.value.to_string(),
        "target" => show(build.stage.as_ref(), text),
        "args" => table(&build.args, |value| match value {
            ArgumentValue::Text(text) => text.clone(),
            ArgumentValue::Target(label) => format!("<{label}>"),
        }),
        "contexts" => table(&build.contexts, |context| match context {
            NamedContext::Target(label) => format!("<{label}>"),
            NamedContext::Folder(path) => format!("{path}/"),
            NamedContext::Image(image) => image.clone(),
        }),
        "stamp" => table(&build.stamp, text),
        "labels" => table(&build.labels, text),
        "secrets" => table(&build.secrets, |secret| {
            let source = match &secret.source {
                SecretSource::Environment(name) => format!("${name}"),
                SecretSource::WorkspaceFile(path) => format!("//{path}"),
                SecretSource::HostFile(path) => path.display().to_string(),
            };
            format!("{source}{}", if secret.optional { "?" } else { "" })
        }),
        "ssh" => table(&build.agents, |agent| {
            let source = match &agent.source {
                AgentSource::Environment(name) => format!("${name}"),
                AgentSource::Socket(path) => path.clone(),
            };
            format!("{source}{}", if agent.optional { "?" } else { "" })
        }),
        "platforms" => list(&build.platforms, ToString::to_string),
        "tags" => list(&build.tags, |tag| tag.fill("<key>")),
        "inputs" => build.inputs.as_ref().map_or_else(|| "-".to_owned(), |inputs| list(inputs, text)),
        "publishes" => show(build.publishes.as_ref(), text),
        "export" => show(build.export.as_ref(), text),
        "network" => show(build.network.as_ref(), |network| network.as_str().to_owned()),
        "no-cache" => show(build.no_cache.as_ref(), ToString::to_string),
        name => panic!("no field {name}"),
    }
}

/// Checks one field of `//:api` that says `written`.
fn check(written: &str, name: &str, expected: &str) {
    check_at("//:api", &format!("[image.api]\n{written}\n[stage.node]\n#--- assets/a\n"), name, expected);
}

fn check_at(label: &str, text: &str, name: &str, expected: &str) {
    let loaded = load_well(text);
    let build = target(&loaded, label).build().expect("it is built");
    assert_eq!(field(build, name), expected, "{name} of {label} in {text}");
}

#[test]
fn without_a_word() {
    for (name, expected) in [
        ("dockerfile", "Dockerfile"),
        ("context", ""),
        ("target", "-"),
        ("args", ""),
        ("contexts", ""),
        ("platforms", ""),
        ("tags", ""),
        ("inputs", "-"),
        ("publishes", "-"),
        ("export", "-"),
        ("network", "-"),
        ("no-cache", "-"),
    ] {
        check("", name, expected);
    }
}

#[test]
fn fields_come_to_what_they_say() {
    check("context = \"assets\"", "context", "assets");
    check("target = \"node\"", "target", "node");
    check("args = { A = \"1\", B = { target = \":node\" } }", "args", "A=1 B=<//:node>");
    check("[image.api.args]\nA = \"1\"", "args", "A=1");
    check(
        "contexts = { n = \":node\", a = { dir = \"assets\" }, d = { image = \"debian:12\" } }",
        "contexts",
        "a=assets/ d=debian:12 n=<//:node>",
    );
    check("stamp = { SHA = \"${git.sha:-none}\" }", "stamp", "SHA=none");
    check("labels = { \"org.example.a\" = \"b\" }", "labels", "org.example.a=b");
    check("secrets = [{ id = \"a\", env = \"A\", optional = true }]", "secrets", "a=$A?");
    check("secrets = [{ id = \"a\", file = \"x/a\" }]", "secrets", "a=//x/a");
    check("secrets = [{ id = \"a\", file = \"/root/a\" }]", "secrets", "a=/root/a");
    check("ssh = [\"default\", \"git\"]", "ssh", "default=$SSH_AUTH_SOCK git=$SSH_AUTH_SOCK");
    check("ssh = [{ id = \"a\", optional = true }]", "ssh", "a=$SSH_AUTH_SOCK?");
    check("ssh = [{ id = \"a\", env = \"A\" }]", "ssh", "a=$A");
    check("ssh = [{ id = \"a\", socket = \"~/${name}.sock\" }]", "ssh", "a=~/api.sock");
    check("ssh = [{ id = \"a\", socket = \"/run/a\" }]", "ssh", "a=/run/a");
    check(
        "platforms = [\"linux/amd64\", \"linux/x86_64\", \"linux/arm64\"]",
        "platforms",
        "linux/amd64 linux/arm64",
    );
    check("tags = [\"acme/${name}:${source-key}\"]", "tags", "acme/api:<key>");
    check("inputs = [\"a/**\", \"!b\"]", "inputs", "a/** !b");
    check("publishes = \"ghcr.io/acme/api\"", "publishes", "ghcr.io/acme/api");
    check("export = \"IMAGE_URI\"", "export", "IMAGE_URI");
    check("export = \"URI_${name}\"", "export", "URI_api");
    check("network = \"none\"", "network", "none");
    check("no-cache = true", "no-cache", "true");
}

#[test]
fn tags_are_kept_when_their_when_holds() {
    let tags = |when: &str| format!("tags = [\"a:1\", {{ tag = \"a:2\", when = \"{when}\" }}]");
    check(&tags("1"), "tags", "a:1 a:2");
    check(&tags("0"), "tags", "a:1");
    check(&tags("false"), "tags", "a:1");
    check(&tags(""), "tags", "a:1");
    check(&tags("no"), "tags", "a:1 a:2");
    check(&tags("${CI}"), "tags", "a:1");
    check(&format!("{}\n#--- env CI=true\n#--- x", tags("${CI}")), "tags", "a:1 a:2");
}

/// Checks the argument `A` of `//s:api`, which says `${X}`.
fn check_variable(variables: &str, givens: &str, expected: &str) {
    let text = format!(
        "[vars]\n{variables}\n{givens}\n#--- s/BUILD.toml\n[image.api]\nargs = {{ A = \"${{X}}\" }}\n"
    );
    check_at("//s:api", &text, "args", &format!("A={expected}"));
}

#[test]
fn variables_take_the_first_value_there_is() {
    check_variable("X = \"1\"", "", "1");
    check_variable("X = { default = \"1\" }", "", "1");
    check_variable("X = { env = \"E\", default = \"1\" }", "", "1");
    check_variable("X = { env = \"E\", default = \"1\" }", "#--- env E=2", "2");
    check_variable("X = { env = \"E\", default = \"1\" }", "#--- env E=", "");
    check_variable("X = { env = \"E\", default = \"1\" }", "#--- env E=2\n#--- set X=3", "3");
    check_variable("X = \"1\"", "#--- env X=2", "1");
    check_variable("X = \"1\"", "#--- set X=a=b", "a=b");
    check_variable("X = { values = [\"a\", \"b\"] }", "#--- set X=b", "b");
    check_variable("X = \"${Y}-${Z:-z}\"\nY = \"y\"\nZ = { env = \"Z\" }", "", "y-z");
    check_variable("X = \"$${Y}\"", "", "${Y}");
}

#[test]
fn a_switch_chooses_a_case() {
    let switch = "P = { default = \"release\" }
X = { switch = \"${P}\", cases = { release = \"\", debug = \"d-${P}\" }, default = \"${P}_\" }";
    check_variable(switch, "", "");
    check_variable(switch, "#--- set P=debug", "d-debug");
    check_variable(switch, "#--- set P=fast", "fast_");
    check_variable(switch, "#--- set X=set", "set");
}

#[test]
fn the_nearest_variable_is_seen() {
    let text = |package: &str| {
        format!(
            "[vars]\nX = \"root\"\nY = \"${{X}}\"\n#--- s/BUILD.toml\n[vars]\nX = \"s\"
#--- s/t/BUILD.toml\n[image.api]\nargs = {{ X = \"${{X}}\", Y = \"${{Y}}\" }}
#--- u/BUILD.toml\n[image.api]\nargs = {{ X = \"${{X}}\", Y = \"${{Y}}\" }}\n#--- {package}/x\n"
        )
    };
    check_at("//s/t:api", &text("s"), "args", "X=s Y=root");
    check_at("//u:api", &text("u"), "args", "X=root Y=root");
}

#[test]
fn built_in_variables() {
    let text = "#--- s/t/BUILD.toml\n[image.api]\nargs = { A = \"${package}:${name}\" }\n";
    check_at("//s/t:api", text, "args", "A=s/t:api");
    check_at("//:api", "[image.api]\nargs = { A = \"${package}:${name}\" }\n", "args", "A=:api");
}

/// Checks a field of `//s/t:api`, whose own table is `own`, below defaults of the root and of `s`.
fn check_defaults(root: &str, middle: &str, own: &str, name: &str, expected: &str) {
    let text = format!(
        "[defaults.image]\n{root}\n[defaults.stage]\nargs = {{ STAGE = \"1\" }}
#--- s/BUILD.toml\n[defaults.image]\n{middle}\n#--- s/t/BUILD.toml\n[image.api]\n{own}
#--- docker/d\n#--- s/t/docker/d\n#--- s/t/Dockerfile\n"
    );
    check_at("//s/t:api", &text, name, expected);
}

#[test]
fn defaults_give_way_to_what_is_nearer() {
    check_defaults("network = \"none\"", "", "", "network", "none");
    check_defaults("network = \"none\"", "network = \"host\"", "", "network", "host");
    check_defaults("network = \"none\"", "network = \"host\"", "network = \"default\"", "network", "default");
    check_defaults("no-cache = true", "", "no-cache = false", "no-cache", "false");
    check_defaults("inputs = [\"a\", \"b\"]", "inputs = [\"c\"]", "", "inputs", "c");
    check_defaults("inputs = [\"a\"]", "", "inputs = []", "inputs", "");
    check_defaults("tags = [\"a:${name}\"]", "", "", "tags", "a:api");
    check_defaults(
        "args = { A = \"root\", B = \"root\", C = \"root\" }",
        "args = { B = \"s\", C = \"s\" }",
        "args = { C = \"own\", D = \"own\" }",
        "args",
        "A=root B=s C=own D=own",
    );
    check_defaults(
        "labels = { a = \"1\" }",
        "labels = { b = \"2\" }",
        "labels = { a = \"3\" }",
        "labels",
        "a=3 b=2",
    );
}

#[test]
fn paths_in_defaults_are_relative_to_who_takes_them() {
    check_defaults("context = \".\"", "", "", "context", "s/t");
    check_defaults("context = \"docker\"", "", "", "context", "s/t/docker");
    check_defaults("context = \"//\"", "", "", "context", "");
    check_defaults("context = \"//docker\"", "", "", "context", "docker");
    check_defaults("dockerfile = \"//docker/d\"", "", "", "dockerfile", "docker/d");
    check_defaults("context = \"//docker\"", "", "context = \"..\"", "context", "s");
    check_defaults("args = { A = { target = \":api\" } }", "", "", "args", "A=<//s/t:api>");
}

#[test]
fn bases_groups_and_aliases() {
    let loaded = load_well(
        "[base.debian]\nimage = \"debian:${RELEASE}\"\n[vars]\nRELEASE = \"bookworm\"\n[image.api]
contexts = { base = \"//old\" }\n[group.all-of-them]\ntargets = [\"//old\", \"-:api\"]
[alias]\n\"//old\" = \"//older\"\n\"//older\" = \":debian\"\n",
    );
    let Definition::External(image) = &target(&loaded, "//:debian").definition else {
        panic!("not external")
    };
    assert_eq!(image.value, "debian:bookworm");
    let Definition::Group(members) = &target(&loaded, "//:all-of-them").definition else {
        panic!("no group")
    };
    assert_eq!(list(members, ToString::to_string), "//:debian -//:api");
    assert_eq!(field(target(&loaded, "//:api").build().unwrap(), "contexts"), "base=<//:debian>");
    assert_eq!(target(&loaded, "//old").label.to_string(), "//:debian");
    assert_eq!(loaded.workspace_name.as_deref(), Some("shop"));
}

#[test]
fn a_workspace_inside_is_another_workspace() {
    let loaded = load_well(
        "[image.api]\n#--- inner/BUILD.toml\n[workspace]\n[image.x]\nwrong = 1\n#--- inner/deep/BUILD.toml\n[image.y]\n",
    );
    let labels: Vec<_> = loaded.targets.values().iter().map(|target| target.label.to_string()).collect();
    assert_eq!(labels, ["//:api"]);
}

#[test]
fn excluded_folders_hold_no_packages() {
    let text = "exclude = [\"third_party/**\"]\n[image.api]\n#--- third_party/x/BUILD.toml\nwrong = 1\n";
    assert_eq!(load_well(text).targets.len(), 1);
}

#[test]
fn a_target_keeps_its_places() {
    let loaded = load_well("\n[image.api]\nargs = { A = \"1\" }\n");
    let target = target(&loaded, "//:api");
    assert_eq!(target.location.path_line(), "BUILD.toml:4");
    let build = target.build().unwrap();
    assert_eq!(build.args["A"].location.path_line(), "BUILD.toml:5");
    assert_eq!(build.context.location.path_line(), "BUILD.toml:4");
}

/// A workspace to select from.
const MANY: &str = "[image.root]
[group.services]
targets = [\"//a/...\", \"-//a/b:two\", \":more\"]
[group.more]
targets = [\"//c:all\"]
[alias]
\"//short\" = \"//a/b:one\"
#--- a/BUILD.toml
[image.a]
[base.debian]
image = \"debian:12\"
#--- a/b/BUILD.toml
[image.one]
[stage.two]
#--- ab/BUILD.toml
[image.ab]
#--- c/BUILD.toml
[image.c]
[group.only]
targets = []
#--- d/BUILD.toml
[group.nothing]
targets = []
";

fn check_selection(patterns: &str, current: &str, expected: &str) {
    let loaded = load_well(MANY);
    let current = Arc::new(WorkspacePath::root().resolve(current.as_bytes()).unwrap());
    let patterns: Vec<&str> = patterns.split_whitespace().collect();
    let found = match loaded.select(&patterns, &current) {
        Ok(targets) => {
            let labels: Vec<_> = targets.iter().map(|id| loaded.targets[*id].label.to_string()).collect();
            labels.join(" ")
        }
        Err(diagnostics) => {
            let texts = diagnostics.iter().map(|one| format!("{} ({})", one.message, one.help.join("; ")));
            texts.collect::<Vec<_>>().join("\n")
        }
    };
    assert_eq!(found, expected, "{patterns:?} in //{current}");
}

#[test]
fn patterns_select_targets() {
    check_selection("//a/b:one", "", "//a/b:one");
    check_selection("//a", "", "//a:a");
    check_selection("a", "a", "//a:a");
    check_selection(":a :debian", "a", "//a:a //a:debian");
    check_selection("//a:all", "", "//a:a //a:debian");
    check_selection("//a/...", "", "//a:a //a:debian //a/b:one //a/b:two");
    check_selection("...", "a/b", "//a/b:one //a/b:two");
    check_selection("//c:all", "", "//c:c");
    check_selection("//... -//a/...", "", "//:root //ab:ab //c:c");
    check_selection("-//a:a //a:a", "", "//a:a");
    check_selection("//a:a -//a:a", "", "");
    check_selection("//short", "", "//a/b:one");
    check_selection("//a/b:all -//short", "", "//a/b:two");
    check_selection("//:services", "", "//a:a //a:debian //a/b:one //c:c");
    check_selection("//... -:services", "", "//:root //a/b:two //ab:ab");
    check_selection("//d:nothing", "", "");
}

#[test]
fn patterns_that_name_nothing_are_errors() {
    check_selection("//a:b", "", "there is no target `//a:b` (did you mean `//a:a`?)");
    check_selection(
        "//a/b:api //a:x",
        "",
        "there is no target `//a/b:api` (`//a/b` has `one`, `two`)\nthere is no target `//a:x` (did you mean `//a:a`?)",
    );
    check_selection(
        "//b:one",
        "",
        "there is no target `//b:one` (`//b` is not a package: it has no `BUILD.toml`; did you mean `//a/b:one`?)",
    );
    check_selection(
        "//e/...",
        "",
        "`//e/...` matches no target (there is no `BUILD.toml` below `//e`; did you mean `//a/...`?)",
    );
    check_selection(
        "//d/...",
        "",
        "`//d/...` matches no target (the packages in and below `//d` declare no target but groups)",
    );
    check_selection(
        "//d:all",
        "",
        "`//d:all` matches no target (the `BUILD.toml` of `//d` declares no target but groups)",
    );
    check_selection(
        "-//x:y",
        "",
        "there is no target `//x:y` (`//x` is not a package: it has no `BUILD.toml`; did you mean `//a`?)",
    );
    check_selection(
        "//a:b:c",
        "",
        "`//a:b:c` is not a label: a name is made of letters, digits and any of `-_.+`, and begins with a letter, a digit or `_` ()",
    );
}

#[test]
fn git_gives_values_inside_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    let build = "[workspace]\n[image.api]\nstamp = { A = \"${git.branch}-${git.dirty:-clean}\", B = \"${git.short-sha}\" }\n";
    std::fs::write(folder.path().join("BUILD.toml"), build).unwrap();
    std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let script =
        "git init -q -b trunk . && git config user.email a@b && git config user.name a && git add . &&
        git commit -qm first && git rev-parse HEAD";
    let output =
        std::process::Command::new("sh").arg("-ec").arg(script).current_dir(folder.path()).output().unwrap();
    let commit = String::from_utf8(output.stdout).unwrap();
    let nothing = BTreeMap::new();
    let environment = Environment::default();
    let options = Options { set: &nothing, environment: &environment, version: "0.1.0" };
    let loaded = load_snapshot(&Snapshot::of_disk(folder.path()).unwrap(), &options);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let build = target(&loaded, "//:api").build().unwrap();
    assert_eq!(field(build, "stamp"), format!("A=trunk-clean B={}", &commit[..7]));
}

#[test]
fn a_file_that_is_no_text_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("BUILD.toml"), b"[workspace]\nname = \"sh\xffop\"\n").unwrap();
    let nothing = BTreeMap::new();
    let environment = Environment::default();
    let options = Options { set: &nothing, environment: &environment, version: "0.1.0" };
    let loaded = load_snapshot(&Snapshot::of_disk(folder.path()).unwrap(), &options);
    let [diagnostic] = loaded.diagnostics.as_slice() else { panic!("{:?}", loaded.diagnostics) };
    assert_eq!(diagnostic.message, "`BUILD.toml` is not UTF-8: the byte 0xff at offset 22, in line 2");
    assert_eq!(diagnostic.help, ["a `BUILD.toml` is UTF-8: save it in that encoding"]);
    assert_eq!(diagnostic.annotations[0].location.path_line(), "BUILD.toml:2");
}
