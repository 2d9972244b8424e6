//! What all operator mutations have in common: a payload with one object and user errors, and codes for the reasons.

use async_graphql::Error;

use crate::api::graphql::error::Code;
use crate::catalog::Problem;

/// Declares the codes, the user error and the payload of an operator mutation.
macro_rules! operator_act {
    (
        $(#[$code_doc:meta])* codes $code:ident { $($(#[$variant_doc:meta])* $variant:ident,)+ }
        $(#[$error_doc:meta])* error $error:ident;
        $(#[$payload_doc:meta])* payload $payload:ident { $(#[$field_doc:meta])* $field:ident: $object:ty }
    ) => {
        $(#[$code_doc])*
        #[derive(async_graphql::Enum, Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $code { $($(#[$variant_doc])* $variant,)+ }

        $crate::api::graphql::types::user_error::user_error! { $(#[$error_doc])* $error, $code }

        $(#[$payload_doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $payload {
            $(#[$field_doc])*
            pub $field: Option<$object>,
            /// All problems with the input. Empty on success.
            pub user_errors: Vec<$error>,
        }

        impl $payload {
            fn of(acted: Result<$object, $crate::catalog::ActError>) -> async_graphql::Result<Self> {
                let user_error = |problem: $crate::catalog::Problem| {
                    let code = match problem.reason {
                        $($crate::catalog::Reason::$variant => $code::$variant,)+
                        _ => return Err($crate::api::graphql::mutation::act::unforeseen(&problem)),
                    };
                    let path = problem.field.iter().map(|part| (*part).to_owned()).collect();
                    Ok($error { code, message: problem.message, field: (!problem.field.is_empty()).then_some(path) })
                };
                match acted {
                    Ok(object) => Ok(Self { $field: Some(object), user_errors: Vec::new() }),
                    Err($crate::catalog::ActError::Refused(problems)) => {
                        let user_errors = problems.into_iter().map(user_error).collect::<Result<_, _>>()?;
                        Ok(Self { $field: None, user_errors })
                    }
                    Err($crate::catalog::ActError::Store(error)) => {
                        Err($crate::api::graphql::error::store_fault(&error))
                    }
                }
            }
        }
    };
}

pub(crate) use operator_act;

/// A refusal that the mutation declares no code for. The act did not happen.
pub(crate) fn unforeseen(problem: &Problem) -> Error {
    tracing::error!(?problem, "a rejection has no error code");
    Code::InternalServerError.error("Something went wrong on our side.")
}
