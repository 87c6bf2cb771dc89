//! What chains of layers amount to.

use super::{listing, view};

fn check(layers: &[&[&str]], expected: &[&str]) {
    assert_eq!(listing(&view(layers)), expected, "{layers:?}");
}

#[test]
fn one_layer_is_what_its_tar_says() {
    check(&[], &[]);
    check(&[&["./", "x"].map(|_| "folder ./")], &[]);
    check(
        &[&["folder a", "file a/b 1", "link c a/b", "file a.b 2"]],
        &["a/", "a.b = 2", "a/b = 1", "c -> a/b"],
    );
    check(&[&["file ./a/b 1"]], &["a/ 755", "a/b = 1"]);
    check(&[&["file /a 1"]], &["a = 1"]);
    check(&[&["file a/../b/./c// 1"]], &["b/ 755", "b/c = 1"]);
    check(&[&["null a", "pipe b"]], &["a Device { is_character: true, major: 1, minor: 3 }", "b Pipe"]);
}

#[test]
fn the_last_entry_of_a_name_wins() {
    check(&[&["file a 1", "file a 2"]], &["a = 2"]);
    check(&[&["folder a", "file a/b 1", "folder a"]], &["a/", "a/b = 1"]);
    check(&[&["folder a", "file a/b 1", "file a 2"]], &["a = 2"]);
    check(&[&["folder a", "file a/b 1", "file a 2", "folder a"]], &["a/"]);
    check(&[&["file a/b 1", "folder a"]], &["a/", "a/b = 1"]);
}

#[test]
fn hard_links_are_the_file_that_was_there() {
    check(&[&["file a 1", "hard b a"]], &["a = 1", "b = 1"]);
    check(&[&["file a 1", "hard b a", "file a 2"]], &["a = 2", "b = 1"]);
    check(&[&["file d/a 1", "link e d", "hard b e/a"]], &["b = 1", "d/ 755", "d/a = 1", "e -> d"]);
    check(&[&["link a x", "hard b a"]], &["a -> x", "b -> x"]);
}

#[test]
fn entries_below_links_of_their_layer_are_where_the_links_lead() {
    check(&[&["folder b", "link a b", "file a/c 1"]], &["a -> b", "b/", "b/c = 1"]);
    check(&[&["link a ../../../b", "file a/c 1"]], &["a -> ../../../b", "b/ 755", "b/c = 1"]);
    check(&[&["link d/a /b", "file d/a/c 1"]], &["b/ 755", "b/c = 1", "d/ 755", "d/a -> /b"]);
    check(&[&["link a b"], &["file a/c 1"]], &["a/ 755", "a/c = 1"]);
}

#[test]
fn layers_hide_and_join() {
    check(&[&["folder a", "file a/b 1", "file a/c 1"], &["file a/b 2"]], &["a/", "a/b = 2", "a/c = 1"]);
    check(&[&["folder a", "file a/b 1"], &["file a 2"]], &["a = 2"]);
    check(&[&["file a 1"], &["folder a"]], &["a/"]);
    check(&[&["file a/b 1"], &["folder a"]], &["a/", "a/b = 1"]);
    check(&[&["file a/b 1"], &["folder a"], &["file a/c 2"]], &["a/", "a/b = 1", "a/c = 2"]);
    check(&[&["folder a", "file a/b 1"], &["file a 2"], &["folder a"]], &["a/"]);
}

#[test]
fn marks_hide_what_is_below_them_and_nothing_else() {
    let below: &[&str] = &["folder a", "file a/b 1", "file a/c 1"];
    check(&[below, &["file a/.wh.b "]], &["a/", "a/c = 1"]);
    check(&[below, &["file .wh.a "]], &[]);
    check(&[below, &["file .wh.a ", "file a/d 2"]], &["a/", "a/d = 2"]);
    check(&[below, &["file a/d 2", "file .wh.a "]], &["a/", "a/d = 2"]);
    check(&[below, &["file a/b 2", "file a/.wh.b "]], &["a/", "a/b = 2", "a/c = 1"]);
    check(&[below, &["folder a", "file a/.wh..wh..opq ", "file a/d 2"]], &["a/", "a/d = 2"]);
    check(&[below, &["folder a", "file a/d 2", "file a/.wh..wh..opq "]], &["a/", "a/d = 2"]);
    check(&[below, &["file a/.wh..wh..opq "]], &["a/"]);
    check(&[below, &["file .wh..wh..opq "], &["file e 3"]], &["e = 3"]);
    check(&[below, &["file .wh.x ", "file y/.wh.z "]], &["a/", "a/b = 1", "a/c = 1", "y/ 755"]);
    check(&[below, &["file a/.wh.b "], &["file a/b 3"]], &["a/", "a/b = 3", "a/c = 1"]);
    check(&[&["file .wh.x "], &["file x 1"]], &["x = 1"]);
    check(&[below, &["file .wh..wh.plnk/1.2 ", "folder .wh..wh.orph"]], &["a/", "a/b = 1", "a/c = 1"]);
}

#[test]
fn a_clone_does_not_see_what_is_applied_later() {
    let before = view(&[&["folder a", "file a/b 1"]]);
    let mut after = before.clone();
    after.apply(super::layer(&super::tar(&["file a/b 2"])).unwrap());
    assert_eq!(listing(&before), ["a/", "a/b = 1"]);
    assert_eq!(listing(&after), ["a/", "a/b = 2"]);
    assert_eq!((before.layers().len(), after.layers().len()), (1, 2));
}
