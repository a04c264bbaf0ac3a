//! What a fuzzer starts from.

use super::motion::{Answer, Edit, Motion, Noticed, Saving, Wanted};
use super::situation::Situation::{
    self, Back, Confirmed, CutOff, Declared, Drained, Fenced, Kept, Lost, Older, Over, Refused, Restarted, Retired,
    Stale, Twins, Undeclared,
};
use release_core::Version;
use std::time::Duration;

/// An input of [`control`](super::control) that gets somewhere.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it is about: the name of its file in `fuzz/seeds/xds_control`.
    pub name: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
    /// What must be seen in it.
    pub reaches: Vec<Situation>,
}

const FENCE: u8 = 1;
const TWIN: u8 = 2;
const TWO_NODES: u8 = 4;

const END: Motion = Motion::Applies(0, Wanted::Alone(Version::Grayscale));
const CANCEL: Motion = Motion::Applies(0, Wanted::Alone(Version::Original));
const LATER: Motion = Motion::Passes(Duration::from_secs(6));
const RETIRE: Motion = Motion::Retires(0);

/// Two processes that have the routes of a release, half of whose requests go to each version.
const BEGIN: [Motion; 7] = [
    Motion::Connects(0),
    Motion::Connects(1),
    Motion::Settles(0),
    Motion::Settles(1),
    Motion::Applies(0, Wanted::Half),
    Motion::Settles(0),
    Motion::Settles(1),
];

/// Both take what they are sent, which is what a retirement waits for.
const GO_ON: [Motion; 5] = [Motion::Settles(0), Motion::Settles(1), LATER, Motion::Settles(0), Motion::Settles(1)];

/// The grace of workers.
const GRACE: Motion = Motion::Passes(Duration::from_millis(250));

/// What lost is retired, and gone.
const OVER: [Motion; 8] =
    [RETIRE, Motion::Settles(0), RETIRE, Motion::Settles(1), RETIRE, Motion::Settles(0), GRACE, RETIRE];

/// The inputs that a fuzzer starts from, each with what it shows.
pub fn scripts() -> Vec<Script> {
    [releases(), cuts(), fences(), answers()].into_iter().flatten().collect()
}

/// Releases, and what the operator edits meanwhile.
fn releases() -> Vec<Script> {
    vec![
        script("takeover", 0, &[&BEGIN, &[END], &GO_ON, &OVER], &[Confirmed, Drained, Retired, Over]),
        script(
            "next_release",
            TWO_NODES,
            &[&BEGIN, &[END], &GO_ON, &OVER, &[Motion::Applies(0, Wanted::Half)], &GO_ON, &[CANCEL], &GO_ON, &OVER],
            &[Confirmed, Drained, Retired, Over],
        ),
        script(
            "cancel_over_end",
            FENCE,
            &[
                &BEGIN,
                &[END, Motion::Settles(0), Motion::Says(1), CANCEL, Motion::Applies(0, Wanted::Older)],
                &GO_ON,
                &OVER,
            ],
            &[Older, Confirmed, Retired, Over],
        ),
        script(
            "declared",
            0,
            &[
                &BEGIN,
                &[Motion::Declares(0, Edit::Longest), Motion::Declares(0, Edit::Endpoints)],
                &[Motion::Settles(0), Motion::Declares(0, Edit::Version), END, Motion::Settles(0)],
                &[Motion::Declares(0, Edit::Longest), Motion::Settles(0), Motion::Declares(1, Edit::Service)],
                &[Motion::Settles(0), Motion::Declares(1, Edit::Service)],
                &GO_ON,
                &OVER,
                &[Motion::Declares(0, Edit::Serves), Motion::Declares(0, Edit::Version)],
            ],
            &[Declared, Undeclared, Confirmed, Retired, Over],
        ),
    ]
}

