//! Who comes in, and what is made just in time.

use super::EntryRefused;
use crate::account::{Account, MEMBER, NotAUserId, PartnerUserId, Person};
use crate::context::ServiceContext;
use crate::partner::Partner;

/// Whom the partner means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// By the partner's own id.
    ById(PartnerUserId),
    /// By e-mail alone: which users of this partner have it must be looked up, then [`Who::one_by_email`] decides.
    ByEmail(String),
}

/// Why the partner's request names nobody; each becomes code 3 of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhoRefused {
    #[error("user_id: {0}")]
    Id(NotAUserId),
    #[error("user_id: missing; send your own id of the user")]
    Missing,
    #[error(
        "user_id: missing; with just-in-time users an e-mail address alone identifies nobody, send your own id of the user"
    )]
    EmailWithJustInTime,
    #[error("email: no user of yours has this address; send user_id")]
    NobodyByEmail,
    #[error("email: more than one user of yours has this address; send user_id")]
    SeveralByEmail,
}

impl Who {
    /// # Errors
    /// [`WhoRefused`]. Empty texts count as absent.
    pub fn read(user_id: Option<&str>, email: Option<&str>, partner: &Partner) -> Result<Self, WhoRefused> {
        if let Some(id) = user_id.filter(|id| !id.is_empty()) {
            return PartnerUserId::parse(id).map(Self::ById).map_err(WhoRefused::Id);
        }
        match email.filter(|email| !email.is_empty()) {
            None => Err(WhoRefused::Missing),
            Some(_) if partner.just_in_time => Err(WhoRefused::EmailWithJustInTime),
            Some(email) => Ok(Self::ByEmail(email.to_owned())),
        }
    }

    /// Chooses among the users of the partner whose address equals `email` byte for byte.
    ///
    /// Decision: the filter stands here as well as in the query, so that a database that folds case or
    /// look-alikes cannot widen it (lesson 24).
    ///
    /// # Errors
    /// [`WhoRefused`] unless it is exactly one.
    pub fn one_by_email(
        email: &str,
        partner: &Partner,
        found: &[Person],
    ) -> Result<PartnerUserId, WhoRefused> {
        let mut fitting = found
            .iter()
            .filter(|person| person.identity.partner == partner.id && person.email.as_deref() == Some(email));
        match (fitting.next(), fitting.next()) {
            (Some(person), None) => Ok(person.identity.partner_user.clone()),
            (None, _) => Err(WhoRefused::NobodyByEmail),
            (Some(_), Some(_)) => Err(WhoRefused::SeveralByEmail),
        }
    }
}

/// What is known of the one who enters.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The context's account, looked up by its id alone; `None` for the partner's own context.
    pub account: Option<&'a Account>,
    /// Looked up by (partner, partner's user id).
    pub person: Option<&'a Person>,
    /// The roles of that person at that account.
    pub roles: Option<&'a [String]>,
}

/// What an entry makes before it opens a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    pub create_person: bool,
    /// `Some(role)`: also associate the person with the context's account.
    pub create_association: Option<&'static str>,
}

/// Decides an entry.
///
/// Decisions: an account that is not this partner's is as unknown as one that does not exist, so that nobody
/// can try out other partners' accounts; just-in-time makes users and associations, never accounts.
///
/// # Errors
/// [`EntryRefused`].
pub fn admit(
    partner: &Partner,
    context: &ServiceContext,
    known: Known<'_>,
) -> Result<Admission, EntryRefused> {
    let for_account = match context {
        ServiceContext::SuperAdmin => return Err(EntryRefused::ContextForbidden),
        ServiceContext::Partner(id) if *id != partner.id => return Err(EntryRefused::ContextForbidden),
        ServiceContext::Partner(_) => false,
        ServiceContext::Account(id) => {
            let own = |account: &&Account| account.id == *id && account.partner == partner.id;
            let account = known.account.filter(own).ok_or(EntryRefused::AccountUnknown)?;
            if account.disabled.is_some() {
                return Err(EntryRefused::AccountDisabled);
            }
            true
        }
    };
    let person = known.person.filter(|person| person.identity.partner == partner.id);
    match person {
        Some(person) if person.disabled.is_some() => return Err(EntryRefused::UserDisabled),
        None if !partner.just_in_time => return Err(EntryRefused::UserUnknown),
        Some(_) | None => {}
    }
    let associated = person.is_some() && known.roles.is_some();
    if for_account && !associated && !partner.just_in_time {
        return Err(EntryRefused::NotAssociated);
    }
    Ok(Admission {
        create_person: person.is_none(),
        create_association: (for_account && !associated).then_some(MEMBER),
    })
}
