//! An app (service provider): what a partner's user enters.

mod entry_template;
mod redirect_uri;

pub use entry_template::{EntryTemplate, TemplateRefused, with_code};
pub use redirect_uri::{RedirectRefused, RedirectUri};

use crate::domain::{Domain, PageUrl, ReturnRefused, ReturnUrl};
use crate::ids::{AccountId, AppId, PartnerId};
use crate::percent;
use kernel::ids::OrganizationId;
use kernel::{Environment, SafeUrl, Time};

/// How an app signs people in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// As clients of ours, which name the app.
    OpenIdConnect {
        /// Where a login begins that did not begin at the app (OpenID Connect Core, section 4).
        initiate_login_uri: Option<SafeUrl>,
    },
    /// The older kind: the gateway posts a signed token there and gets a code for the entry URL.
    SessionUrl(SafeUrl),
}

/// An app as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    /// Whose app it is: its vendor administers it.
    pub organization: OrganizationId,
    pub environment: Environment,
    pub name: String,
    pub entry: EntryTemplate,
    pub primary_domain: Domain,
    pub more_domains: Vec<Domain>,
    pub logout_url: Option<SafeUrl>,
    pub sign_in: SignIn,
    pub pre_approved_scopes: Vec<String>,
    /// Whether every account may enter, or only those for which it was activated.
    pub open_to_all: bool,
    pub disabled: Option<Time>,
}

impl App {
    /// All its domains, the primary one first.
    pub fn domains(&self) -> Vec<Domain> {
        std::iter::once(&self.primary_domain).chain(&self.more_domains).cloned().collect()
    }

    /// A page of the app's own: `nextUrl`.
    ///
    /// # Errors
    /// [`ReturnRefused`].
    pub fn own_page(&self, text: &str) -> Result<PageUrl, ReturnRefused> {
        PageUrl::parse(text, &self.domains())
    }

    /// An address of the app's own: `target_link_uri`, a logout URL, where to go after a logout.
    ///
    /// # Errors
    /// [`ReturnRefused`].
    pub fn own_url(&self, text: &str) -> Result<ReturnUrl, ReturnRefused> {
        ReturnUrl::parse(text, &self.domains())
    }

    /// A link into the app: `path` at the entry URL's host, with `{{accountId}}` and `{{partnerId}}` filled in.
    ///
    /// # Errors
    /// [`ReturnRefused`]: the result is parsed again and its host compared exactly.
    pub fn link(
        &self,
        path: &str,
        account: Option<&AccountId>,
        partner: &PartnerId,
    ) -> Result<ReturnUrl, ReturnRefused> {
        let filled = path
            .replace("{{accountId}}", &percent::encoded(account.map_or("", AccountId::as_str)))
            .replace("{{partnerId}}", &percent::encoded(partner.as_str()));
        let base = self.entry.filled(account).map_err(|_| ReturnRefused::Path)?;
        ReturnUrl::at(&base, &filled)
    }
}

/// What becomes of a `back_url`. A wrong one does not fail the entry: the button is left out, and the partner's
/// engineer finds the reason in the record (contract `enter.md`, section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackUrl {
    None,
    Kept(ReturnUrl),
    Dropped(ReturnRefused),
}

impl BackUrl {
    pub fn judge(text: Option<&str>, partner: &[Domain], app: &[Domain]) -> Self {
        match text.filter(|text| !text.is_empty()) {
            None => Self::None,
            Some(text) => match ReturnUrl::parse(text, &[partner, app].concat()) {
                Ok(url) => Self::Kept(url),
                Err(why) => Self::Dropped(why),
            },
        }
    }
}
