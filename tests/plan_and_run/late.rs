//! A builder that is connected to when somebody asks it for more than what is known of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use imgraph::build::builder::{BuildError, Builder};
use imgraph::build::late_builder::{Expected, LateBuilder};

use crate::scripted::{Scripted, digest};

/// A late builder of which `description` is expected, and how often it was connected to.
fn late(description: &str, answers: bool) -> (LateBuilder, Arc<AtomicUsize>) {
    let expected = Expected {
        family: "scripted".to_owned(),
        description: description.to_owned(),
        platform: "linux/amd64".parse().unwrap(),
    };
    let connected = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connected);
    let builder = LateBuilder::new(expected, move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let refused = || BuildError::Surroundings { message: "nobody answers".to_owned(), help: None };
        answers.then(|| Arc::new(Scripted::new()) as Arc<dyn Builder>).ok_or_else(refused)
    });
    (builder, connected)
}

#[test]
fn it_is_connected_to_once_and_not_before_it_is_asked() {
    let (builder, connected) = late("a script", true);
    assert_eq!((builder.family(), builder.description()), ("scripted", "a script"));
    assert_eq!(builder.platform().to_string(), "linux/amd64");
    assert_eq!(connected.load(Ordering::Relaxed), 0);
    assert!(!builder.has(&digest("image")).unwrap());
    assert!(builder.bases(&BTreeSet::new()).unwrap().is_empty());
    assert_eq!(connected.load(Ordering::Relaxed), 1);
}

#[test]
fn one_that_is_another_or_does_not_answer_is_an_error_each_time() {
    for (description, answers, message) in [
        ("another script", true, "the builder is no longer another script"),
        ("a script", false, "nobody answers"),
    ] {
        let (builder, connected) = late(description, answers);
        for _ in 0..2 {
            assert_eq!(builder.inventory().unwrap_err().to_string(), message);
        }
        assert_eq!(connected.load(Ordering::Relaxed), 1);
    }
}
