//! One backoff for all requests of a launch to a server. While the server fails, one of them tries
//! and the others wait. A backoff for each request would make many launches a flood.

use std::sync::{Mutex as Plain, MutexGuard as PlainGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use crate::model::error::StoreError;
use crate::sys::random;

/// The longest first pause; each further one is at most twice as long as the last.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The shortest time left in which another try is made.
pub const SHORTEST: Duration = Duration::from_millis(100);

/// The record of tries and their outcomes.
#[derive(Clone)]
pub struct Tries {
    began: Instant,
    tries: u32,
    /// The last request: method and address.
    what: String,
    /// Each outcome, whether it is a complete answer, and how often it was seen; the last comes
    /// last.
    seen: Vec<(String, bool, u32)>,
}

impl Tries {
    /// Starts an empty record.
    pub fn new(what: &str) -> Self {
        Tries {
            began: Instant::now(),
            tries: 0,
            what: what.to_owned(),
            seen: Vec::new(),
        }
    }

    /// Returns the number of tries.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    fn add(&mut self, why: &str, is_answer: bool) {
        self.tries += 1;
        let known = self.seen.iter().position(|(known, ..)| known == why);
        let times = known.map_or(0, |at| self.seen.remove(at).2);
        self.seen.push((why.to_owned(), is_answer, times + 1));
    }

    /// Returns the last complete answer, or else the last outcome. With several kinds it says how
    /// often each was seen.
    fn outcome(&self) -> String {
        let answer = self.seen.iter().rposition(|(_, is_answer, _)| *is_answer);
        let last = answer.or(self.seen.len().checked_sub(1));
        let Some(last) = last else {
            return "nothing was sent".to_owned();
        };
        let (why, _, times) = &self.seen[last];
        let others = self.seen.iter().enumerate();
        let others = others.filter(|(at, _)| *at != last);
        let others = others.map(|(_, (why, _, times))| format!("; {} {why}", count(*times)));
        match others.collect::<String>() {
            none if none.is_empty() => why.clone(),
            others => format!("{why} ({}{others})", count(*times)),
        }
    }

    /// Returns the error that sums them up.
    fn fault(&self) -> StoreError {
        let (what, tries, last) = (&self.what, self.tries, self.outcome());
        let plural = if tries == 1 { "try" } else { "tries" };
        let seconds = self.began.elapsed().as_millis() as f64 / 1000.0;
        StoreError::unreachable(format_args!(
            "{what}: gave up after {tries} {plural} in {seconds:.1} s; the last: {last}"
        ))
    }
}

fn count(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    }
}

/// The backoff of one server.
#[derive(Default)]
pub struct Backoff {
    state: Plain<State>,
    /// The lock of the request that tries while the server fails.
    turn: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The tries since the server fails; `None` while it doesn't.
    failing: Option<Tries>,
    /// The number of pauses since then.
    pauses: u32,
    /// The instant of the next try.
    until: Option<Instant>,
}

/// The right to try while the server fails.
pub type Turn<'a> = MutexGuard<'a, ()>;

impl Backoff {
    fn state(&self) -> PlainGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may try: at once if the server does not fail, else alone, after the
    /// pause. `held` is the turn that the request has already.
    ///
    /// # Errors
    /// There is no time, or no try, left.
    pub async fn wait<'a>(
        &'a self,
        held: Option<Turn<'a>>,
        own: &Tries,
        (deadline, most): (Instant, u32),
    ) -> Result<Option<Turn<'a>>, StoreError> {
        let left = || deadline.saturating_duration_since(Instant::now());
        if self.state().failing.is_none() {
            return Ok(None);
        }
        let turn = match held {
            Some(turn) => turn,
            None => timeout(left(), self.turn.lock())
                .await
                .map_err(|_| self.fault(own))?,
        };
        let (tries, until) = {
            let state = self.state();
            let Some(failing) = &state.failing else {
                return Ok(None);
            };
            (failing.tries, state.until)
        };
        let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
        let pause = pause.unwrap_or_default();
        let is_over = pause >= left() || left() < SHORTEST;
        if is_over || (most != 0 && tries >= most) {
            return Err(self.fault(own));
        }
        sleep(pause).await;
        Ok(Some(turn))
    }

    /// Records a failed try, and returns the pause before the next. `longest` limits the pause;
    /// `at_least`, which the server asks for, goes first.
    pub fn failed(
        &self,
        own: &mut Tries,
        (why, is_answer): (&str, bool),
        holds_turn: bool,
        (at_least, longest): (Option<Duration>, Duration),
    ) -> Duration {
        own.add(why, is_answer);
        let mut state = self.state();
        if state.failing.is_none() || holds_turn {
            state.pauses += 1;
        }
        let failing = state.failing.get_or_insert_with(|| Tries {
            began: own.began,
            ..Tries::new("")
        });
        failing.what.clone_from(&own.what);
        failing.add(why, is_answer);
        let pause = pause(state.pauses).min(longest);
        let pause = pause.max(at_least.unwrap_or_default());
        let until = Instant::now().checked_add(pause);
        state.until = state.until.max(until);
        pause
    }

    /// Ends the backoff, as an answer has come that counts.
    pub fn recovered(&self) {
        *self.state() = State::default();
    }

    /// Returns the outcome of the last failed try, to show to a person at the terminal.
    pub fn last(&self) -> Option<String> {
        let state = self.state();
        let last = state.failing.as_ref()?.seen.last();
        last.map(|(why, ..)| why.clone())
    }

    /// Returns the error of a request that gives up: with its own tries, or, if more, those of all.
    pub fn fault(&self, own: &Tries) -> StoreError {
        let state = self.state();
        match &state.failing {
            Some(all) if all.tries > own.tries => all.fault(),
            _ => own.fault(),
        }
    }
}

/// Returns a random pause, at most twice as long as could come before ("full jitter"). A fleet does
/// not come back all at once.
fn pause(number: u32) -> Duration {
    let most = PAUSE
        .saturating_mul(1 << number.saturating_sub(1).min(16))
        .min(LONGEST_PAUSE);
    random::up_to(most)
}

#[cfg(test)]
mod tests {
    use super::Tries;

    #[test]
    fn the_last_answer_is_said_with_how_often_each_was_seen() {
        let mut record = Tries::new("GET x");
        assert_eq!(record.outcome(), "nothing was sent");
        for _ in 0..3 {
            record.add("status 503", true);
        }
        assert_eq!(record.outcome(), "status 503");
        record.add("no answer in time", false);
        record.add("connection refused", false);
        record.add("no answer in time", false);
        assert_eq!(
            record.outcome(),
            "status 503 (3 times; once connection refused; 2 times no answer in time)"
        );
        assert_eq!(record.tries(), 6);
    }
}
