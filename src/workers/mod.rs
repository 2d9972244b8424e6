//! Background workers. Each is a future that ends only with an error; the supervisor restarts it.
//!
//! | worker | reads | does |
//! | --- | --- | --- |
//! | `order-writer` (one per partition) | `order-requests` | decides tickets |
//! | `results` | `purchase-results` | tells the gate and the hub |
//! | `payment-timeouts` | `payment-timeouts` | expires unpaid orders on time |
//! | `payment-checks` | the database | asks the payment gateway for what did not come by itself |
//! | `refunds` | the database | sends money back, and asks until it is there |
//! | `login-log` | `login-events` | writes the login log |
//! | `catalog-changes` | `catalog-changes` | refreshes the snapshot |
//! | `gate-changes` | `gate-changes` | takes operators' acts to the gate |
//! | `sign-outs` | `session-changes` | forgets tokens that ended on another node |
//! | `outbox-relay` | the outbox | publishes this node's events |
//! | `orphan-relay` | the outbox | publishes what a node left behind that is no more |
//! | `global-transactions` | the database | ends what was left undecided or half done between orders and points |
//! | `settings-changes`, `settings-poll` | `settings-changes`, the database | puts changed settings in force |
//! | `settings` | the database | takes back changes of settings that nobody confirmed |
//! | `edits` | `catalog_edits` | applies edits of the catalog in SQL to the gate, the nodes and the subscribers |
//! | `upgrade` | the nodes | finalises an upgrade some time after the last node of the previous version |
//! | `registry` | | says that this node runs |
//! | `last-backup` | the database | says how old the last backup is |
//! | `lease-watch` | the leases | says which jobs no node does |
//! | `pulse` | this node's counters | tells operators and the other nodes what happened in each second |
//! | `pulse-heard` | `pulses` | hears what happened on the other nodes |
//! | `pulse-frames`, `pulse-gates`, `pulse-people`, `pulse-sums` | gates, the database | puts together what operators watch |
//! | `sweep`, `reconcile`, `purge-tokens`, `unused-pictures` | the database | what a lost message would have left undone |

pub mod edits;
pub mod gate_changes;
pub mod jobs;
pub mod login_log;
pub mod order_writer;
pub mod payment_timeouts;
pub mod payments;
pub mod results;

use crate::broker::Topic;

/// Groups of consumers that messages wait for, for people and metrics.
pub const GROUPS: [(Topic, &str); 4] = [
    (Topic::OrderRequests, crate::orders::rebuild::WRITER),
    (Topic::PaymentTimeouts, payment_timeouts::GROUP),
    (Topic::LoginEvents, login_log::SUBSCRIPTION),
    (Topic::GateChanges, gate_changes::SUBSCRIPTION),
];
