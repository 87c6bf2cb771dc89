//! The Docker builder against real engines: one with a classic store, one with a containerd store.
//!
//! Each test runs on both. Where they listen is said by `IMGRAPH_TEST_DOCKER` and
//! `IMGRAPH_TEST_DOCKER_CONTAINERD`; a test that finds none fails, for a test that is skipped in
//! silence proves nothing.

#![allow(clippy::unwrap_used)]

mod agents;
mod cancellation;
mod connection;
mod contents;
mod contexts;
mod events;
mod failures;
mod images;
mod loading;
#[path = "../support/ssh_agent.rs"]
mod ssh_agent;
mod support;

/// Declares each named function as a test on either store.
macro_rules! on_both_stores {
    ($($module:ident::$name:ident),* $(,)?) => {
        mod classic {
            $(#[test] fn $name() { super::$module::$name(&super::support::classic()); })*
        }
        mod containerd {
            $(#[test] fn $name() { super::$module::$name(&super::support::containerd()); })*
        }
    };
}

on_both_stores! {
    contents::an_image_holds_the_view_and_nothing_else,
    contents::odd_names_kinds_and_permissions_arrive,
    contents::a_change_of_the_same_size_and_time_arrives,
    contents::a_large_file_and_many_files_arrive,
    contents::a_build_without_a_context_works,
    contents::what_is_removed_or_changes_its_kind_is_gone,
    contents::ignore_files_in_a_view_are_files,
    contents::only_what_changed_travels_again,
    connection::an_engine_is_spoken_to_over_tcp,
    connection::a_lost_connection_is_not_the_targets_fault,
    connection::a_long_step_keeps_its_session,
    contexts::arguments_labels_and_stages_are_used,
    contexts::folders_are_named_contexts,
    contexts::images_are_named_contexts,
    contexts::a_pinned_image_is_a_named_context,
    contexts::an_output_of_an_earlier_build_is_linked_by_its_tag,
    contexts::secrets_are_mounted_and_not_shown,
    contexts::a_missing_secret_is_not_found,
    contexts::no_cache_runs_again,
    contexts::steps_reach_the_network_that_is_asked_for,
    agents::ssh_agents_answer_the_commands_that_mount_them,
    agents::a_step_without_its_ssh_agent_is_not_the_one_with_it,
    agents::a_missing_ssh_agent_is_not_found,
    cancellation::a_running_step_is_killed,
    cancellation::builds_run_side_by_side,
    cancellation::builds_of_one_target_run_side_by_side,
    events::output_is_seen_while_it_is_written,
    events::steps_begin_and_end,
    events::warnings_are_told,
    failures::a_failing_step_names_its_line_and_its_last_lines,
    failures::a_wrong_dockerfile_names_its_line,
    failures::a_large_dockerfile_can_fail,
    failures::a_file_that_changes_while_it_is_sent_is_no_output,
    failures::an_image_that_cannot_be_fetched_is_named,
    failures::a_context_must_have_a_name_that_buildkit_finds,
    images::outputs_are_in_the_inventory,
    images::an_inventory_can_be_asked_for_some_names,
    images::equal_builds_have_equal_digests,
    images::images_get_more_names,
    images::references_are_resolved,
    loading::images_of_the_store_are_loaded_in_every_form,
    loading::a_large_image_is_streamed,
    loading::a_damaged_blob_is_not_loaded,
    loading::what_is_no_archive_is_refused_by_the_engine,
    loading::loading_can_be_cancelled,
}
