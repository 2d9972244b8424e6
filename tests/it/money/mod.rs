//! Money, against the sandbox gateway over real HTTP. Cases are numbered as in the list of what a payments engineer would test.

mod gateway;
mod interop;
