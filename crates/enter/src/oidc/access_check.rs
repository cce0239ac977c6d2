//! `GET|HEAD /oauth2/access-check?account_id=`: whether the token's user may act for an account, now (contract
//! `enter.md`, section 5).

use super::{GrantRefused, Standing};
use crate::account::Account;
use crate::ids::AccountId;
use kernel::Time;

/// The answer; its status is all that there is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessCheck {
    Open,
    /// The token is worth nothing any more.
    Token(GrantRefused),
    /// The account is the partner's, but not open to this user with this app.
    Closed,
    /// No account of the user's partner has this id.
    Unknown,
}

impl AccessCheck {
    pub const fn status(self) -> u16 {
        match self {
            Self::Open => 200,
            Self::Token(_) => 401,
            Self::Closed => 403,
            Self::Unknown => 404,
        }
    }
}

/// The account that is asked about, as it was found.
#[derive(Debug, Clone, Copy)]
pub struct AskedAccount<'a> {
    pub id: &'a AccountId,
    pub account: Option<&'a Account>,
    /// The token's user's roles there.
    pub roles: Option<&'a [String]>,
    /// Whether the token's app is open to everybody or active for it.
    pub active: bool,
}

/// Which account is asked about: the parameter, or the token's own where there is none. `None` is answered 404, as a
/// malformed id is.
pub fn asked_account(parameter: Option<&str>, standing: &Standing<'_>) -> Option<AccountId> {
    match parameter.filter(|text| !text.is_empty()) {
        Some(text) => AccountId::parse(text).ok(),
        None => standing.grant.account.clone(),
    }
}

/// Decides. `asked` is `None` where [`asked_account`] found none. Another partner's account is as unknown as one that
/// does not exist.
pub fn access_check(standing: &Standing<'_>, asked: Option<AskedAccount<'_>>, now: Time) -> AccessCheck {
    if let Err(why) = standing.check_person(now) {
        return AccessCheck::Token(why);
    }
    let Some(asked) = asked else { return AccessCheck::Unknown };
    let own = asked.account.filter(|one| one.id == *asked.id && one.partner == standing.partner.id);
    let Some(account) = own else { return AccessCheck::Unknown };
    let open = account.disabled.is_none() && asked.active && asked.roles.is_some();
    if open { AccessCheck::Open } else { AccessCheck::Closed }
}
