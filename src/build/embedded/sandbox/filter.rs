//! Which system calls a command may not make: what Docker's default profile denies to a container with the default
//! capabilities.
//!
//! Docker's profile lists what is allowed. This one lists what is denied, and takes every number above those that
//! the profile knows for one that this kernel does not have: both give the same for each call that has a name in
//! it. Denied calls fail with `EPERM`, as there; `clone3`, whose flags a filter cannot see, with `ENOSYS`, so that
//! the C libraries fall back to `clone`. On 64-bit machines 32-bit programs run too, and have numbers of their own.
//!
//! The kernel takes a program of its own little machine. The crate that hands it over also writes such programs,
//! but for one architecture, killing the others, so it is written here.
//!
//! On other architectures than x86-64 and aarch64 there is no filter: capabilities and namespaces are all that holds.

use nix::libc::{ENOSYS, EPERM};
use seccompiler::{apply_filter, sock_filter};

use super::outcome::Refusal;

/// Stands for a call that an architecture does not have.
const NONE: u32 = u32::MAX;

/// The last call of the profile, `removexattrat`.
const LAST_KNOWN: u32 = 466;

/// `CLONE_NEWNS`, `CLONE_NEWCGROUP`, `CLONE_NEWUTS`, `CLONE_NEWIPC`, `CLONE_NEWUSER`, `CLONE_NEWPID`, `CLONE_NEWNET`.
const NAMESPACES: u32 = 0x7e02_0000;

/// `AF_ALG` and `AF_VSOCK`.
const DENIED_SOCKETS: [u32; 2] = [38, 40];

/// The execution domains that the profile allows; the last asks which one it is.
const ALLOWED_PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, u32::MAX];

/// An architecture: how the kernel names it, and its numbers.
struct Architecture {
    audit: u32,
    /// The column of [`DENIED`].
    column: usize,
    clone: u32,
    clone3: u32,
    personality: u32,
    socket: u32,
    /// From which number on all are other calls: the x32 ones, which are denied, or those of 32-bit ARM alone, which
    /// are allowed.
    other: Option<(u32, u32)>,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        audit: 0xc000_003e,
        column: 0,
        clone: 56,
        clone3: 435,
        personality: 135,
        socket: 41,
        other: Some((0x4000_0000, fail(ENOSYS))),
    },
    Architecture {
        audit: 0x4000_0003,
        column: 2,
        clone: 120,
        clone3: 435,
        personality: 136,
        socket: 359,
        other: None,
    },
];

#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        audit: 0xc000_00b7,
        column: 1,
        clone: 220,
        clone3: 435,
        personality: 92,
        socket: 198,
        other: None,
    },
    Architecture {
        audit: 0x4000_0028,
        column: 3,
        clone: 120,
        clone3: 435,
        personality: 136,
        socket: 281,
        other: Some((0xf_0000, ALLOW)),
    },
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURES: &[Architecture] = &[];

/// The denied calls with their numbers on x86-64, aarch64, i386 and 32-bit ARM.
#[rustfmt::skip]
const DENIED: &[(&str, [u32; 4])] = &[
    ("acct", [163, 89, 51, 51]),
    ("add_key", [248, 217, 286, 309]),
    ("afs_syscall", [183, NONE, 137, NONE]),
    ("bpf", [321, 280, 357, 386]),
    ("clock_settime", [227, 112, 264, 262]),
    ("clock_settime64", [NONE, NONE, 404, 404]),
    ("create_module", [174, NONE, 127, NONE]),
    ("delete_module", [176, 106, 129, 129]),
    ("fanotify_init", [300, 262, 338, 367]),
    ("finit_module", [313, 273, 350, 379]),
    ("fsconfig", [431, 431, 431, 431]),
    ("fsmount", [432, 432, 432, 432]),
    ("fsopen", [430, 430, 430, 430]),
    ("fspick", [433, 433, 433, 433]),
    ("get_kernel_syms", [177, NONE, 130, NONE]),
    ("get_mempolicy", [239, 236, 275, 320]),
    ("init_module", [175, 105, 128, 128]),
    ("io_uring_enter", [426, 426, 426, 426]),
    ("io_uring_register", [427, 427, 427, 427]),
    ("io_uring_setup", [425, 425, 425, 425]),
    ("ioperm", [173, NONE, 101, NONE]),
    ("iopl", [172, NONE, 110, NONE]),
    ("kcmp", [312, 272, 349, 378]),
    ("kexec_file_load", [320, 294, NONE, 401]),
    ("kexec_load", [246, 104, 283, 347]),
    ("keyctl", [250, 219, 288, 311]),
    ("lookup_dcookie", [212, 18, 253, 249]),
    ("lsm_get_self_attr", [459, 459, 459, 459]),
    ("lsm_list_modules", [461, 461, 461, 461]),
    ("lsm_set_self_attr", [460, 460, 460, 460]),
    ("mbind", [237, 235, 274, 319]),
    ("migrate_pages", [256, 238, 294, 400]),
    ("mount", [165, 40, 21, 21]),
    ("mount_setattr", [442, 442, 442, 442]),
    ("move_mount", [429, 429, 429, 429]),
    ("move_pages", [279, 239, 317, 344]),
    ("nfsservctl", [180, 42, 169, 169]),
    ("open_by_handle_at", [304, 265, 342, 371]),
    ("open_tree", [428, 428, 428, 428]),
    ("perf_event_open", [298, 241, 336, 364]),
    ("pidfd_getfd", [438, 438, 438, 438]),
    ("pivot_root", [155, 41, 217, 218]),
    ("process_madvise", [440, 440, 440, 440]),
    ("query_module", [178, NONE, 167, NONE]),
    ("quotactl", [179, 60, 131, 131]),
    ("quotactl_fd", [443, 443, 443, 443]),
    ("reboot", [169, 142, 88, 88]),
    ("request_key", [249, 218, 287, 310]),
    ("set_mempolicy", [238, 237, 276, 321]),
    ("set_mempolicy_home_node", [450, 450, 450, 450]),
    ("setdomainname", [171, 162, 121, 121]),
    ("sethostname", [170, 161, 74, 74]),
    ("setns", [308, 268, 346, 375]),
    ("settimeofday", [164, 170, 79, 79]),
    ("stime", [NONE, NONE, 25, NONE]),
    ("swapoff", [168, 225, 115, 115]),
    ("swapon", [167, 224, 87, 87]),
    ("_sysctl", [156, NONE, 149, 149]),
    ("sysfs", [139, NONE, 135, 135]),
    ("syslog", [103, 116, 103, 103]),
    ("umount", [NONE, NONE, 22, NONE]),
    ("umount2", [166, 39, 52, 52]),
    ("unshare", [272, 97, 310, 337]),
    ("uselib", [134, NONE, 86, 86]),
    ("userfaultfd", [323, 282, 374, 388]),
    ("ustat", [136, NONE, 62, 62]),
    ("vhangup", [153, 58, 111, 111]),
    ("vm86", [NONE, NONE, 166, NONE]),
    ("vm86old", [NONE, NONE, 113, NONE]),
    ("vserver", [236, NONE, 273, 313]),
];

