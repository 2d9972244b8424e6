//! Integration tests, one binary.

mod conformance {
    pub mod broker;
}

mod edge;
