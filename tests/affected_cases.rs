//! `imgraph affected` as a person and a pipeline use it: each kind of repository, each form, each mistake.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/history.rs"]
mod history;
#[path = "support/program.rs"]
mod program;
#[path = "support/repository.rs"]
mod repository;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use history::git;
use program::run;
use repository::{Repository, SHOP};

#[test]
fn a_change_touches_who_reads_it_and_who_needs_that() {
    let shop = Repository::of(SHOP);
    for (path, text, expected) in [
        ("docs/readme", "2\n", &[][..]),
        ("web/page", "2\n", &["//web:web"]),
        ("web/logo.svg", "2\n", &["//web:assets"]),
        ("web/new.svg", "1\n", &["//web:assets"]),
        ("lib/deep/two", "2\n", &["//:common", "//api:api"]),
        ("api/Dockerfile", "# said otherwise\nFROM acme/common:1\nCOPY src /src\n", &[]),
        ("api/Dockerfile", "FROM acme/common:1\nCOPY src /other\n", &["//api:api"]),
        ("api/.dockerignore", "src/nothing\n", &[]),
        ("api/BUILD.toml", "[image.api]\nlabels = { a = \"b\" }\n", &["//api:api"]),
    ] {
        shop.change(path, text);
        shop.check("--base HEAD~1 --head HEAD", expected);
        shop.check("--base HEAD~1", expected);
    }
}

#[test]
fn what_was_taken_back_touches_nothing() {
    let shop = Repository::of(SHOP);
    shop.change("lib/one", "2\n");
    git(&shop.root, &["revert", "--no-edit", "HEAD"]);
    shop.check("--base HEAD~1 --head HEAD", &["//:common", "//api:api"]);
    shop.check("--base HEAD~2 --head HEAD", &[]);
}

#[test]
fn targets_come_and_go() {
    let shop = Repository::of(SHOP);
    shop.change("api/BUILD.toml", "[image.other]\n");
    shop.check("--base HEAD~1 --head HEAD", &["//api:other"]);
    // A pattern may name what is on one side only.
    shop.check("--base HEAD~1 --head HEAD //api:api", &[]);
    shop.check("--base HEAD~1 --head HEAD //api:other", &["//api:other"]);
    insta::assert_snapshot!(
        "why_they_came_and_went",
        shop.affected("--base HEAD~1 --head HEAD --why").shown()
    );
    let wrong = shop.affected("--base HEAD~1 --head HEAD //api:othr");
    assert_eq!(wrong.exit, 2);
    insta::assert_snapshot!("a_pattern_that_names_nothing", wrong.shown());
}

#[test]
fn patterns_and_kinds_choose() {
    let shop = Repository::of(SHOP);
    shop.change("lib/one", "2\n");
    shop.change("web/logo.svg", "2\n");
    let all = ["//:common", "//api:api", "//web:assets"];
    shop.check("--base HEAD~2 --head HEAD", &all);
    shop.check("--base HEAD~2 --head HEAD //web/...", &all[2..]);
    shop.check("--base HEAD~2 --head HEAD --kind image", &all[1..2]);
    shop.check("--base HEAD~2 --head HEAD --kind base,stage", &[all[0], all[2]]);
    shop.check("--base HEAD~2 --head HEAD --format paths", &[".", "api", "web"]);
    shop.check("-C api --base HEAD~2 --head HEAD :api", &["//api:api"]);
}

