//! What an entry writes, in one unit of work: the used code, the person, the association, the session.

use super::end_sessions::end_sessions;
use crate::work::events::{NewEvent, emit};
use ::enter::account::{Association, Person};
use ::enter::context::ServiceContext;
use ::enter::entry::{Admission, EntryRefused, Order};
use ::enter::ids::PersonId;
use ::enter::session::{Before, Opened, Session, SessionApp, SessionLimits};
use kernel::ids::OrganizationId;
use kernel::{Actor, Chance, Environment, Hashed, Plain, Time, audit};
use std::sync::Arc;
use store::entry_codes::FreshEntry;
use store::logout_notices::Ending;
use store::{Db, DbError, Tx, associations, entry_codes, people, session_apps, sessions};

/// An entry that was decided.
#[derive(Debug)]
pub(super) struct Entering {
    pub(super) environment: Environment,
    /// The partner's, for the audit log.
    pub(super) organization: OrganizationId,
    /// The code to use up; `None` where that has happened.
    pub(super) code: Option<Hashed>,
    pub(super) order: Order,
    pub(super) admission: Admission,
    /// The user of the order's identity, where there was one when it was decided.
    pub(super) person: Option<Person>,
    /// That user's roles at the order's account, where there were any.
    pub(super) roles: Option<Vec<String>>,
    /// The session that the browser had. What becomes of it is guarded by its secret.
    pub(super) session: Option<Session>,
    pub(super) limits: SessionLimits,
    pub(super) now: Time,
    pub(super) chance: Arc<dyn Chance>,
}

/// An opened session, with the cookie's secret.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) cookie: Plain,
    pub(super) session: Session,
    pub(super) person: Person,
    /// The person's at the order's account; `None` where they are not known.
    pub(super) roles: Option<Vec<String>>,
}

/// Carries an entry out whose user is known and whose browser had no session, in one statement where the database can.
/// `None` where it is another one, or where something has changed since it was decided, at `revision`: nothing has
/// happened then.
pub(super) async fn enter_at_once(
    db: &Db,
    entering: &Entering,
    revision: i64,
) -> Result<Option<Entered>, DbError> {
    let Entering { environment, code, order, admission, person, limits, now, chance, .. } = entering;
    let (Some(code), Some(person)) = (code, person) else { return Ok(None) };
    let learns = order.email.is_some() && order.email != person.email;
    if learns
        || admission.create_person
        || admission.create_association.is_some()
        || person.disabled.is_some()
    {
        return Ok(None);
    }
    let before = entering.session.clone();
    let Opened { cookie, session, before } =
        Session::open(order, &person.id, before, *limits, *now, &**chance);
    if before != Before::None {
        return Ok(None);
    }
    let entry = SessionApp::of(&session.id, order, *now);
    let new = FreshEntry { environment: *environment, code, session: &session, entry: &entry, revision };
    if !entry_codes::enter(db, &new).await? {
        return Ok(None);
    }
    Ok(Some(Entered { cookie, session, person: person.clone(), roles: entering.roles.clone() }))
}

/// Carries it out. A refusal within leaves the code used up.
pub(super) async fn enter(
    tx: &mut Tx,
    entering: &Entering,
) -> Result<Result<Entered, EntryRefused>, DbError> {
    let Entering { environment, code, order, now, limits, chance, .. } = entering;
    if let Some(code) = code
        && !entry_codes::mark_redeemed(tx, *environment, code, *now).await?
    {
        return Ok(Err(EntryRefused::CodeUsed));
    }
    let person = entering.person(tx).await?;
    if person.disabled.is_some() {
        return Ok(Err(EntryRefused::UserDisabled));
    }
    let roles = entering.associate(tx, &person.id).await?;
    let live = entering.session.clone();
    let old = live.as_ref().map(|session| session.secret.clone());
    let opened = Session::open(order, &person.id, live, *limits, *now, &**chance);
    let (cookie, session) = entering.keep(tx, opened, old.as_ref(), &person.id).await?;
    session_apps::upsert(tx, &SessionApp::of(&session.id, order, *now)).await?;
    Ok(Ok(Entered { cookie, session, person, roles }))
}

