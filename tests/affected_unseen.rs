//! What `imgraph affected` must see although git does not look, or names it strangely.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/history.rs"]
mod history;
#[path = "support/program.rs"]
mod program;
#[path = "support/repository.rs"]
mod repository;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, SystemTime};

use history::git;
use repository::{Repository, SHOP};

/// The shop, with an image that reads whatever begins like its page.
fn shop_with_wide_web() -> Repository {
    let shop = Repository::of(SHOP);
    shop.change("web/Dockerfile", "FROM scratch\nCOPY pag* out* /\n");
    shop
}

#[test]
fn a_file_that_was_tracked_is_missed_although_git_ignores_it() {
    for stays in [false, true] {
        let shop = shop_with_wide_web();
        git(&shop.root, &["rm", "-q", "--cached", "web/page"]);
        shop.write(".gitignore", "page\n");
        if stays {
            shop.write("web/page", "2\n");
        } else {
            fs::remove_file(shop.root.join("web/page")).unwrap();
        }
        shop.commit();
        shop.check("--base HEAD~1 --head HEAD", &["//web:web"]);
        shop.check("--base HEAD~1", &["//web:web"]);
    }
}

#[test]
fn a_file_at_which_git_was_told_not_to_look() {
    for told in ["--assume-unchanged", "--skip-worktree"] {
        let shop = Repository::of(SHOP);
        git(&shop.root, &["update-index", told, "web/page"]);
        shop.check("--base HEAD", &[]);
        shop.write("web/page", "2\n");
        shop.check("--base HEAD", &["//web:web"]);
        fs::remove_file(shop.root.join("web/page")).unwrap();
        shop.check("--base HEAD", &["//web:web"]);
    }
}

#[test]
fn facts_alone_are_no_change_whatever_filter_there_is() {
    let shop = Repository::of(SHOP);
    shop.change(".gitattributes", "*.svg text eol=crlf\n");
    let logo = shop.root.join("web/logo.svg");
    fs::remove_file(&logo).unwrap();
    git(&shop.root, &["checkout", "-q", "web/logo.svg"]);
    let later = SystemTime::now() + Duration::from_secs(9);
    fs::File::options().write(true).open(&logo).unwrap().set_modified(later).unwrap();
    let index = fs::read(shop.root.join(".git/index")).unwrap();
    shop.check("--base HEAD", &[]);
    assert!(fs::read(shop.root.join(".git/index")).unwrap() == index, "nothing is written");
    shop.write("web/logo.svg", "2\r\n");
    shop.check("--base HEAD", &["//web:assets"]);
}

#[test]
fn an_ignore_file_may_be_a_link_that_leads_nowhere() {
    let shop = Repository::of(SHOP);
    shop.write("rules/web", "*.svg\n");
    shop.write("rules/keep", "1\n");
    symlink("../rules/web", shop.root.join("web/assets.Dockerfile.dockerignore")).unwrap();
    shop.commit();
    fs::remove_file(shop.root.join("rules/web")).unwrap();
    shop.commit();
    shop.check("--base HEAD~1 --head HEAD", &["//web:assets"]);
    shop.check("--base HEAD~1", &["//web:assets"]);
    shop.check("--base HEAD --head HEAD~1", &["//web:assets"]);
}

#[test]
fn a_folder_of_which_git_keeps_nothing() {
    let shop = Repository::of(SHOP);
    shop.write("web/.dockerignore", "*/seen\n");
    shop.write(".gitignore", "*.pyc\n");
    shop.change("web/Dockerfile", "FROM scratch\nCOPY . /\n");
    shop.write("web/cache/deep/made.pyc", "1\n");
    fs::create_dir(shop.root.join("web/empty")).unwrap();
    shop.check("--base HEAD", &[]);
    // What git would keep makes the folder be there for others, though the file itself is not read.
    shop.write("web/empty/seen", "1\n");
    shop.check("--base HEAD", &["//web:web"]);
}

#[test]
fn a_great_many_ignored_files() {
    let shop = shop_with_wide_web();
    shop.change(".gitignore", "out*\n");
    let name = "a-name-that-makes-the-answer-longer-than-a-pipe-holds";
    (0..4000).for_each(|number| shop.write(&format!("web/out/{name}-{number}"), ""));
    shop.check("--base HEAD", &[]);
}

