//! Random operations against a plain model: what is posted and reserved is a function of the states of the reservations.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Rig, credit, debit};
use crate::kernel::UserId;
use crate::model::points::ReservationState as State;
use crate::model::tcc::BranchKey;
use crate::tcc::{Failure, Participant as _, Tried};

#[derive(Debug, Clone, Copy)]
enum Act {
    Try,
    Confirm,
    Cancel,
}

/// Branches 0 to 5 are debits of two accounts, 6 to 8 give back 0, 1 and 0 again.
#[derive(Debug, Clone, Copy)]
struct Step {
    act: Act,
    branch: usize,
}

const POINTS: [i64; 9] = [40, 70, 50, 30, 100, 60, 25, 70, 25];
const START: i64 = 100;

fn account(branch: usize) -> usize {
    match branch {
        6 | 8 => 0,
        7 => 1,
        debit => debit % 2,
    }
}

fn origin(branch: usize) -> Option<usize> {
    match branch {
        6 | 8 => Some(0),
        7 => Some(1),
        _ => None,
    }
}

#[derive(Default)]
struct Model(BTreeMap<usize, State>);

impl Model {
    fn sum(&self, branches: impl Iterator<Item = usize>, state: State) -> i64 {
        branches.filter(|branch| self.0.get(branch) == Some(&state)).map(|branch| POINTS[branch]).sum()
    }

    fn sums(&self, of: usize) -> (i64, i64) {
        let debits = || (0..6).filter(move |branch| account(*branch) == of);
        let credits = (6..9).filter(|branch| account(*branch) == of);
        let posted = START - self.sum(debits(), State::Confirmed) + self.sum(credits, State::Confirmed);
        (posted, self.sum(debits(), State::Tried))
    }

    fn can(&self, branch: usize) -> bool {
        match origin(branch) {
            None => {
                let (posted, reserved) = self.sums(account(branch));
                posted - reserved >= POINTS[branch]
            }
            Some(origin_branch) => {
                let siblings = || (6..9).filter(move |other| origin(*other) == Some(origin_branch));
                let taken = self.sum(siblings(), State::Tried) + self.sum(siblings(), State::Confirmed);
                self.0.get(&origin_branch) == Some(&State::Confirmed) && POINTS[origin_branch] - taken >= POINTS[branch]
            }
        }
    }

    /// The answer, in a word.
    fn step(&mut self, Step { act, branch }: Step) -> &'static str {
        let (next, answer) = match (act, self.0.get(&branch).copied()) {
            (Act::Try, None) if self.can(branch) => (State::Tried, "tried"),
            (Act::Try, None) => (State::Rejected, "rejected"),
            (Act::Try, Some(state @ (State::Tried | State::Confirmed))) => (state, "tried"),
            (Act::Try, Some(State::Rejected)) => (State::Rejected, "rejected"),
            (Act::Try, Some(state)) => (state, "cancelled"),
            (Act::Confirm, Some(State::Tried | State::Confirmed)) => (State::Confirmed, "done"),
            (Act::Confirm, Some(state)) => (state, "breach"),
            (Act::Confirm, None) => return "breach",
            (Act::Cancel, None) => (State::Suspended, "done"),
            (Act::Cancel, Some(State::Tried)) => (State::Cancelled, "done"),
            (Act::Cancel, Some(State::Confirmed)) => (State::Confirmed, "breach"),
            (Act::Cancel, Some(state)) => (state, "done"),
        };
        self.0.insert(branch, next);
        answer
    }
}

/// One run's accounts and branches.
struct Run {
    rig: Rig,
    users: [UserId; 2],
    keys: Vec<BranchKey>,
}

impl Run {
    async fn new(rig: &Rig) -> Self {
        let users = [rig.buyer(START).await, rig.buyer(START).await];
        Self { rig: rig.clone(), users, keys: POINTS.iter().map(|_| rig.key()).collect() }
    }

    async fn step(&self, Step { act, branch }: Step) -> &'static str {
        let (points, key, user) = (&self.rig.points, self.keys[branch], self.users[account(branch)]);
        let args = match origin(branch) {
            None => debit(user, POINTS[branch]),
            Some(origin) => credit(user, POINTS[branch], self.keys[origin]),
        };
        let done = |result: Result<(), Failure>| match result {
            Ok(()) => "done",
            Err(Failure::Breach(_)) => "breach",
            Err(error) => panic!("{error}"),
        };
        match act {
            Act::Try => match points.attempt(key, &args).await.unwrap() {
                Tried::Tried => "tried",
                Tried::Rejected(_) => "rejected",
                Tried::AlreadyCancelled => "cancelled",
            },
            Act::Confirm => done(points.confirm(key, &args).await),
            Act::Cancel => done(points.cancel(key, &args).await),
        }
    }

    /// The model that the states in the database make.
    async fn found(&self) -> Model {
        let mut model = Model::default();
        for (branch, key) in self.keys.iter().enumerate() {
            if let Some(state) = self.rig.state(*key).await {
                model.0.insert(branch, state);
            }
        }
        model
    }

    async fn compare(&self, model: &Model) {
        for (of, user) in self.users.iter().enumerate() {
            assert_eq!(self.rig.sums(*user).await, model.sums(of), "{:?}", model.0);
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![3 => Just(Act::Try), 2 => Just(Act::Confirm), 1 => Just(Act::Cancel)];
    proptest::collection::vec((act, 0..POINTS.len()).prop_map(|(act, branch)| Step { act, branch }), 1..60)
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap());

fn run(databases: usize, together: bool) {
    let rig = RUNTIME.block_on(Rig::open(databases));
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let case = |steps: Vec<Step>| {
        RUNTIME.block_on(async {
            let run = Run::new(&rig).await;
            if together {
                futures_util::future::join_all(steps.iter().map(|step| run.step(*step))).await;
                run.compare(&run.found().await).await;
            } else {
                let mut model = Model::default();
                for step in steps {
                    assert_eq!(run.step(step).await, model.step(step), "{step:?}");
                    run.compare(&model).await;
                }
                assert_eq!(run.found().await.0, model.0);
            }
            rig.check_ledger().await;
        });
        Ok(())
    };
    runner.run(&steps(), case).unwrap();
}

mod one_database {
    #[test]
    fn tcc_22_a_random_storm_follows_the_model() {
        super::run(1, false);
    }

    #[test]
    fn tcc_22_a_random_storm_all_at_once() {
        super::run(1, true);
    }
}

mod two_databases {
    #[test]
    fn tcc_22_a_random_storm_follows_the_model() {
        super::run(2, false);
    }

    #[test]
    fn tcc_22_a_random_storm_all_at_once() {
        super::run(2, true);
    }
}
