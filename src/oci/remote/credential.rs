//! Who asks a registry. It never shows what is secret.

use std::fmt;

/// Something that tells a registry who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password, or a token that is used as one.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that is exchanged for other tokens.
    IdentityToken(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Password { .. } => "Password",
            Self::IdentityToken(_) => "IdentityToken",
        })
    }
}
