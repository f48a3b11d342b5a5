//! Leases: the times at which they are renewed, replaced by new ones, and given back. One is
//! replaced when it can't be renewed any more. The supervisor has their ids, accessors of tokens,
//! and times; no token, and no value.

use std::time::{Duration, Instant};

use super::action::Then;
use super::errands::{Errands, Purpose};
use super::known::{HeldLease, Loans, Outcome, Task, Upkeep};
use super::notice::OWN;
use super::settings::OnChange;
use super::watch::Follows;
use crate::stores::Renewal;

/// The least time before its end at which a lease is fetched anew, where it lasts so long.
const AHEAD: Duration = Duration::from_secs(10);

/// The least and the longest time until a failed errand is tried again.
const SOONEST: Duration = Duration::from_millis(200);
const LATEST: Duration = Duration::from_secs(60);

/// The leases of the workload.
pub(super) struct Leases {
    upkeep: Upkeep,
    /// The leases that the workload has.
    now: Vec<KeptLease>,
    /// The leases of a workload that was launched before, or from before its files were changed.
    before: Vec<KeptLease>,
    /// The outcome of the errand under way.
    outcome: Option<Outcome>,
    /// True if the workload's leases are new since something was planned.
    is_fresh: bool,
    /// True if the end of the workload's leases was said to be their loss.
    lost: bool,
    /// Returns a time by chance, at most this one.
    chance: fn(Duration) -> Duration,
}

/// A lease, with its end as an instant of ours.
struct KeptLease {
    held: HeldLease,
    end: Instant,
    /// The end of the token that the lease hangs on.
    token_end: Option<Instant>,
    /// True if the lease can't be renewed any more.
    is_last: bool,
    /// True if the lease is there no more.
    is_gone: bool,
}

impl KeptLease {
    fn new(held: HeldLease, now: Instant) -> Self {
        let after = |time| now.checked_add(time).unwrap_or(now);
        KeptLease {
            end: after(held.left),
            token_end: held.token_left.map(after),
            is_last: !held.renewable,
            is_gone: false,
            held,
        }
    }

    /// Returns the instant at which the lease ends: with the token, where that is sooner.
    fn ends(&self) -> Instant {
        self.token_end.map_or(self.end, |token| token.min(self.end))
    }

    fn is_ended_by_token(&self) -> bool {
        self.token_end.is_some_and(|token| token < self.end)
    }

    /// Returns the instant at which the lease is to be replaced, where it can't be renewed.
    fn replaced(&self) -> Instant {
        let lasts = self.held.lasts;
        let ahead = (lasts / 10).max(AHEAD.min(lasts / 3));
        self.ends()
            .checked_sub(ahead)
            .unwrap_or_else(|| self.ends())
    }

    /// Returns the lease with the time that is left of it `now`.
    fn told(&self, now: Instant) -> HeldLease {
        let left = |end: Instant| end.saturating_duration_since(now);
        HeldLease {
            left: left(self.end),
            token_left: self.token_end.map(left),
            ..self.held.clone()
        }
    }
}

impl Leases {
    pub(super) fn new(chance: fn(Duration) -> Duration) -> Self {
        Leases {
            upkeep: Upkeep::default(),
            now: Vec::new(),
            before: Vec::new(),
            outcome: None,
            is_fresh: false,
            lost: false,
            chance,
        }
    }

    /// True if processes will have to be started for the leases.
    pub(super) fn are_kept(&self) -> bool {
        self.upkeep.renews && !(self.now.is_empty() && self.before.is_empty())
    }

    /// Takes in the leases of a launch, or of an errand, in the place of the former ones.
    pub(super) fn lent(&mut self, lent: Loans, now: Instant) {
        self.pass();
        self.upkeep = lent.upkeep;
        let held = lent.held.into_iter();
        self.now = held.map(|held| KeptLease::new(held, now)).collect();
        (self.lost, self.is_fresh) = (false, true);
    }

    /// Turns the workload's leases into those of a workload before.
    pub(super) fn pass(&mut self) {
        self.before.append(&mut self.now);
    }

    /// Plans the next errands, as a workload runs with these leases.
    pub(super) fn begin(&mut self, errands: &mut Errands, now: Instant) {
        self.plan(errands, now);
        let is_over = |kept: &KeptLease| kept.ends() <= now;
        self.before.retain(|kept| !is_over(kept));
        if self.upkeep.renews && !self.before.is_empty() {
            errands.plan(Purpose::GiveBack, now);
        }
    }

    /// Plans again where other leases are there now than those that were planned for.
    pub(super) fn plan_fresh(&mut self, errands: &mut Errands, now: Instant) {
        if self.is_fresh {
            self.plan(errands, now);
        }
    }

    /// Plans the next renewal, or replacement.
    fn plan(&mut self, errands: &mut Errands, now: Instant) {
        self.is_fresh = false;
        if !self.upkeep.renews {
            return;
        }
        let two_thirds = |kept: &KeptLease| {
            let left = kept.ends().saturating_duration_since(now);
            // A tenth sooner or later, so that a fleet does not march in step.
            let time = left.mul_f64(0.6) + (self.chance)(left / 10);
            now + time
        };
        let renewals = self.now.iter().filter(|kept| !kept.is_last);
        if let Some(due) = renewals.map(two_thirds).min() {
            errands.plan(Purpose::Renew, due);
        }
        let last = self.now.iter().filter(|kept| kept.is_last);
        if let Some(due) = last
            .map(|kept| match kept.is_gone {
                true => now,
                false => kept.replaced(),
            })
            .min()
        {
            errands.plan(Purpose::Replace, due.max(now));
        }
    }

