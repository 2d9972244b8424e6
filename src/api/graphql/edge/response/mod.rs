//! What goes back: responses and refusals.

pub mod answer;
pub mod refusal;
