//! Integration tests, one binary.

mod conformance {
    pub mod broker;
}

mod flows {
    pub mod history;
    pub mod kill_storm;
    pub mod scenario;
}
