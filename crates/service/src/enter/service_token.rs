//! A service account's assertion becomes an access token (contract `enter.md`, section 4).

use super::refuse::Denial;
use crate::{Fault, Place, Service};
use ::enter::partner::Partner;
use ::enter::service_account::{
    ACCESS_TOKEN_LIFETIME_S, AccessClaims, AssertionRefused, Exchange, Granted, Named, Proof, Rules,
    ServiceAccount, ServiceKey, judge, named,
};
use kernel::jose::Algorithm;
use kernel::{Environment, Plain, SecretText, Time};
use std::sync::Arc;
use store::service_accounts::{self, Principal};
use store::{DbError, used_assertions};

/// `typ` of an access token (RFC 9068, section 2.1).
const ACCESS_TYPE: &str = "at+jwt";

/// An access token, shown once.
#[derive(Debug)]
pub struct IssuedToken {
    pub token: SecretText,
    /// In seconds.
    pub expires_in: i64,
    pub scopes: Vec<String>,
}

/// Why there is none.
#[derive(Debug)]
pub enum ExchangeDenied {
    /// `invalid_grant`, with words for the partner's engineer.
    Refused(AssertionRefused),
    Fault(Fault),
}

impl From<DbError> for ExchangeDenied {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Fault> for ExchangeDenied {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Who the assertion speaks for, as the database has it.
type Found = Option<(ServiceAccount, Option<Arc<Partner>>, Option<ServiceKey>)>;

impl Service {
    /// Exchanges `assertion` at `place`. `scope` is the form's field, `route` names the request in the record of a
    /// refusal.
    ///
    /// # Errors
    /// [`ExchangeDenied`].
    pub async fn exchange_assertion(
        &self,
        place: &Place,
        exchange: Exchange,
        assertion: &str,
        scope: Option<&str>,
        route: &'static str,
    ) -> Result<IssuedToken, ExchangeDenied> {
        let (who, proof) = match named(assertion, exchange) {
            Ok(read) => read,
            Err(refused) => return Err(self.refuse_assertion(place, refused, None, None, route).await),
        };
        let now = self.clock.now();
        let found = self.principal(place.environment, &who).await?;
        let Some((account, Some(partner), Some(key))) = found else {
            // An account that is not there, one without such a key, and a key of somebody else's look alike, so that
            // nobody can try out which accounts there are.
            let partner = found.and_then(|(_, partner, _)| partner);
            let refused = AssertionRefused::Key;
            return Err(self.refuse_assertion(place, refused, partner.as_deref(), Some(&proof), route).await);
        };
        let granted = match self.judged(place, exchange, &proof, (&account, &key, &partner), scope, now) {
            Ok(granted) => granted,
            Err(refused) => {
                return Err(self.refuse_assertion(place, refused, Some(&partner), Some(&proof), route).await);
            }
        };
        if !self.use_up(&account, &granted).await? {
            let refused = AssertionRefused::Replayed;
            return Err(self.refuse_assertion(place, refused, Some(&partner), Some(&proof), route).await);
        }
        Ok(self.service_token(place, &account, &key, granted.scopes, now).await?)
    }

    async fn principal(&self, environment: Environment, who: &Named) -> Result<Found, Fault> {
        let found = service_accounts::principal(&self.db, environment, &who.account, &who.key, "").await?;
        let Some(Principal { account, partner, key, .. }) = found else { return Ok(None) };
        // Lesson 16: the rule holds the key against the account once more.
        Ok(Some((account, self.partner_at(environment, &partner).await?, key)))
    }

    fn judged(
        &self,
        place: &Place,
        exchange: Exchange,
        proof: &Proof,
        (account, key, partner): (&ServiceAccount, &ServiceKey, &Partner),
        scope: Option<&str>,
        now: Time,
    ) -> Result<Granted, AssertionRefused> {
        let endpoint = place.link(match exchange {
            Exchange::Bearer => "/oauth2/token",
            Exchange::SessionToken => "/iam.v1.UserIAM/GetSessionToken",
        });
        let legacy: Vec<&str> = self.enter.legacy_audiences.iter().map(String::as_str).collect();
        let audiences = [place.url(), endpoint.as_str()];
        let rules = Rules { now, exchange, audiences: &audiences, legacy_audiences: &legacy };
        judge(proof, account, key, partner, &rules, scope)
    }

    /// Lesson 12: one durable insert is what an assertion costs, and what refuses its copies on any node. It comes before
    /// the token, so that none exists whose assertion may be used again.
    async fn use_up(&self, account: &ServiceAccount, granted: &Granted) -> Result<bool, Fault> {
        let Some(replay) = granted.replay.clone() else { return Ok(true) };
        let principal = format!("service_account:{}", account.email);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                used_assertions::insert(tx, &principal, &replay.jti, replay.until).await.map_err(Fault::from)
            })
        });
        write.await
    }

    async fn service_token(
        &self,
        place: &Place,
        account: &ServiceAccount,
        key: &ServiceKey,
        scopes: Vec<String>,
        now: Time,
    ) -> Result<IssuedToken, Fault> {
        let jti = Plain::new(&*self.chance);
        let claims = AccessClaims {
            issuer: place.url(),
            subject: &account.email,
            partner: &account.partner,
            scopes: &scopes,
            key: &key.id,
            jti: jti.reveal(),
            now,
        };
        // Nobody but this gateway reads the signature, so the cheapest algorithm is the one.
        let token = self.sign(place.environment, Algorithm::Es256, ACCESS_TYPE, claims.payload()).await?;
        Ok(IssuedToken { token: SecretText::new(token), expires_in: ACCESS_TOKEN_LIFETIME_S, scopes })
    }

    async fn refuse_assertion(
        &self,
        place: &Place,
        refused: AssertionRefused,
        partner: Option<&Partner>,
        proof: Option<&Proof>,
        route: &'static str,
    ) -> ExchangeDenied {
        let mut denial = Denial::new(refused.code(), 400, refused.to_string()).parameter("assertion");
        if let Some(proof) = proof {
            denial = denial.seen(proof.seen());
        }
        if let Some(partner) = partner {
            denial = denial.of(&partner.organization);
        }
        self.deny(denial, place.environment, route).await;
        ExchangeDenied::Refused(refused)
    }
}
