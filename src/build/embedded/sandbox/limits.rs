//! The limits that the kernel sets for each process, such as how many files it may open.
//!
//! A command is to see the same ones whoever starts the build: programs write files that depend on them. They are
//! those of a container of a Docker Engine that systemd starts, without core files, which would come into layers.
//! Where this process may not raise a limit, it stays as high as it may be. How many signals may wait is left alone: it
//! is a matter of the machine's memory.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::outcome::{Doing, Refusal};

/// What is limited, the limit, and how high a command may set it itself. `None` is no limit.
type Limit = (Resource, Option<u64>, Option<u64>);

const LIMITS: [Limit; 15] = [
    (Resource::Cpu, None, None),
    (Resource::Fsize, None, None),
    (Resource::Data, None, None),
    (Resource::Stack, Some(8 << 20), None),
    (Resource::Core, Some(0), None),
    (Resource::Rss, None, None),
    (Resource::Nproc, None, None),
    (Resource::Nofile, Some(1024), Some(512 << 10)),
    (Resource::Memlock, Some(8 << 20), Some(8 << 20)),
    (Resource::As, None, None),
    (Resource::Locks, None, None),
    (Resource::Msgqueue, Some(819_200), Some(819_200)),
    (Resource::Nice, Some(0), Some(0)),
    (Resource::Rtprio, Some(0), Some(0)),
    (Resource::Rttime, None, None),
];

/// Sets the limits of this process, and of the command that it becomes.
pub(super) fn set() -> Result<(), Refusal> {
    for (resource, current, maximum) in LIMITS {
        if setrlimit(resource, Rlimit { current, maximum }).is_ok() {
            continue;
        }
        let maximum = lower(maximum, getrlimit(resource).maximum);
        let current = lower(current, maximum);
        setrlimit(resource, Rlimit { current, maximum }).doing(|| format!("limit {resource:?}"))?;
    }
    Ok(())
}

fn lower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}
