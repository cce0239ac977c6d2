//! The route table as data: every route stands there once, with what its caller has to prove.
//!
//! The reference of routes is generated from it, and a test refuses a route that is not in it.

use axum::Router;
use axum::http::Method;
use axum::routing::MethodRouter;

/// What a caller has to prove before a handler does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Anyone may ask; the answer holds nothing of anybody.
    Nothing,
    /// A tenant token signed by the organization.
    TenantToken,
    /// The dialog's 256-bit bearer in the path.
    DialogBearer,
    /// The bearer, and an `Origin` of our own.
    DialogBearerAndOrigin,
    /// A single-use start ticket in the path.
    StartTicket,
    /// A single-use `state` and the binding cookie.
    StateAndCookie,
    /// The webhook's 256-bit secret in the path; where its connector declares a scheme, a signature too.
    WebhookSecret,
    /// `X-API-KEY` with this scope.
    ApiKey(&'static str),
    /// `Authorization: Bearer` with the token of an open run.
    RunToken,
    /// A link that was signed here and has not ended.
    SignedLink,
    /// An OpenID Connect client's secret or assertion; of a public client its id, and the code's PKCE verifier.
    Client,
    /// A user's access token with this scope.
    UserToken(&'static str),
    /// `Authorization: Bearer` with a service account's access token of this scope.
    ServiceToken(&'static str),
    /// An assertion signed by a service account's key.
    Assertion,
    /// A single-use entry code.
    EntryCode,
    /// The session's cookie, if there is one; without it nobody is signed in.
    Session,
    /// The cookie of the browser that a page of ours was shown in, and an `Origin` of our own.
    OwnCookieAndOrigin,
}

impl Proof {
    /// How the reference says it.
    pub fn text(self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::TenantToken => "tenant token".to_owned(),
            Self::DialogBearer => "dialog id".to_owned(),
            Self::DialogBearerAndOrigin => "dialog id, own `Origin`".to_owned(),
            Self::StartTicket => "start ticket".to_owned(),
            Self::StateAndCookie => "`state` and binding cookie".to_owned(),
            Self::WebhookSecret => "webhook secret, signature where declared".to_owned(),
            Self::ApiKey(scope) => format!("API key with `{scope}`"),
            Self::RunToken => "run's own token".to_owned(),
            Self::SignedLink => "signature in the link".to_owned(),
            Self::Client => "client's proof".to_owned(),
            Self::UserToken(scope) => format!("user's access token with `{scope}`"),
            Self::ServiceToken(scope) => format!("service account's token with `{scope}`"),
            Self::Assertion => "service account's assertion".to_owned(),
            Self::EntryCode => "entry code".to_owned(),
            Self::Session => "session cookie, if there is one".to_owned(),
            Self::OwnCookieAndOrigin => "own cookie, own `Origin`".to_owned(),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub proof: Proof,
    pub about: &'static str,
}

/// A router under construction, and the lines that went into it.
#[derive(Debug)]
pub struct Table<S> {
    router: Router<S>,
    routes: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Default for Table<S> {
    fn default() -> Self {
        Self { router: Router::new(), routes: Vec::new() }
    }
}

impl<S: Clone + Send + Sync + 'static> Table<S> {
    /// Adds one route; the method router must serve exactly `method`.
    #[must_use]
    pub fn add(
        mut self,
        method: Method,
        path: &'static str,
        proof: Proof,
        about: &'static str,
        to: MethodRouter<S>,
    ) -> Self {
        self.router = self.router.route(path, to);
        self.routes.push(Route { method, path, proof, about });
        self
    }

    pub fn into_parts(self) -> (Router<S>, Vec<Route>) {
        (self.router, self.routes)
    }
}

#[cfg(test)]
mod tests {
    use kernel::Slug;

    #[test]
    fn no_organization_can_be_called_like_a_path_of_ours() {
        let routes = crate::routes();
        let first = routes.iter().filter_map(|route| route.path.split('/').nth(1));
        for segment in first.filter(|segment| !segment.is_empty() && !segment.starts_with('{')) {
            assert!(Slug::for_organization(segment).is_err(), "`{segment}` must be in RESERVED");
        }
    }
}
