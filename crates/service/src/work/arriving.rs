//! A delivery to a tenant that has nothing to do: its run begins in the unit of work that keeps it.

use super::deliveries::taken;
use super::held::Known;
use super::run::{Contents, Task, run_token};
use crate::{Fault, Service};
use ::connect::run::Mode;
use ::connect::webhook::CUSTOM;
use kernel::Slug;
use kernel::ids::{JobId, TenantId};
use std::collections::HashMap;
use store::DbError;
use store::deliveries::{Content, OwnDelivery};
use store::jobs::{Kind, Wish};
use store::runs::arriving::{self, Expected};

/// A delivery that is larger, in bytes, is read again when its run is told, so that it is not kept in memory meanwhile.
const AT_HAND: usize = 16 << 10;

impl Service {
    /// Keeps a delivery and begins a run of it, where this process knows that its tenant has nothing to do, or will in a
    /// moment, and there is room for the run. Whether it was kept, be it with a run or as ever; `None` where nobody has tried.
    ///
    /// # Errors
    /// [`Fault`]; nothing was kept then.
    pub(crate) async fn begin_with(
        &self,
        tenant: TenantId,
        connector: Option<&Slug>,
        delivery: &OwnDelivery<'_>,
    ) -> Result<Option<bool>, Fault> {
        let Some(next) = self.idle.take_soon(tenant).await else { return Ok(None) };
        let organization = &next.standing.tenant.organization;
        let mut births = self.births(Kind::Run);
        let Some(hold) = births.hold_run(next.release.manifest.runner, organization) else {
            self.idle.learn(next);
            return Ok(None);
        };
        let token = run_token(&*self.chance);
        let wish =
            Wish { kind: Kind::Run, organization, subject: tenant.to_string(), due: delivery.received };
        let job = JobId::new(delivery.received, &*self.chance);
        // Before it is known whether it is: where the commit's answer is lost, somebody looks.
        births.expect(hold.born(wish, job.clone()));
        let expected = Expected {
            standing: &next.standing,
            integration: next.integration.id,
            release: next.release.id,
            job: &job,
            hold: &hold,
            token: &token.hashed(),
        };
        let arrived = match arriving::arrive(&self.db, delivery, connector, &expected).await {
            // A run that is open without its job; whoever takes deliveries goes on with it.
            Err(DbError::Unique { .. }) => {
                births.withdraw();
                return Ok(None);
            }
            arrived => arrived?,
        };
        if !arrived.is_born {
            births.withdraw();
        }
        match arrived.begun {
            Some((trigger, run)) => {
                let at = (run, delivery.received);
                let trigger = taken(trigger, delivery.id.clone(), &next.standing, at);
                let task = next.task(run, Mode::Webhook, vec![trigger], token, delivery.received);
                let contents = at_hand(delivery, connector);
                births.know(Known::Run(Box::new(Task { contents, ..task })));
            }
            None if arrived.is_kept => self.ring_deliveries(),
            None => {}
        }
        births.begin();
        Ok(Some(arrived.is_kept))
    }
}

/// What the run is told of the delivery, where it is small.
fn at_hand(delivery: &OwnDelivery<'_>, connector: Option<&Slug>) -> Contents {
    let headers = delivery.headers.iter().map(|(name, value)| name.len() + value.len());
    if headers.sum::<usize>() + delivery.body.len() > AT_HAND {
        return HashMap::new();
    }
    let content = Content {
        source: connector.map_or(CUSTOM, Slug::as_str).to_owned(),
        headers: delivery.headers.iter().map(|header| (*header).clone()).collect(),
        body: delivery.body.to_vec(),
    };
    HashMap::from([(delivery.id.clone(), content)])
}
