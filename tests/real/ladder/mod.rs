//! The driver conformance ladder: every driver climbs the same rungs against its real server.
//!
//! A driver joins by implementing `World` and calling `ladder!` in a module of its own. A rung is skipped only by a
//! capability the world declares not to have, and the skip is printed.

mod climb;
mod consul;
mod directory;
mod dns;
mod etcd;
mod etcd_trouble;
mod keys;
mod rungs;
mod sample;
mod world;
mod zones;

/// Makes a test of every rung for one world.
macro_rules! ladder {
    ($world:expr) => {
        $crate::ladder::ladder!(@each $world;
            an_empty_world_observes_empty
            create_then_replan_is_empty
            update_then_replan_is_empty
            delete_twice_succeeds
            the_same_step_twice_is_once
            a_stale_precondition_is_refused_and_the_world_unchanged
            a_lost_reply_is_found_by_observing_without_a_second_effect
            partial_failure_leaves_an_observable_state
            a_group_is_written_whole_or_not_at_all
            unmanaged_neighbours_are_untouched
            drift_by_hand_is_seen
            health_settles
            observation_order_is_stable
            what_plan_rejects_is_what_the_server_refuses
            a_crash_before_or_after_each_call_converges
            skipped_items_are_not_tried
            the_census_lists_everything_live
        );
    };
    (@each $world:expr; $($rung:ident)*) => {$(
        #[tokio::test]
        async fn $rung() {
            $crate::ladder::rungs::$rung(&$world).await;
        }
    )*};
}
use ladder;