#[test]
fn ignored_files_behind_links_and_in_submodules() {
    let shop = Repository::of(SHOP);
    shop.write(".gitignore", "*.log\n");
    shop.write("web/Dockerfile", "FROM scratch\nCOPY . /\n");
    shop.write("web/BUILD.toml", "[image.web]\ncontext = \"//current\"\n");
    shop.write("versions/one/x", "1\n");
    symlink("versions/one", shop.root.join("current")).unwrap();
    let other = Repository::of(&[("used", "1\n")]);
    let url = other.root.display().to_string();
    git(&shop.root, &["submodule", "add", "-q", &url, "api/src/vendor"]);
    shop.commit();
    shop.write("versions/one/made.log", "1\n");
    shop.check("--base HEAD", &[]);
    // Of files in another repository nobody says that they are ignored.
    shop.write("api/src/vendor/made.log", "1\n");
    shop.check("--base HEAD", &["//api:api"]);
    shop.write("versions/one/y", "1\n");
    let outcome = shop.affected("--base HEAD --why");
    assert!(outcome.stdout.contains("file current/y"), "{}", outcome.shown());
}

#[test]
fn names_of_any_bytes() {
    let shop = Repository::of(SHOP);
    let name = |bytes: &[u8]| shop.root.join("web").join(OsStr::from_bytes(bytes));
    fs::write(shop.root.join("web/Dockerfile"), b"FROM scratch\nCOPY x\xff* /\n").unwrap();
    fs::write(name(b"x\xff1"), "1\n").unwrap();
    shop.commit();
    fs::write(name(b"x\xff1"), "2\n").unwrap();
    shop.commit();
    shop.check("--base HEAD~1 --head HEAD", &["//web:web"]);
    shop.check("--base HEAD~1", &["//web:web"]);
    fs::write(name(b"x\xff\x1b[31m\n2"), "2\n").unwrap();
    let outcome = shop.affected("--base HEAD --why");
    let said =
        "//web:web changed\n  file web/x\u{fffd}\\u{1b}[31m\\n2 (web/Dockerfile:2) was added: checkout\n";
    assert_eq!(outcome.stdout, said);
    let inputs = program::run(&shop.root, 80, "inputs //web:web");
    assert!(inputs.stdout.contains("\n    web/x\u{fffd}\\u{1b}[31m\\n2\n"), "{}", inputs.shown());
    let mut explain = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    explain.args(["explain", "--file"]).arg(name(b"x\xff\x1b[31m\n2")).current_dir(&shop.root);
    let explained = String::from_utf8(explain.output().unwrap().stdout).unwrap();
    assert!(explained.starts_with("web/x\u{fffd}\\u{1b}[31m\\n2 is read by 1 target"), "{explained}");
}

#[test]
fn revisions_in_all_their_forms() {
    let shop = Repository::of(SHOP);
    git(&shop.root, &["commit", "-q", "--allow-empty", "-m", "mend the page"]);
    git(&shop.root, &["tag", "-a", "annotated", "-m", "x"]);
    shop.change("web/page", "2\n");
    let ask = |base: &str| {
        let arguments = ["affected", "--head", "HEAD", "--base", base];
        let output =
            Command::new(env!("CARGO_BIN_EXE_imgraph")).args(arguments).current_dir(&shop.root).output();
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for base in ["annotated", ":/mend the page", "HEAD^{/mend the page}", "HEAD@{1}", "@~"] {
        assert_eq!(ask(base), (Some(0), "//web:web\n".to_owned(), String::new()), "{base}");
    }
    let all = "//:common\n//api:api\n//web:assets\n//web:web\n";
    for (base, said) in [
        ("@{upstream}", "that this repository has: no upstream configured for branch 'main'"),
        ("HEAD@{9}", "that this repository has: log for 'HEAD' only has 3 entries"),
        ("main..HEAD", "no commit that this repository has\n"),
        ("HEAD:web/page", "no commit that this repository has\n"),
        (":/no such words", "no commit that this repository has\n"),
        ("", "no commit that this repository has\n"),
        ("two\nlines", "no commit that this repository has\n"),
    ] {
        let (exit, stdout, stderr) = ask(base);
        assert_eq!((exit, stdout.as_str()), (Some(0), all), "{base}: {stderr}");
        assert!(stderr.contains(said), "{base}: {stderr}");
    }
}

#[test]
fn without_git_somebody_says_what_to_do() {
    let shop = Repository::of(SHOP);
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    command.args(["affected", "--base", "HEAD"]).current_dir(&shop.root).env("PATH", "/nowhere");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("help: install git, or add the folder that holds it to PATH"), "{said}");
}

#[test]
fn the_surroundings_of_a_hook_count_for_nothing() {
    let shop = Repository::of(SHOP);
    shop.write("web/page", "2\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    command.args(["affected", "--base", "HEAD"]).current_dir(&shop.root);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env(variable, "/nowhere");
    }
    assert_eq!(command.output().unwrap().stdout, b"//web:web\n");
}