/// Connections that break, and a control plane that is killed.
fn cuts() -> Vec<Script> {
    vec![
        script(
            "cut_off",
            0,
            &[
                &BEGIN,
                &[Motion::Breaks(1, Noticed::ByBoth), END, Motion::Settles(0), LATER, RETIRE],
                &[Motion::Connects(1)],
                &GO_ON,
                &OVER,
            ],
            &[CutOff, Back, Confirmed, Drained, Retired, Over],
        ),
        script(
            "cut_off_unnoticed",
            0,
            &[
                &BEGIN,
                &[Motion::Breaks(1, Noticed::ByProcess), END, Motion::Connects(1), Motion::Notices],
                &GO_ON,
                &OVER,
            ],
            &[Back, Confirmed, Over],
        ),
        script(
            "back_after_the_drain",
            0,
            &[
                &BEGIN,
                &[Motion::Connects(2), Motion::Settles(2), END, Motion::Settles(2)],
                &GO_ON,
                &[Motion::Asks(1), Motion::Breaks(1, Noticed::ByControl), Motion::Connects(1), Motion::Says(1), RETIRE],
                &GO_ON,
                &OVER,
            ],
            &[Back, Drained, Retired, Over],
        ),
        script(
            "restart_before_a_node_is_saved",
            0,
            &[
                &[Motion::Connects(0), Motion::Settles(0), Motion::Applies(0, Wanted::Half), Motion::Settles(0)],
                &[Motion::Connects(1), Motion::Talks(1), Motion::Restarts(Saving::Lost)],
                &[Motion::Connects(0), Motion::Settles(0), END, Motion::Settles(0), LATER, RETIRE],
                &[Motion::Settles(0), RETIRE, Motion::Connects(1)],
                &GO_ON,
                &OVER,
            ],
            &[Lost, Restarted, Confirmed, Retired, Over],
        ),
        script(
            "restart_before_it_is_saved",
            0,
            &[
                &BEGIN,
                // The routing is sent, and one of the two has it.
                &[END, Motion::Talks(0), Motion::Saves, Motion::Restarts(Saving::Lost)],
                &[Motion::Connects(0), Motion::Talks(0), LATER, RETIRE, Motion::Connects(1)],
                &GO_ON,
                // That it is retired is lost, too.
                &[RETIRE, Motion::Restarts(Saving::Lost), Motion::Connects(0), Motion::Connects(1)],
                &GO_ON,
                &OVER,
            ],
            &[Restarted, Lost, Back, Confirmed, Retired, Over],
        ),
        script(
            "restart",
            TWO_NODES,
            &[
                &BEGIN,
                &[END, Motion::Settles(0), Motion::Restarts(Saving::Done), Motion::Connects(0)],
                &[Motion::Settles(0), LATER, RETIRE, Motion::Connects(1)],
                &GO_ON,
                &[
                    RETIRE,
                    Motion::Restarts(Saving::Done),
                    Motion::Applies(0, Wanted::Older),
                    Motion::Connects(0),
                    Motion::Connects(1),
                ],
                &GO_ON,
                &OVER,
            ],
            &[CutOff, Back, Restarted, Confirmed, Retired, Over],
        ),
    ]
}

/// Processes that are cut off behind a fence.
fn fences() -> Vec<Script> {
    vec![
        script(
            "fence",
            FENCE | TWO_NODES,
            &[
                &BEGIN,
                &[END, Motion::Settles(0)],
                // It hears of the clusters, and of no routes.
                &[Motion::Exchanges(1), Motion::Breaks(1, Noticed::ByBoth)],
                &[Motion::Passes(Duration::from_secs(1)), Motion::Settles(0), Motion::Passes(Duration::from_secs(1))],
                &[Motion::Settles(0), Motion::Passes(Duration::from_secs(4)), Motion::Settles(0)],
                &[Motion::Passes(Duration::from_secs(1)), Motion::Settles(0), LATER, Motion::Settles(0), RETIRE],
            ],
            &[CutOff, Fenced, Confirmed, Drained, Retired],
        ),
        script(
            "fence_of_one_that_is_back",
            FENCE,
            &[
                &BEGIN,
                &[END, Motion::Settles(0), Motion::Exchanges(1)],
                &[Motion::Breaks(1, Noticed::ByBoth), Motion::Passes(Duration::from_secs(4))],
                &[Motion::Connects(0), Motion::Settles(0), RETIRE],
                &[Motion::Connects(1), Motion::Says(1), Motion::Hears(1, Answer::Takes), RETIRE],
                &GO_ON,
                &OVER,
            ],
            &[Fenced, Back, Kept, Retired, Over],
        ),
    ]
}

