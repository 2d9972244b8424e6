//! Business errors: each mutation has its own type with its own codes, and all have the same three fields.

/// Declares the user error type of a mutation: `user_error!(/** What it is. */ UserSignInUserError, UserSignInErrorCode);`
macro_rules! user_error {
    ($(#[$doc:meta])* $name:ident, $code:ty) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject, Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            /// The error code. Values are stable, so programs may rely on them.
            pub code: $code,
            /// A human-readable explanation.
            pub message: String,
            /// The path to the input field that caused the error, such as `["input", "username"]`. Null when the
            /// error concerns the input as a whole.
            pub field: Option<Vec<String>>,
        }

        impl $name {
            /// About the input's field of this name.
            #[allow(dead_code, reason = "some mutations have only refusals about the whole")]
            pub fn about(code: $code, message: impl Into<String>, field: &str) -> Self {
                Self { code, message: message.into(), field: Some(vec!["input".to_owned(), field.to_owned()]) }
            }

            /// About the input as a whole.
            #[allow(dead_code, reason = "some mutations have only refusals about a field")]
            pub fn whole(code: $code, message: impl Into<String>) -> Self {
                Self { code, message: message.into(), field: None }
            }
        }
    };
}

pub(crate) use user_error;