#[test]
fn every_form_has_its_reasons() {
    let shop = Repository::of(SHOP);
    shop.write("lib/one", "2\n");
    shop.write("api/Dockerfile", "FROM acme/common:1\nCOPY src /other\nENV A=b\n");
    shop.write(
        "web/BUILD.toml",
        "[image.web]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\nlabels = { a = \"b\" }\n",
    );
    shop.commit();
    for columns in [80, 120] {
        let outcome = run(&shop.root, columns, "affected --base HEAD~1 --head HEAD --why");
        insta::assert_snapshot!(format!("why_in_{columns}_columns"), outcome.shown());
    }
    let document = shop.affected("--base HEAD~1 --head HEAD --format json").json();
    let settings = [(r#"[0-9a-f]{40}"#, "COMMIT")];
    insta::with_settings!({ filters => settings.to_vec() }, {
        insta::assert_snapshot!("document", serde_json::to_string_pretty(&document).unwrap());
    });
    insta::assert_snapshot!("github", shop.affected("--base HEAD~1 --head HEAD --format github").shown());
}

#[test]
fn one_target_is_explained() {
    let shop = Repository::of(SHOP);
    shop.change("lib/one", "2\n");
    shop.change("api/src/main", "2\n");
    let mut shown = String::new();
    for arguments in ["//api --base HEAD~2", "//web/... --base HEAD~2 --head HEAD", "//api --base nothing"] {
        shown.push_str(&format!("$ imgraph explain {arguments}\n"));
        shown.push_str(&run(&shop.root, 80, &format!("explain {arguments}")).shown());
    }
    insta::assert_snapshot!("explained", shown);
    let document = run(&shop.root, 80, "explain //api --base HEAD~2 --head HEAD --format json").json();
    assert_eq!(document["targets"][0]["reasons"][0]["file"], "api/src/main");
}

#[test]
fn the_exit_tells_of_work() {
    let shop = Repository::of(SHOP);
    shop.change("web/page", "2\n");
    assert_eq!(shop.affected("--base HEAD~1 --detailed-exitcode").exit, 10);
    assert_eq!(shop.affected("--base HEAD --detailed-exitcode").exit, 0);
    assert_eq!(shop.affected("--base HEAD~1 --detailed-exitcode //api").exit, 0);
}

#[test]
fn a_base_that_cannot_be_loaded_affects_everything() {
    let all = "//:common\n//api:api\n//web:assets\n//web:web\n";
    let shop = Repository::of(SHOP);
    let good = fs::read_to_string(shop.root.join("api/BUILD.toml")).unwrap();
    shop.change("api/BUILD.toml", "[image.api\n");
    shop.change("api/BUILD.toml", &good);
    for (base, name) in [("HEAD~1", "a_broken_base"), ("nothing", "an_unknown_base")] {
        let loose = shop.affected(&format!("--base {base} --head HEAD"));
        assert_eq!((loose.exit, loose.stdout.as_str()), (0, all), "{}", loose.shown());
        let strict = shop.affected(&format!("--base {base} --head HEAD --strict"));
        assert_eq!((strict.exit, strict.stdout.as_str()), (2, ""), "{}", strict.shown());
        insta::with_settings!({ filters => vec![("[0-9a-f]{40}", "COMMIT")] }, {
            insta::assert_snapshot!(name, format!("{}\n{}", loose.stderr, strict.stderr));
        });
    }
    // The newer side has to be right.
    assert_eq!(shop.affected("--base HEAD --head HEAD~1").exit, 2);
    assert_eq!(shop.affected("--base HEAD --head nothing").exit, 2);
    assert_eq!(shop.affected("--base --all --head HEAD").exit, 2);
}

#[test]
fn a_shallow_clone_says_what_to_fetch() {
    let shop = Repository::of(SHOP);
    shop.change("web/page", "2\n");
    let clone = shop.sibling("clone");
    let url = format!("file://{}", shop.root.display());
    git(shop.root.parent().unwrap(), &["clone", "-q", "--depth=1", &url, "clone"]);
    let outcome = run(&clone, 120, "affected --base HEAD~1 --head HEAD");
    assert_eq!(outcome.stdout.lines().count(), 4, "{}", outcome.shown());
    assert!(outcome.stderr.contains("shallow clone"), "{}", outcome.shown());
}

#[test]
fn every_kind_of_repository() {
    for format in ["sha1", "sha256"] {
        let shop = Repository::with_format(SHOP, format);
        shop.change("web/page", "2\n");
        let expected = "//web:web\n";
        let parent = shop.root.parent().unwrap();
        let url = format!("file://{}", shop.root.display());
        git(&shop.root, &["config", "uploadpack.allowFilter", "true"]);
        git(parent, &["clone", "-q", "--bare", &url, "bare"]);
        git(parent, &["clone", "-q", "--filter=blob:none", &url, "partial"]);
        git(&shop.root, &["worktree", "add", "-q", "../tree", "HEAD"]);
        git(&shop.root, &["gc", "-q"]);
        for place in ["shop", "bare", "partial", "tree"] {
            let outcome = run(&parent.join(place), 120, "affected --base HEAD~1 --head HEAD");
            assert_eq!(outcome.shown(), format!("{expected}exit 0\n"), "{place} {format}");
        }
        // There is no checkout that could be compared.
        let outcome = run(&parent.join("bare"), 120, "affected --base HEAD~1");
        assert_eq!(outcome.exit, 2, "{}", outcome.shown());
        assert!(outcome.stderr.contains("--head"), "{}", outcome.shown());
    }
}

#[test]
fn a_workspace_below_the_top_of_its_repository() {
    let shop = Repository::of(&[("readme", "1\n")]);
    SHOP.iter().for_each(|(path, text)| shop.write(&format!("deep/shop/{path}"), text));
    shop.commit();
    shop.change("readme", "2\n");
    shop.change("deep/shop/web/page", "2\n");
    let check = |folder: &str, arguments: &str, expected: &str| {
        let outcome = run(&shop.root.join(folder), 120, &format!("affected {arguments}"));
        assert_eq!(outcome.stdout, expected, "{}", outcome.shown());
    };
    check("deep/shop", "--base HEAD~1 --head HEAD", "//web:web\n");
    check("deep/shop", "--base HEAD~1", "//web:web\n");
    check("deep/shop/web", "--base HEAD~2", "//web:web\n");
    check("deep/shop", "--base HEAD~2 --head HEAD~1", "");
    // Before it was there, nothing is known.
    let outcome = run(&shop.root.join("deep/shop"), 120, "affected --base HEAD~3 --head HEAD");
    assert_eq!(outcome.stdout.lines().count(), 4, "{}", outcome.shown());
    assert!(outcome.stderr.contains("does not have the workspace's folder"), "{}", outcome.shown());
}

#[test]
fn the_checkout_counts_as_git_sees_it() {
    let shop = Repository::of(SHOP);
    shop.check("--base HEAD", &[]);
    shop.write("web/logo.svg", "2\n");
    shop.check("--base HEAD", &["//web:assets"]);
    git(&shop.root, &["add", "."]);
    shop.check("--base HEAD", &["//web:assets"]);
    shop.write("web/logo.svg", "1\n");
    shop.check("--base HEAD", &[]);
    // Nobody has added it yet.
    shop.write("web/new.svg", "1\n");
    shop.check("--base HEAD", &["//web:assets"]);
    fs::remove_file(shop.root.join("web/new.svg")).unwrap();
    // A permission that git does not keep.
    fs::set_permissions(shop.root.join("web/page"), fs::Permissions::from_mode(0o600)).unwrap();
    shop.check("--base HEAD", &[]);
    fs::set_permissions(shop.root.join("web/page"), fs::Permissions::from_mode(0o755)).unwrap();
    shop.check("--base HEAD", &["//web:web"]);
    fs::remove_file(shop.root.join("web/page")).unwrap();
    shop.check("--base HEAD", &["//web:web"]);
}

#[test]
fn files_that_git_ignores_are_told_apart() {
    let shop = Repository::of(SHOP);
    shop.change(".gitignore", "*.svg\n/out/\n");
    shop.change("web/Dockerfile", "FROM scratch\nCOPY page out* /\n");
    shop.write("web/made.svg", "1\n");
    shop.write("web/outside", "1\n");
    let outcome = shop.affected("--base HEAD --why");
    insta::assert_snapshot!("ignored_by_git", outcome.shown());
    let document = shop.affected("--base HEAD --format json").json();
    assert_eq!(document["targets"][0]["label"], "//web:web");
    assert_eq!(document["ignored"][0]["label"], "//web:assets");
    assert_eq!(document["ignored"][0]["reasons"][0]["file"], "web/made.svg");
}

#[test]
fn a_filter_of_git_is_not_a_change() {
    let shop = Repository::of(SHOP);
    shop.change(".gitattributes", "*.svg text eol=crlf\n");
    fs::remove_file(shop.root.join("web/logo.svg")).unwrap();
    git(&shop.root, &["checkout", "-q", "web/logo.svg"]);
    assert_eq!(fs::read(shop.root.join("web/logo.svg")).unwrap(), b"1\r\n");
    shop.check("--base HEAD", &[]);
    shop.check("--base HEAD~1", &[]);
}

#[test]
fn links_lead_where_they_lead() {
    let shop = Repository::of(SHOP);
    shop.change("web/Dockerfile", "FROM scratch\nCOPY current /\n");
    shop.write("web/versions/one/x", "1\n");
    shop.write("web/versions/two/x", "1\n");
    symlink("versions/one", shop.root.join("web/current")).unwrap();
    shop.commit();
    shop.change("web/versions/two/x", "2\n");
    shop.check("--base HEAD~1 --head HEAD", &[]);
    shop.change("web/versions/one/x", "2\n");
    shop.check("--base HEAD~1 --head HEAD", &["//web:web"]);
    fs::remove_file(shop.root.join("web/current")).unwrap();
    symlink("versions/two", shop.root.join("web/current")).unwrap();
    shop.commit();
    shop.check("--base HEAD~1 --head HEAD", &["//web:web"]);
    shop.check("--base HEAD~1", &["//web:web"]);
}

#[test]
fn submodules_are_read_where_they_can_be() {
    let shop = Repository::of(SHOP);
    let other = Repository::of(&[("used/x", "1\n"), ("unused", "1\n")]);
    let url = other.root.display().to_string();
    git(&shop.root, &["submodule", "add", "-q", &url, "web/vendor"]);
    shop.change("web/Dockerfile", "FROM scratch\nCOPY page vendor/used /\n");
    for (path, expected) in [("unused", &[][..]), ("used/x", &["//web:web"])] {
        other.change(path, "2\n");
        git(&shop.root.join("web/vendor"), &["pull", "-q"]);
        shop.commit();
        shop.check("--base HEAD~1 --head HEAD", expected);
        shop.check("--base HEAD~1", expected);
    }
    shop.write("web/vendor/used/x", "3\n");
    shop.check("--base HEAD", &["//web:web"]);
    // A clone without them cannot know, and says so.
    git(shop.root.parent().unwrap(), &["clone", "-q", &shop.root.display().to_string(), "clone"]);
    let outcome = run(&shop.sibling("clone"), 120, "affected --base HEAD~2 --head HEAD~1 --why");
    let said = "submodule web/vendor (its files cannot be read here)";
    assert!(
        outcome.stdout.contains("//web:web changed") && outcome.stdout.contains(said),
        "{}",
        outcome.shown()
    );
    let outcome = run(&shop.sibling("clone"), 120, "affected --base HEAD --why");
    assert_eq!(outcome.stdout, "", "{}", outcome.shown());
}

#[test]
fn a_branch_is_compared_with_where_it_began() {
    let shop = Repository::of(SHOP);
    git(&shop.root, &["checkout", "-q", "-b", "topic"]);
    shop.change("web/page", "2\n");
    git(&shop.root, &["checkout", "-q", "main"]);
    shop.change("lib/one", "2\n");
    shop.check("--base main --head topic", &["//:common", "//api:api", "//web:web"]);
    shop.check("--base main --head topic --merge-base", &["//web:web"]);
    git(&shop.root, &["checkout", "-q", "topic"]);
    shop.check("--base main --merge-base", &["//web:web"]);
}

#[test]
fn a_commits_own_facts_are_asked_of_the_commit() {
    let shop = Repository::of(SHOP);
    shop.change("web/Dockerfile", "FROM scratch\nARG SHA\nCOPY page /\n");
    shop.change("web/BUILD.toml", "[image.web]\nargs = { SHA = \"${git.sha}\" }\n");
    shop.change("docs/readme", "2\n");
    let outcome = shop.affected("--base HEAD~1 --head HEAD --why");
    assert!(outcome.stdout.starts_with("//web:web changed\n  argument SHA changed: "), "{}", outcome.shown());
}

/// Every file below a folder, with what its facts say of the last change.
fn facts(folder: &Path) -> BTreeSet<String> {
    use std::os::unix::fs::MetadataExt;
    let mut found = BTreeSet::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let facts = entry.metadata().unwrap();
            found.insert(format!(
                "{:?} {} {}.{}",
                entry.path(),
                facts.size(),
                facts.ctime(),
                facts.ctime_nsec()
            ));
            if facts.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn nothing_is_written() {
    let shop = Repository::of(SHOP);
    shop.change("lib/one", "2\n");
    shop.write("web/page", "2\n");
    let before = facts(&shop.root);
    for arguments in ["--base HEAD~1 --head HEAD", "--base HEAD~1", "--base HEAD~1 --merge-base", "--base no"]
    {
        assert_eq!(shop.affected(arguments).exit, 0);
        assert_eq!(facts(&shop.root), before, "{arguments}");
    }
}

/// The example in a repository of its own.
fn market() -> Repository {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("market");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/market");
    assert!(Command::new("cp").arg("-a").arg(example).arg(&root).status().unwrap().success());
    git(&root, &["init", "-q", "-b", "main", "."]);
    let market = Repository { _folder: folder, root };
    market.commit();
    market
}

#[test]
fn the_market_builds_what_a_change_touches() {
    let market = market();
    let indexer = ["//indexer:backfill", "//indexer:market", "//indexer:rewards"];
    for (path, expected) in [
        ("indexer/shared/10-input.sh", &indexer[..]),
        ("indexer/market/main.sh", &indexer[..2]),
        ("docs/architecture.md", &[]),
        ("infra/index.ts", &[]),
        ("tools/release.sh", &[]),
        ("slasher/src/main.sh", &["//slasher:slasher"]),
    ] {
        let text = fs::read_to_string(market.root.join(path)).unwrap();
        market.change(path, &format!("{text}\n# changed\n"));
        let outcome = market.affected("--base HEAD~1 --head HEAD --kind image");
        let labels: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(labels, expected, "{path}: {}", outcome.shown());
    }
    market.change("crates/market-common/src/10-cli.sh", "echo other\n");
    insta::assert_snapshot!(
        "the_markets_library",
        market.affected("--base HEAD~1 --head HEAD --why").shown()
    );
    git(&market.root, &["revert", "--no-edit", "HEAD"]);
    market.check("--base HEAD~2 --head HEAD", &[]);
}
