//! Numbers as a GraphQL `Int`, which has 32 bits: a client that was generated from the schema fails on a whole answer with a larger
//! one. Fields and arguments are `i32` (`tests/tidy` looks), and the rules of the slices keep what is stored within it.

use async_graphql::Result;

use crate::api::graphql::error::Code;

/// The number, or the nearest that fits: for counts and sums, where the largest stands for "that many and more".
pub fn clamped(number: impl Into<i128>) -> i32 {
    number.into().clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// The number, or an error for this field alone: for amounts, where another number would be wrong.
pub fn exact(number: impl Into<i128>) -> Result<i32> {
    let number = number.into();
    i32::try_from(number).map_err(|_| {
        tracing::error!(number, "a stored number is out of range for the field's type");
        Code::InternalServerError.error(format!("The number {number} is too large for this field's type, Int."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_or_say_so() {
        assert_eq!(
            [clamped(7_u32), clamped(-7_i64), clamped(u64::MAX), clamped(i64::MIN)],
            [7, -7, i32::MAX, i32::MIN]
        );
        assert_eq!(exact(2_147_483_647_u64).ok(), Some(i32::MAX));
        assert!(exact(2_147_483_648_u64).unwrap_err().message.contains("2147483648"));
    }
}