impl Entering {
    /// The person of the order's identity, made where that was decided.
    ///
    /// The unique identity is what lets a hundred first entries at once make one user: whoever comes second finds
    /// the first one's.
    async fn person(&self, tx: &mut Tx) -> Result<Person, DbError> {
        let identity = &self.order.identity;
        if self.admission.create_person {
            let new = Person {
                id: PersonId::new(&*self.chance),
                identity: identity.clone(),
                email: self.order.email.clone(),
                email_verified: false,
                given_name: None,
                family_name: None,
                locale: None,
                picture: None,
                disabled: None,
            };
            if people::insert_if_new(tx, &new, self.now).await? {
                self.tell(tx, "user.created", new.id.as_str()).await?;
                let whose = (self.organization.clone(), self.environment);
                let partner_user = new.identity.partner_user.as_str();
                let partner = new.identity.partner.as_str();
                let event = NewEvent::user_provisioned(whose, partner, new.id.as_str(), partner_user);
                emit(tx, &event, self.now, &*self.chance).await?;
                return Ok(new);
            }
        }
        let found = match &self.person {
            Some(person) => Some(person.clone()),
            None => people::by_identity(tx, identity).await?,
        };
        let found = found.ok_or_else(|| DbError::Bug("the user of an entry is gone".to_owned()))?;
        match &self.order.email {
            Some(email) if found.email.as_ref() != Some(email) => {
                people::learn_email(tx, &identity.partner, &found.id, email, self.now).await?;
                Ok(Person { email: Some(email.clone()), email_verified: false, ..found })
            }
            _ => Ok(found),
        }
    }

    /// The person's roles at the account afterwards; `None` where somebody else has just written them.
    async fn associate(&self, tx: &mut Tx, person: &PersonId) -> Result<Option<Vec<String>>, DbError> {
        let (Some(role), ServiceContext::Account(account)) =
            (self.admission.create_association, &self.order.context)
        else {
            return Ok(self.roles.clone());
        };
        let (person, account) = (person.clone(), account.clone());
        let subject = format!("{person}:{account}");
        let new = Association { person, account, roles: vec![role.to_owned()] };
        if !associations::insert_if_new(tx, &new, self.now).await? {
            return Ok(None);
        }
        self.tell(tx, "association.created", &subject).await?;
        Ok(Some(new.roles))
    }

    /// Stores the opened session and what becomes of the one before, whose secret was `old`.
    async fn keep(
        &self,
        tx: &mut Tx,
        opened: Opened,
        old: Option<&Hashed>,
        person: &PersonId,
    ) -> Result<(Plain, Session), DbError> {
        let Opened { cookie, session, before } = opened;
        match (before, old) {
            (Before::Renewed, Some(old)) => {
                if sessions::renew(tx, old, &session).await? {
                    return Ok((cookie, session));
                }
                // Another entry has just renewed it, or it has ended: this one has a session of its own.
                let opened = Session::open(&self.order, person, None, self.limits, self.now, &*self.chance);
                sessions::insert(tx, self.environment, &opened.session).await?;
                return Ok((opened.cookie, opened.session));
            }
            (Before::Left(left), Some(old)) => {
                sessions::change_secret(tx, &left.id, old, &left.secret).await?;
            }
            (Before::Ended(ended), _) => {
                let which = Ending::One(ended.id);
                end_sessions(tx, self.environment, &which, self.now, &*self.chance).await?;
            }
            (Before::None | Before::Renewed | Before::Left(_), _) => {}
        }
        sessions::insert(tx, self.environment, &session).await?;
        Ok((cookie, session))
    }

    async fn tell(&self, tx: &mut Tx, action: &'static str, subject: &str) -> Result<(), DbError> {
        let owner = Some(self.organization.clone());
        let event = audit::Event::new(action, subject, owner, Actor::Gateway, self.now, &*self.chance);
        store::audit::insert(tx, &event).await
    }
}
