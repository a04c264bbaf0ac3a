//! What can happen, as bytes.

use release_core::Version;
use std::time::Duration;

/// Something that happens: two bytes of what [`control`](super::control) is given.
///
/// Processes and services are meant by their number, which may be any: those that there are, are counted over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// The next response arrives at a process.
    Hears(u8, Answer),
    /// The next request of a process arrives at the control plane.
    Says(u8),
    /// The next response arrives at a process, which takes it, and that it does so arrives at the control plane.
    Exchanges(u8),
    /// All that is under way to and from a process arrives, until nothing is; it takes everything, and the memory is saved.
    Settles(u8),
    /// The same, but nothing is saved meanwhile.
    Talks(u8),
    /// A process opens a stream; the one that it had is over.
    Connects(u8),
    /// The stream of a process breaks.
    Breaks(u8, Noticed),
    /// The control plane notices which streams are broken.
    Notices,
    /// A process is killed, and what it did with it. Another one of its name may connect.
    Killed(u8),
    /// An operator has a process forgotten that is cut off, and has seen to it that it routes nothing.
    Forgotten(u8),
    /// The memory begins to be saved, or, if it had begun, is saved.
    Saves,
    /// The control plane is killed and started again; what was being saved is saved, or lost.
    Restarts(Saving),
    /// A process asks again for what it wants, without being asked.
    Asks(u8),
    /// A process gets or loses the listener that needs routes.
    Listens(u8),
    /// A routing is applied to a service: of a new release if none is open.
    Applies(u8, Wanted),
    /// The version of a service that lost is retired, if the routing was ever confirmed. If that is done, its workloads are
    /// gone as soon as its cluster is.
    Retires(u8),
    /// The operator describes a service in another way.
    Declares(u8, Edit),
    /// Time passes.
    Passes(Duration),
}

/// What a process does with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It takes it.
    Takes,
    /// It refuses it.
    Refuses,
    /// It refuses it, and has applied a part.
    RefusesInPart,
    /// It refuses it, and has applied all of it.
    RefusesInVain,
}

/// Who has noticed that a stream is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// Both ends; nothing that was under way arrives.
    ByBoth,
    /// The process: the control plane takes the stream for open.
    ByProcess,
    /// The control plane: what it had sent may still arrive.
    ByControl,
}

/// What has become of a memory that was being saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saving {
    /// It is saved.
    Done,
    /// It is lost.
    Lost,
}

/// The routing that is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This version alone.
    Alone(Version),
    /// Half of the requests to each.
    Half,
    /// What was applied last, again.
    Again,
    /// A generation before the newest.
    Older,
}

/// What the operator changes in the description of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// How long a request may take.
    Longest,
    /// Where the versions listen.
    Endpoints,
    /// Which version serves.
    Serves,
    /// Whether the version that does not serve is there.
    Version,
    /// Whether the service is there.
    Service,
}

const ANSWERS: [Answer; 4] = [Answer::Takes, Answer::Refuses, Answer::RefusesInPart, Answer::RefusesInVain];
const NOTICED: [Noticed; 3] = [Noticed::ByBoth, Noticed::ByProcess, Noticed::ByControl];
const WANTED: [Wanted; 5] =
    [Wanted::Alone(Version::Grayscale), Wanted::Alone(Version::Original), Wanted::Half, Wanted::Again, Wanted::Older];
const EDITS: [Edit; 5] = [Edit::Longest, Edit::Endpoints, Edit::Serves, Edit::Version, Edit::Service];

/// How much time one step of the second byte is.
const STEP: Duration = Duration::from_millis(25);

/// How many processes or services a byte can tell apart.
const WHO: u8 = 4;

impl Motion {
    /// What two bytes say.
    pub(super) fn of([what, more]: [u8; 2]) -> Self {
        let (who, how) = (more % WHO, more / WHO);
        match what % 16 {
            // Nothing, where the bytes are zero.
            0 | 1 => Self::Passes(STEP * more.into()),
            2 => Self::Says(who),
            3 if how % 2 == 0 => Self::Saves,
            3 => Self::Talks(who),
            4 | 5 => Self::Settles(who),
            6 => Self::Connects(who),
            7 => Self::Breaks(who, pick(NOTICED, how)),
            8 => match how % 8 {
                0 | 1 => Self::Killed(who),
                2 | 3 => Self::Forgotten(who),
                4 => Self::Restarts(Saving::Done),
                5 => Self::Restarts(Saving::Lost),
                _ => Self::Notices,
            },
            9 if how % 2 == 0 => Self::Asks(who),
            9 => Self::Listens(who),
            10 => Self::Applies(who, pick(WANTED, how)),
            11 | 12 => Self::Retires(who),
            13 => Self::Declares(who, pick(EDITS, how)),
            14 => Self::Exchanges(who),
            // Most of what arrives is taken.
            _ => Self::Hears(who, if how < 32 { Answer::Takes } else { pick(ANSWERS, how) }),
        }
    }

    /// Two bytes that say this; a time is rounded down, to six seconds at the most.
    #[must_use]
    pub fn bytes(self) -> [u8; 2] {
        let (what, who, how) = match self {
            Self::Exchanges(who) => (14, who, 0),
            Self::Hears(who, answer) => {
                (15, who, if answer == Answer::Takes { 0 } else { 32 + place(ANSWERS, answer) })
            }
            Self::Says(who) => (2, who, 0),
            Self::Saves => (3, 0, 0),
            Self::Settles(who) => (4, who, 0),
            Self::Talks(who) => (3, who, 1),
            Self::Connects(who) => (6, who, 0),
            Self::Breaks(who, noticed) => (7, who, place(NOTICED, noticed)),
            Self::Killed(who) => (8, who, 0),
            Self::Forgotten(who) => (8, who, 2),
            Self::Restarts(Saving::Done) => (8, 0, 4),
            Self::Restarts(Saving::Lost) => (8, 0, 5),
            Self::Notices => (8, 0, 6),
            Self::Asks(who) => (9, who, 0),
            Self::Listens(who) => (9, who, 1),
            Self::Applies(who, wanted) => (10, who, place(WANTED, wanted)),
            Self::Retires(who) => (11, who, 0),
            Self::Declares(who, edit) => (13, who, place(EDITS, edit)),
            Self::Passes(time) => {
                let steps = time.as_millis() / STEP.as_millis();
                return [0, u8::try_from(steps).unwrap_or(u8::MAX)];
            }
        };
        [what, who % WHO + how * WHO]
    }
}

fn pick<T: Copy, const N: usize>(all: [T; N], how: u8) -> T {
    all[usize::from(how) % N]
}

fn place<T: Copy + PartialEq, const N: usize>(all: [T; N], one: T) -> u8 {
    all.iter().position(|other| *other == one).and_then(|place| u8::try_from(place).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Motion;

    #[test]
    fn what_bytes_say_can_be_said_in_bytes() {
        for what in 0..=u8::MAX {
            for more in 0..=u8::MAX {
                let motion = Motion::of([what, more]);
                assert_eq!(Motion::of(motion.bytes()), motion, "{what} {more}");
            }
        }
    }
}
