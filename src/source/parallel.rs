//! Work on the entries of a folder, on all cores, whatever the depth of the tree.
//!
//! A walk calls itself for each folder in a folder. A pool's threads have small stacks, and a hostile
//! tree can be as deep as a path can be long: below a depth that no honest tree has, the rest is
//! walked by one thread with a large stack.

use rayon::prelude::*;

/// From here on a subtree is walked by one thread.
const DEEP: usize = 128;

/// The bytes of that thread's stack. A path of 4,096 bytes has 2,048 folders at most.
const DEEP_STACK: usize = 256 << 20;

/// So many small items are worth a second thread; for fewer, handing them over costs more.
const MANY: usize = 64;

/// So many items a thread takes at once, at most. It is not known which of them are much work, or which thread has to
/// share its core: who is done early takes over from the others, as long as they have not begun.
pub const AT_ONCE: usize = 64;

/// What `work` makes of each of `items`, in their order, or the first error that was met. `depth`
/// counts the folders above the items; it grows by one from call to call of one walk. `is_large` says
/// which items are more than one entry's work: folders, to be walked in turn.
///
/// # Errors
/// Those of `work`.
pub fn each<Item, Answer, Error>(
    items: Vec<Item>,
    depth: usize,
    is_large: impl Fn(&Item) -> bool,
    work: impl Fn(Item) -> Result<Answer, Error> + Send + Sync,
) -> Result<Vec<Answer>, Error>
where
    Item: Send,
    Answer: Send,
    Error: Send,
{
    match depth {
        DEEP => std::thread::scope(|scope| {
            let walk = || items.into_iter().map(work).collect();
            let thread = std::thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, walk);
            let thread = thread.expect("the system gives a thread");
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }),
        0..DEEP if items.len() >= MANY || items.iter().filter(|item| is_large(item)).nth(1).is_some() => {
            items.into_par_iter().with_max_len(AT_ONCE).map(work).collect()
        }
        _ => items.into_iter().map(work).collect(),
    }
}
