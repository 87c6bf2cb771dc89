//! imgraph end to end: each test writes files, runs the real binary on a real Docker Engine, and looks.
//!
//! Engines are found as `tests/support/engine.rs` says; where there is none, the tests fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod affected_by;
mod broken_cache;
mod changed_base;
mod concurrency;
mod dirtiness;
mod early_cutoff;
mod embedded_examples;
#[path = "../support/engine.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod engine;
mod engine_trouble;
mod examples;
mod failures;
mod formats;
mod interruption;
mod marked_images;
mod own_engine;
mod platforms;
mod proxy;
mod recall;
mod secrets;
mod stale_files;
mod terminal;
mod trial;
mod watch;
mod waiting;

/// Declares each named function as a test on either image store.
macro_rules! on_both_stores {
    ($($module:ident::$name:ident),* $(,)?) => {
        mod classic {
            $(#[test] fn $name() { super::$module::$name(&super::engine::Engine::classic()); })*
        }
        mod containerd {
            $(#[test] fn $name() { super::$module::$name(&super::engine::Engine::containerd()); })*
        }
    };
}

on_both_stores! {
    affected_by::only_what_differs_is_built,
    changed_base::an_image_that_moves_behind_its_name_is_a_reason,
    concurrency::killed_runs_leave_nothing_wrong,
    concurrency::two_processes_build_the_same_target,
    early_cutoff::an_equal_output_leaves_dependents_cached,
    embedded_examples::the_examples_are_built_without_an_engine,
    examples::everything_of_the_market_is_built_and_runs,
    examples::everything_of_the_quickstart_is_built,
    examples::what_is_cached_asks_the_engine_for_no_build,
    interruption::an_interrupt_ends_the_run_and_the_step,
    platforms::a_base_for_another_platform_is_what_the_registry_has,
    platforms::each_platform_of_a_linked_target_is_its_own,
    stale_files::a_change_of_the_same_size_and_time_reaches_the_image,
    stale_files::a_change_reaches_a_program_with_a_cache,
    stale_files::a_trigger_that_may_have_a_cache_sees_times,
}
