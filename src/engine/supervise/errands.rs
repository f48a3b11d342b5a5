//! Errands: purposes for which fresh processes are started, and their times. The supervisor has no
//! secret. A task that needs one is done by a process that is forked for it. That process reads its
//! credentials anew, tells the outcome, and ends.

use std::time::{Duration, Instant};

/// The time that we wait for a process that fetches, beyond its own timeout.
pub(super) const MARGIN: Duration = Duration::from_secs(1);

/// The purpose of an errand. A concern that has processes started (leases: to renew one, to fetch
/// anew, to revoke) adds its purposes here, plans them, and reads their outcomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Fetches the secrets again, and compares them with what the workload has.
    Refresh,
    /// Renews leases.
    Renew,
    /// Fetches anew what can't be renewed any more.
    Replace,
    /// Gives back leases that are not used any more.
    GiveBack,
}

/// Due times, each with a purpose, and the errand under way. There is one at a time: each logs in
/// and reads, and two would do it twice.
#[derive(Default)]
pub(super) struct Errands {
    /// Due times, at most one for each purpose.
    due: Vec<(Instant, Purpose)>,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    purpose: Purpose,
    /// The instant by which the errand should have ended.
    late: Option<Instant>,
}

impl Errands {
    /// Plans an errand for this time, in the place of one for the same purpose.
    pub(super) fn plan(&mut self, purpose: Purpose, due: Instant) {
        self.forget(purpose);
        self.due.push((due, purpose));
    }

    /// Moves an errand that is planned for later to this time.
    pub(super) fn hasten(&mut self, purpose: Purpose, due: Instant) {
        let planned = self.due.iter_mut().find(|(_, known)| *known == purpose);
        if let Some((planned, _)) = planned {
            *planned = due.min(*planned);
        }
    }

    /// Forgets an errand that is planned.
    fn forget(&mut self, purpose: Purpose) {
        self.due.retain(|(_, known)| *known != purpose);
    }

    /// Returns the next instant at which something is due: an errand's beginning, or the end of its
    /// time.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.under_way {
            Some(under_way) => under_way.late,
            None => self.due.iter().map(|(due, _)| *due).min(),
        }
    }

    /// Begins the errand that is due, with this time to end. Returns its purpose.
    pub(super) fn begin(&mut self, now: Instant, time: Duration) -> Option<Purpose> {
        let (due, purpose) = self.due.iter().min_by_key(|(due, _)| *due).copied()?;
        if self.under_way.is_some() || due > now {
            return None;
        }
        self.forget(purpose);
        let late = after(now, time);
        self.under_way = Some(UnderWay { purpose, late });
        Some(purpose)
    }

    /// True if the errand under way has had its time.
    pub(super) fn is_late(&mut self, now: Instant) -> bool {
        let under_way = self.under_way.as_mut();
        under_way.is_some_and(|errand| is_over(&mut errand.late, now))
    }

    /// Returns the purpose of the errand under way.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        Some(self.under_way.as_ref()?.purpose)
    }

    /// Notes that the errand under way has ended. Returns its purpose.
    pub(super) fn end(&mut self) -> Option<Purpose> {
        Some(self.under_way.take()?.purpose)
    }

    /// Clears the plan. True if an errand was under way, which is to be killed.
    pub(super) fn stop(&mut self) -> bool {
        self.due.clear();
        self.under_way.take().is_some()
    }
}

/// Returns the instant this time, and the margin, from now; none where there is no such instant.
pub(super) fn after(now: Instant, time: Duration) -> Option<Instant> {
    now.checked_add(time.checked_add(MARGIN)?)
}

/// True if a time is over. A time that has been over for long means that we were stopped, and
/// perhaps not alone: it goes on for a moment more.
pub(super) fn is_over(until: &mut Option<Instant>, now: Instant) -> bool {
    let Some(until) = until else { return false };
    let was_stopped = now.saturating_duration_since(*until) > MARGIN;
    if was_stopped {
        *until = now + MARGIN;
    }
    *until <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_at_a_time_when_it_is_due() {
        let start = Instant::now();
        let mut errands = Errands::default();
        assert_eq!((errands.due(), errands.begin(start, SECOND)), (None, None));
        errands.plan(Purpose::Refresh, start + 9 * SECOND);
        errands.plan(Purpose::Refresh, start + 5 * SECOND);
        errands.hasten(Purpose::Refresh, start + 3 * SECOND);
        errands.hasten(Purpose::Refresh, start + 4 * SECOND);
        assert_eq!(errands.due(), Some(start + 3 * SECOND));
        assert_eq!(errands.begin(start + 2 * SECOND, SECOND), None);
        let now = start + 3 * SECOND;
        assert_eq!(errands.begin(now, SECOND), Some(Purpose::Refresh));
        // An errand planned meanwhile waits for the end of the one under way.
        errands.plan(Purpose::Refresh, now);
        assert_eq!(errands.due(), Some(now + SECOND + MARGIN));
        assert_eq!(errands.begin(now, SECOND), None);
        assert!(!errands.is_late(now + SECOND) && errands.is_late(now + 2 * SECOND));
        assert_eq!(
            (errands.end(), errands.end()),
            (Some(Purpose::Refresh), None)
        );
        assert_eq!(errands.begin(now, SECOND), Some(Purpose::Refresh));
        assert!(errands.stop() && !errands.stop());
        assert_eq!(errands.due(), None);
    }

    #[test]
    fn a_time_that_was_slept_through_goes_on_for_a_moment() {
        let start = Instant::now();
        let mut until = Some(start);
        assert!(is_over(&mut until, start) && is_over(&mut until, start + SECOND));
        assert!(!is_over(&mut until, start + 9 * SECOND));
        assert_eq!(until, Some(start + 10 * SECOND));
        assert!(is_over(&mut until, start + 10 * SECOND));
        assert!(!is_over(&mut None, start));
    }
}
