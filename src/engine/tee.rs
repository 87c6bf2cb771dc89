//! One stream of events for several takers: progress, the events file, a target's log.

use crate::types::event::{Event, EventSink};

/// Gives each event to all of its sinks, in their order.
pub struct Tee<'s>(Vec<&'s dyn EventSink>);

impl<'s> Tee<'s> {
    /// A sink that stands for all of `sinks`.
    pub fn new(sinks: impl IntoIterator<Item = &'s dyn EventSink>) -> Self {
        Self(sinks.into_iter().collect())
    }
}

impl EventSink for Tee<'_> {
    fn take(&self, event: &Event) {
        for sink in &self.0 {
            sink.take(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>);

    impl EventSink for Kept {
        fn take(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[test]
    fn every_sink_is_given_every_event_in_order() {
        let (one, other) = (Kept::default(), Kept::default());
        let events = [1.0, 2.0].map(|seconds| Event::RunDone { seconds });
        let inner = Tee::new([&other as &dyn EventSink]);
        let tee = Tee::new([&one as &dyn EventSink, &inner]);
        events.iter().for_each(|event| tee.take(event));
        assert_eq!(*one.0.lock().unwrap(), events);
        assert_eq!(*other.0.lock().unwrap(), events);
    }
}