/// `SECCOMP_RET_ALLOW`.
const ALLOW: u32 = 0x7fff_0000;

/// `SECCOMP_RET_ERRNO` with a number.
const fn fail(errno: i32) -> u32 {
    0x5_0000 | errno.cast_unsigned()
}

/// The places of struct seccomp_data: the number of the call, the architecture, the lower half of the first argument
/// (both architectures are little-endian).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// Instructions: load a word, jump by so many, jump if equal, if at least, if any bit is set, end with an answer.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const ANSWER: u16 = 0x06;

/// Takes the denied calls from this process and all that it becomes, together with the hope of ever gaining rights
/// through a program's set-uid bit.
pub(super) fn apply() -> Result<(), Refusal> {
    if ARCHITECTURES.is_empty() {
        let set = rustix::thread::set_no_new_privs(true);
        return set.map_err(|error| Refusal::new(format!("cannot give up new privileges: {error}")));
    }
    apply_filter(&program()).map_err(|error| {
        Refusal::new(format!("cannot filter system calls: {error}"))
            .help("the kernel has to be built with CONFIG_SECCOMP_FILTER")
    })
}

const fn step(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Goes on when `test` holds for `k`, and passes over `count` instructions when not.
const fn unless_skip(test: u16, k: u32, count: u8) -> sock_filter {
    sock_filter { code: test, jt: 0, jf: count, k }
}

fn answer_if(test: u16, k: u32, answer: u32) -> [sock_filter; 2] {
    [unless_skip(test, k, 1), step(ANSWER, answer)]
}

fn program() -> Vec<sock_filter> {
    let mut program = vec![step(LOAD, ARCHITECTURE)];
    for architecture in ARCHITECTURES {
        let rules = rules(architecture);
        program.push(sock_filter { code: IF_EQUAL, jt: 1, jf: 0, k: architecture.audit });
        program.push(step(JUMP, u32::try_from(rules.len()).unwrap_or(u32::MAX)));
        program.extend(rules);
    }
    program.push(step(ANSWER, fail(ENOSYS)));
    program
}

/// What is asked of each call of an architecture. It ends in an answer.
fn rules(architecture: &Architecture) -> Vec<sock_filter> {
    let mut rules = vec![step(LOAD, NUMBER)];
    if let Some((from, answer)) = architecture.other {
        rules.extend(answer_if(IF_AT_LEAST, from, answer));
    }
    rules.extend(answer_if(IF_AT_LEAST, LAST_KNOWN + 1, fail(ENOSYS)));
    let denied = DENIED.iter().map(|(_, numbers)| numbers[architecture.column]);
    rules.extend(
        denied.filter(|number| *number != NONE).flat_map(|number| answer_if(IF_EQUAL, number, fail(EPERM))),
    );
    rules.extend(answer_if(IF_EQUAL, architecture.clone3, fail(ENOSYS)));
    let argument = |number: u32, tests: &[[sock_filter; 2]], otherwise: u32| {
        // Three or four tests are far from the 255 instructions that can be passed over.
        let count = u8::try_from(tests.len() * 2 + 2).unwrap_or(u8::MAX);
        let mut steps = vec![unless_skip(IF_EQUAL, number, count), step(LOAD, FIRST_ARGUMENT)];
        steps.extend(tests.iter().flatten().cloned());
        steps.push(step(ANSWER, otherwise));
        steps
    };
    rules.extend(argument(architecture.clone, &[answer_if(IF_ANY_BIT, NAMESPACES, fail(EPERM))], ALLOW));
    let sockets = DENIED_SOCKETS.map(|family| answer_if(IF_EQUAL, family, fail(EPERM)));
    rules.extend(argument(architecture.socket, &sockets, ALLOW));
    let personalities = ALLOWED_PERSONALITIES.map(|domain| answer_if(IF_EQUAL, domain, ALLOW));
    rules.extend(argument(architecture.personality, &personalities, fail(EPERM)));
    rules.push(step(ANSWER, ALLOW));
    rules
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    /// Runs the program as the kernel would.
    fn answer(audit: u32, number: u32, argument: u32) -> u32 {
        let program = program();
        let (mut at, mut word) = (0, 0);
        loop {
            let step = &program[at];
            let (jump_if, jump) = match step.code {
                LOAD => {
                    word = match step.k {
                        NUMBER => number,
                        ARCHITECTURE => audit,
                        FIRST_ARGUMENT => argument,
                        other => panic!("loads {other}"),
                    };
                    (true, 0)
                }
                JUMP => (true, step.k as usize),
                ANSWER => return step.k,
                IF_EQUAL => (word == step.k, 0),
                IF_AT_LEAST => (word >= step.k, 0),
                IF_ANY_BIT => (word & step.k != 0, 0),
                other => panic!("instruction {other}"),
            };
            at += 1 + jump;
            if !matches!(step.code, LOAD | JUMP) {
                at += usize::from(if jump_if { step.jt } else { step.jf });
            }
        }
    }

    fn native(number: libc::c_long, argument: u32) -> u32 {
        answer(ARCHITECTURES[0].audit, u32::try_from(number).unwrap(), argument)
    }

    #[test]
    fn calls_are_denied_by_number() {
        for denied in [
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_delete_module,
            libc::SYS_open_by_handle_at,
            libc::SYS_pivot_root,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_swapoff,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_quotactl,
            libc::SYS_acct,
            libc::SYS_settimeofday,
            libc::SYS_clock_settime,
            libc::SYS_syslog,
            libc::SYS_open_tree,
            libc::SYS_move_mount,
            libc::SYS_fsopen,
            libc::SYS_mount_setattr,
            libc::SYS_io_uring_setup,
            libc::SYS_pidfd_getfd,
            libc::SYS_sethostname,
        ] {
            assert_eq!(native(denied, 0), fail(EPERM), "call {denied}");
        }
        for allowed in [
            libc::SYS_read,
            libc::SYS_execve,
            libc::SYS_chroot,
            libc::SYS_ptrace,
            libc::SYS_seccomp,
            libc::SYS_mknodat,
            libc::SYS_openat2,
            libc::SYS_futex,
        ] {
            assert_eq!(native(allowed, 0), ALLOW, "call {allowed}");
        }
        assert_eq!(native(libc::SYS_clone3, 0), fail(ENOSYS));
        assert_eq!(native(467, 0), fail(ENOSYS));
        assert_eq!(native(0x4000_0000, 0), fail(ENOSYS));
        assert_eq!(answer(1, 0, 0), fail(ENOSYS));
    }

    #[test]
    fn arguments_decide_some_calls() {
        for (call, argument, expected) in [
            (libc::SYS_clone, 17, ALLOW),
            (libc::SYS_clone, 0x1000_0011, fail(EPERM)),
            (libc::SYS_clone, 0x0200_0000, fail(EPERM)),
            (libc::SYS_clone, 0x0002_0000, fail(EPERM)),
            (libc::SYS_socket, 2, ALLOW),
            (libc::SYS_socket, 16, ALLOW),
            (libc::SYS_socket, 38, fail(EPERM)),
            (libc::SYS_socket, 40, fail(EPERM)),
            (libc::SYS_personality, 0, ALLOW),
            (libc::SYS_personality, u32::MAX, ALLOW),
            (libc::SYS_personality, 0x0004_0000, fail(EPERM)),
        ] {
            assert_eq!(native(call, argument), expected, "call {call} with {argument:#x}");
        }
    }

    #[test]
    fn programs_of_32_bits_are_held_too() {
        let other = &ARCHITECTURES[1];
        for (name, numbers) in DENIED.iter().filter(|(_, numbers)| numbers[other.column] != NONE) {
            assert_eq!(answer(other.audit, numbers[other.column], 0), fail(EPERM), "{name}");
        }
        assert_eq!(answer(other.audit, other.clone, NAMESPACES), fail(EPERM));
        assert_eq!(answer(other.audit, 4, 0), ALLOW, "write");
    }
}
