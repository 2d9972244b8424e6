//! Integration tests, one binary.

mod contracts;
mod conformance {
    pub mod broker;
    pub mod gate;
}

mod edge;
mod flows {
    pub mod history;
    pub mod kill_storm;
    pub mod scenario;
    pub mod shop;
}
mod support;