/// What processes say.
fn answers() -> Vec<Script> {
    vec![
        script(
            "refusal",
            0,
            &[
                &BEGIN,
                &[END, Motion::Settles(0), Motion::Hears(1, Answer::RefusesInVain), Motion::Says(1)],
                &[Motion::Hears(1, Answer::Refuses), Motion::Says(1)],
                &[Motion::Applies(0, Wanted::Again), Motion::Hears(1, Answer::RefusesInPart)],
                &[Motion::Applies(0, Wanted::Again)],
                &GO_ON,
                &OVER,
            ],
            &[Refused, Confirmed, Retired, Over],
        ),
        script(
            "stale",
            0,
            // What it asks for on its own is on its way when the next response is sent.
            &[&BEGIN, &[Motion::Asks(1), END, Motion::Says(1), Motion::Says(1)], &GO_ON, &OVER],
            &[Stale, Confirmed, Retired, Over],
        ),
        script(
            "stale_after_a_refusal",
            0,
            &[
                &BEGIN,
                // It has applied what it refused, and asks on its own by the version before that, which is then wanted again.
                &[END, Motion::Settles(0), Motion::Hears(1, Answer::RefusesInVain), Motion::Says(1), Motion::Asks(1)],
                &[Motion::Applies(0, Wanted::Half), Motion::Saves, Motion::Saves, Motion::Settles(0)],
                &[Motion::Says(1), Motion::Says(1), END],
                &GO_ON,
                &OVER,
            ],
            &[Refused, Stale, Confirmed, Retired, Over],
        ),
        script(
            "stale_before_a_fence",
            FENCE,
            &[
                &BEGIN,
                // Its clusters have the same version with a fence and without.
                &[Motion::Asks(1), END, Motion::Says(1), Motion::Says(1), Motion::Breaks(1, Noticed::ByBoth)],
                &[Motion::Settles(0), Motion::Passes(Duration::from_secs(1)), Motion::Settles(0)],
                &[LATER, Motion::Connects(0), Motion::Settles(0), RETIRE, Motion::Connects(1)],
                &GO_ON,
                &OVER,
            ],
            &[Stale, CutOff, Back, Confirmed, Retired, Over],
        ),
        script(
            "without_listener",
            0,
            &[&BEGIN, &[Motion::Listens(1), END, Motion::Listens(1), Motion::Says(1), Motion::Says(1)], &GO_ON, &OVER],
            &[Stale, Confirmed, Retired, Over],
        ),
        script(
            "twins",
            TWIN,
            &[
                &BEGIN,
                &[Motion::Connects(3), Motion::Settles(3), Motion::Asks(0), Motion::Says(0), END],
                &[Motion::Settles(3)],
                &GO_ON,
                &[RETIRE, Motion::Killed(3), Motion::Connects(0)],
                &GO_ON,
                &OVER,
            ],
            &[Twins, Confirmed, Retired, Over],
        ),
    ]
}

fn script(name: &'static str, kind: u8, motions: &[&[Motion]], reaches: &[Situation]) -> Script {
    let motions = motions.iter().copied().flatten().flat_map(|motion| motion.bytes());
    Script { name, bytes: std::iter::once(kind).chain(motions).collect(), reaches: reaches.to_vec() }
}
