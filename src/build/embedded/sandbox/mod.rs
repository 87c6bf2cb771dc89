//! The sandbox: one command in a root folder of its own, as a container would run it.
//!
//! Linux gives namespaces to processes, not to threads, so the program starts itself again. There are three
//! stages, each a process that began with this same program and a hidden first argument:
//!
//! ```text
//!  imgraph ─▶ supervise: user namespace (when not root), a process namespace for all below
//!               └▶ contain (process 1 there): mounts, hostname, network; the root folder
//!                    └▶ launch (process 1 again, one level deeper): the rest, then it becomes the command
//! ```
//!
//! The command is process 1, as in a container, and may do to itself what it likes: the stage above it is
//! process 1 of the namespace around it, asks the kernel to be killed with its parent, and takes everything
//! below along. Whoever dies first, nothing stays. Mounts lie in the namespace of `contain` and go with it.
//!
//! Stages talk through their standard input, which is one end of a socket: the specification comes down, one
//! [`Outcome`] goes up. Standard output and standard error are the command's from the beginning.
//!
//! # What holds a command, and what does not
//!
//! Namespaces, Docker's default capabilities, mounts on which device nodes do not work, Docker's filter of system
//! calls, and `no_new_privs`: a set-uid program gains nothing, so `sudo` in an image does not work, which BuildKit
//! lets it. There is no control group of its own (of memory and processors a command has what imgraph has) and no AppArmor profile. With the
//! machine's network a command reaches the machine's loopback interface and its abstract sockets.
//!
//! **Invariant:** a stage has one thread when it changes what it is, and no descriptors but 0, 1 and 2 and what it opened itself.
//! **Invariant:** a secret lies in memory only: in the socket, and in a tmpfs that the sandbox takes along.

mod outcome;
mod spec;
mod root_path;
mod mounting;
mod root_folder;
mod mount_points;
mod devices;
mod system_files;
mod given_mounts;
mod network;
mod identity;
mod filter;
mod limits;
mod messages;
mod program;
mod stages;
mod running;
mod running_folder;
mod probe;

pub use identity::check_user;
pub use outcome::{Outcome, Refusal, SandboxError};
pub use probe::{Abilities, Probe, abilities, best_privileges, probes};
pub use running::{Sandbox, Stream};
pub use running_folder::{RunningFolder, clean};
pub use spec::{HostAddress, MountSpec, Network, Privileges, Root, SandboxSpec, SecretPlace, User};
pub use stages::{FIRST_ARGUMENT, stage};