    /// Returns the task of a process on an errand.
    pub(super) fn task(&mut self, purpose: Purpose, now: Instant) -> Task {
        self.outcome = None;
        let told = |kept: &[KeptLease]| kept.iter().map(|kept| kept.told(now)).collect();
        match purpose {
            Purpose::Refresh => Task::Refresh,
            Purpose::Renew => Task::Renew(told(&self.now)),
            Purpose::Replace => {
                let soonest = self.now.iter().min_by_key(|kept| kept.ends());
                let by_token = soonest.is_some_and(KeptLease::is_ended_by_token);
                let left = soonest.map(|kept| kept.ends().saturating_duration_since(now));
                Task::Replace {
                    by_token,
                    left: left.unwrap_or_default(),
                }
            }
            Purpose::GiveBack => Task::GiveBack(told(&self.before)),
        }
    }

    /// Lists the paths that are not read just to compare.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.now.iter().map(|kept| kept.held.path.clone()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Notes the outcome that a process on an errand tells.
    pub(super) fn report(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// Returns the consequence of an errand whose process has ended.
    pub(super) fn end(&mut self, purpose: Purpose, errands: &mut Errands, now: Instant) -> Follows {
        let follows = match (purpose, self.outcome.take()) {
            (Purpose::Renew, Some(Outcome::Renewed(renewals))) => {
                self.renewed(&renewals, now);
                Follows::Nothing
            }
            (Purpose::Replace, Some(Outcome::Changed(_))) => match self.upkeep.on_change {
                OnChange::Restart => return Follows::Stop(Then::Launch),
                OnChange::Exit(code) => return Follows::Stop(Then::Exit(code)),
                OnChange::Signal(signal) => {
                    self.plan(errands, now);
                    return Follows::Signal(signal);
                }
            },
            (Purpose::GiveBack, outcome) => {
                // Leases that could not be given back are tried once more at the end.
                if outcome.is_some() {
                    self.before.clear();
                }
                return Follows::Nothing;
            }
            _ => {
                self.again(purpose, errands, now);
                return self.loss(now);
            }
        };
        self.plan(errands, now);
        follows
    }

    /// Plans a failed errand again, the sooner the less time there is.
    fn again(&self, purpose: Purpose, errands: &mut Errands, now: Instant) {
        let end = self.now.iter().map(KeptLease::ends).min();
        let left = end.map(|end| end.saturating_duration_since(now));
        let pause = match left.unwrap_or_default() / 4 {
            Duration::ZERO => LATEST.min(self.longest() / 2),
            quarter => quarter,
        };
        let pause = pause.clamp(SOONEST, LATEST);
        let pause = pause - pause / 10 + (self.chance)(pause / 5);
        // A lease that is about to end is fetched anew; one that has ended already, too.
        let is_near = self.now.iter().any(|kept| kept.replaced() <= now + pause);
        let purpose = if is_near { Purpose::Replace } else { purpose };
        errands.plan(purpose, now + pause);
    }

    fn longest(&self) -> Duration {
        let lasts = self.now.iter().map(|kept| kept.held.lasts);
        lasts.max().unwrap_or_default()
    }

    /// Reports the loss of a secret once a lease is over.
    fn loss(&mut self, now: Instant) -> Follows {
        let is_over = self.now.iter().any(|kept| kept.ends() <= now);
        if !is_over || std::mem::replace(&mut self.lost, true) || !self.upkeep.stop_on_loss {
            return Follows::Nothing;
        }
        Follows::Stop(Then::Exit(OWN))
    }

    fn renewed(&mut self, renewals: &[(Renewal, Option<Renewal>)], now: Instant) {
        let after = |time| now.checked_add(time).unwrap_or(now);
        for (kept, (lease, token)) in self.now.iter_mut().zip(renewals) {
            match lease {
                Renewal::Lasts(time) => {
                    kept.end = after(*time);
                    // A lease that lasts less than before has come to its last end.
                    kept.is_last = *time + Duration::from_secs(1) < kept.held.lasts.mul_f64(0.9);
                }
                Renewal::Denied => kept.is_last = true,
                Renewal::Gone => (kept.is_last, kept.is_gone) = (true, true),
            }
            match token {
                Some(Renewal::Lasts(time)) => {
                    kept.token_end = Some(after(*time));
                    let is_last = *time < kept.held.token_lasts.mul_f64(0.9);
                    kept.held.token_renewable &= !is_last;
                }
                Some(_) => kept.held.token_renewable = false,
                None => {}
            }
            // Renewing the lease itself is of no use where the token ends before.
            let token_ends = kept.is_ended_by_token() && !kept.held.token_renewable;
            kept.is_last |= token_ends;
        }
    }

    /// Returns the task to give back all leases when there is no workload any more.
    pub(super) fn all(&mut self, now: Instant) -> Task {
        self.pass();
        self.before.retain(|kept| kept.ends() > now);
        self.outcome = None;
        Task::GiveBack(self.before.iter().map(|kept| kept.told(now)).collect())
    }
}
