//! A run of some targets, told as a run of all: those that were not looked at again are told as cached.

use crate::types::event::{Event, EventSink};

/// Gives the events of a part of a run to a sink that expects those of all of it.
pub struct Whole<'w> {
    events: &'w dyn EventSink,
    targets: usize,
    others: Vec<Event>,
}

impl<'w> Whole<'w> {
    /// For a run of `targets` targets of which `others` say how those ended that are not in the part.
    pub fn new(events: &'w dyn EventSink, targets: usize, others: Vec<Event>) -> Self {
        Self { events, targets, others }
    }
}

impl EventSink for Whole<'_> {
    fn take(&self, event: &Event) {
        let Event::RunStarted { builder, .. } = event else { return self.events.take(event) };
        self.events.take(&Event::RunStarted { targets: self.targets, builder: builder.clone() });
        self.others.iter().for_each(|other| self.events.take(other));
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
    fn the_others_are_told_when_the_run_starts() {
        let kept = Kept::default();
        let other = Event::Warning { subject: None, message: "other".to_owned() };
        let started = |targets| Event::RunStarted { targets, builder: "b".to_owned() };
        let whole = Whole::new(&kept, 7, vec![other.clone()]);
        whole.take(&started(1));
        whole.take(&Event::RunDone { seconds: 1.0 });
        assert_eq!(*kept.0.lock().unwrap(), [started(7), other, Event::RunDone { seconds: 1.0 }]);
    }
}
