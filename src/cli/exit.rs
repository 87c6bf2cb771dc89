//! How the program ends: the exit codes, and which failure has which.

/// What the program tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that was asked for is done.
    Done,
    /// A target failed, or something is wrong with what was looked at.
    TargetFailed,
    /// Wrong usage or configuration.
    Usage,
    /// The daemon, a registry, credentials, the disk.
    Surroundings,
    /// A bug in imgraph.
    Bug,
    /// Inputs changed while they were built.
    InputsChanged,
    /// With `--detailed-exitcode`: there is work to do.
    WorkToDo,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

/// Leaves `value` to the end of the process, when all memory goes back at once. A workspace is a great many
/// small things: to free each by itself takes longer than many a command.
pub(crate) fn leave<Value>(value: Value) {
    std::mem::forget(value);
}

impl Exit {
    /// The process's exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::TargetFailed => 1,
            Self::Usage => 2,
            Self::Surroundings => 3,
            Self::Bug => 4,
            Self::InputsChanged => 5,
            Self::WorkToDo => 10,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}
