//! Which triggers become one run.

use super::{Mode, Source};

/// At most so many triggers of one run (contract `runs.md`).
pub const LARGEST: i64 = 500;
/// What the triggers of a run may take in `PAN_CTX_RUN_TRIGGERS`, in bytes: a value of the environment is at most
/// 96 KiB.
const TEXT: usize = 96 * 1024;
/// What the bodies of a run's deliveries may take together, in bytes: they are unpacked, or sent in one message.
const BODIES: usize = 16 * 1024 * 1024;
/// What stands around the headers of one trigger in its JSON, in bytes: ids, words, a file's name.
const FRAME: usize = 320;

/// Triggers that may share a run. A run has triggers of one class alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Of the mode `init`, before anything else: what they find out is what the others work with.
    Init,
    /// Of schedules, bundled only with their like.
    Cron,
    /// A run that is done once more, alone: its configs and its state were chosen for it.
    Rerun,
    Others,
}

impl Class {
    /// The order in which they are taken.
    pub const IN_ORDER: [Self; 4] = [Self::Init, Self::Cron, Self::Rerun, Self::Others];

    /// The class of a trigger that does not do a run once more.
    pub fn of(source: Source, mode: Mode) -> Self {
        match (source, mode) {
            (Source::Cron, _) => Self::Cron,
            (_, Mode::Init) => Self::Init,
            _ => Self::Others,
        }
    }

    /// At most so many of them in one run.
    pub const fn most(self) -> i64 {
        match self {
            Self::Rerun => 1,
            Self::Init | Self::Cron | Self::Others => LARGEST,
        }
    }
}

/// The mode of a run with these triggers: `webhook` only where deliveries alone started it. `None` without any.
pub fn mode_of(modes: impl IntoIterator<Item = Mode>) -> Option<Mode> {
    let rank = |mode: &Mode| match mode {
        Mode::Init => 0,
        Mode::Normal => 1,
        Mode::Webhook => 2,
    };
    modes.into_iter().min_by_key(rank)
}

/// What a trigger brings along, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Of its headers or its payload as JSON.
    pub text: usize,
    pub body: usize,
}

/// How many of the first triggers fit into one run; at least one. The others wait for the next.
pub fn fit(sizes: impl IntoIterator<Item = Size>) -> usize {
    let (mut text, mut bodies, mut count) = (0usize, 0usize, 0usize);
    for size in sizes {
        text = text.saturating_add(size.text).saturating_add(FRAME);
        bodies = bodies.saturating_add(size.body);
        if count > 0 && (text > TEXT || bodies > BODIES) {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cron_bundles_only_with_cron_and_init_goes_first() {
        assert_eq!(Class::of(Source::Cron, Mode::Normal), Class::Cron);
        assert_eq!(Class::of(Source::Api, Mode::Init), Class::Init);
        assert_eq!(Class::of(Source::Manual, Mode::Normal), Class::of(Source::Webhook, Mode::Webhook));
        assert_eq!(Class::IN_ORDER[0], Class::Init);
        let place = |class| Class::IN_ORDER.iter().position(|it| *it == class);
        assert!(place(Class::Cron) < place(Class::Others));
        assert_eq!(Class::Rerun.most(), 1);
        assert!([Class::Init, Class::Cron, Class::Others].iter().all(|class| class.most() == 500));
    }

    #[test]
    fn a_run_is_a_webhooks_only_where_nobody_else_asked() {
        assert_eq!(mode_of([Mode::Webhook, Mode::Webhook]), Some(Mode::Webhook));
        assert_eq!(mode_of([Mode::Webhook, Mode::Normal]), Some(Mode::Normal));
        assert_eq!(mode_of([Mode::Normal, Mode::Init]), Some(Mode::Init));
        assert_eq!(mode_of([]), None);
    }

    #[test]
    fn what_does_not_fit_waits() {
        let small = Size { text: 300, body: 10 };
        assert!(fit([small; 1000]) < 200);
        assert_eq!(fit([Size::default(); 250]), 250);
        assert_eq!(fit([Size { text: 0, body: 9 << 20 }; 3]), 1);
        assert_eq!(fit([Size { text: 1 << 30, body: 1 << 30 }, small]), 1, "one always runs");
        assert_eq!(fit([]), 0);
    }

    proptest! {
        #[test]
        fn a_bundle_is_within_its_bounds(texts in proptest::collection::vec((0usize..5000, 0usize..2_000_000), 1..600)) {
            let sizes: Vec<_> = texts.iter().map(|(text, body)| Size { text: *text, body: *body }).collect();
            let count = fit(sizes.iter().copied());
            prop_assert!(count >= 1 && count <= sizes.len());
            let taken = &sizes[..count];
            let text: usize = taken.iter().map(|size| size.text + FRAME).sum();
            let bodies: usize = taken.iter().map(|size| size.body).sum();
            prop_assert!(count == 1 || (text <= TEXT && bodies <= BODIES));
        }
    }
}
