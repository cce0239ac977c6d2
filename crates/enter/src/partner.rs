//! A partner: an organization that vouches for its users at its session-transfer endpoint.

use crate::context::ServiceContext;
use crate::domain::{Domain, DomainRefused};
use crate::ids::{AppId, PartnerId};
use crate::percent;
use kernel::ids::OrganizationId;
use kernel::safe_url::UrlRefused;
use kernel::{Environment, SafeUrl, Time};

/// A partner as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    pub id: PartnerId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub name: String,
    pub transfer: TransferUrl,
    /// Beside the transfer URL's host: where `back_url` may lead.
    pub more_domains: Vec<Domain>,
    pub just_in_time: bool,
    pub disabled: Option<Time>,
}

impl Partner {
    /// All its domains, that of the session-transfer URL first (contract `enter.md`, section 6).
    pub fn domains(&self) -> Vec<Domain> {
        let first = Domain::of(&self.transfer.0);
        let more = self.more_domains.iter().filter(|domain| **domain != first).cloned();
        std::iter::once(first.clone()).chain(more).collect()
    }

    /// Whether `context` is the partner's own; of an account somebody must look that up.
    pub fn vouches_for(&self, context: &ServiceContext) -> bool {
        match context {
            ServiceContext::Partner(id) => *id == self.id,
            ServiceContext::Account(_) => true,
            ServiceContext::SuperAdmin => false,
        }
    }
}

/// Where a partner's users are sent to be vouched for: https, http only on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferUrl(SafeUrl);

/// Why a partner's configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartnerRefused {
    #[error("the session-transfer URL: {0}")]
    Url(#[from] UrlRefused),
    #[error("the session-transfer URL's query has `{0}`, which the gateway itself adds")]
    Reserved(&'static str),
    #[error(transparent)]
    Domain(#[from] DomainRefused),
}

/// What the gateway adds to the session-transfer URL, in this order.
const ADDED: [&str; 3] = ["serviceProviderId", "serviceContext", "nextUrl"];

impl TransferUrl {
    /// # Errors
    /// [`PartnerRefused`]: not absolute, not https, or with a query of our own names (lesson 5: a second
    /// `serviceContext` in front of ours would be the one that the partner checks).
    pub fn parse(text: &str) -> Result<Self, PartnerRefused> {
        let url = SafeUrl::parse(text)?;
        for (name, _) in url.as_url().query_pairs() {
            if let Some(taken) = ADDED.iter().find(|taken| **taken == name) {
                return Err(PartnerRefused::Reserved(taken));
            }
        }
        Ok(Self(url))
    }

    /// What a column holds; it came from [`Self::parse`].
    pub const fn from_stored(url: SafeUrl) -> Self {
        Self(url)
    }

    pub fn url(&self) -> &SafeUrl {
        &self.0
    }

    /// The address for one entry: `serviceProviderId`, `serviceContext` and, where given, `nextUrl`.
    pub fn for_entry(&self, app: &AppId, context: &ServiceContext, next_url: Option<&str>) -> String {
        let base = self.0.as_str();
        let joint = if self.0.as_url().query().is_some() { '&' } else { '?' };
        let context = context.query_value();
        let app = percent::encoded(app.as_str());
        let next = next_url.map(|next| format!("&nextUrl={}", percent::encoded(next))).unwrap_or_default();
        format!("{base}{joint}serviceProviderId={app}&serviceContext={context}{next}")
    }
}
