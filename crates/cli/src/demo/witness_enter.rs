//! What the witness sees at the second door.

use super::sites::Site;
use super::story::{At, Line};
use super::witness::{Witness, location, masked_query};
use axum::http::{Method, StatusCode};
use axum::response::Response;

/// A request at the second door that the story tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenEntering {
    Authorize,
    EntryUrl,
    Enter,
    Token,
    Ended,
}

impl SeenEntering {
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        match (method.as_str(), path) {
            ("GET" | "POST", "/oauth2/auth") => Some(Self::Authorize),
            ("POST", "/sso.v1.IdentityProvider/GetEntryURLWithCode") => Some(Self::EntryUrl),
            ("POST", "/sso.v1.IdentityProvider/Logout") => Some(Self::Ended),
            ("POST", "/oauth2/token") => Some(Self::Token),
            ("GET", "/enter") => Some(Self::Enter),
            _ => None,
        }
    }
}

impl Witness {
    pub(super) fn entering(&self, seen: SeenEntering, response: &Response) {
        let to = location(response).unwrap_or_default().to_owned();
        let line = match seen {
            SeenEntering::Authorize => self.authorized(&to, response.status()),
            SeenEntering::EntryUrl if response.status() == StatusCode::OK => {
                let text = "The service account is Meridian's, the account is one of Meridian's, the app is active for \
                            it. The code is 256 random bits, good once and for 60 seconds; only its SHA-256 is stored.";
                Some(Line::new(At::Gateway, "Made an entry code", text))
            }
            SeenEntering::EntryUrl => {
                let text =
                    format!("The answer is {}, with a reason for Meridian's engineer.", response.status());
                Some(Line::new(At::Gateway, "Made no entry code", text).bad())
            }
            SeenEntering::Enter => Some(entered(&to, response.status())),
            SeenEntering::Token if response.status() == StatusCode::OK => {
                let text = "Client, code and verifier fit, and the code can never be used again.";
                Some(Line::new(At::Gateway, "Gave out tokens", text))
            }
            SeenEntering::Token => {
                let text = format!("The answer is {}.", response.status());
                Some(Line::new(At::Gateway, "Gave out no tokens", text).bad())
            }
            SeenEntering::Ended => {
                let text = "Its session here and all that grew out of it ended in one transaction; every app that was \
                            entered is told.";
                Some(Line::new(At::Gateway, "Ended the session", text))
            }
        };
        if let Some(line) = line {
            self.story().tell(line);
        }
    }

    fn authorized(&self, to: &str, status: StatusCode) -> Option<Line> {
        if to.starts_with(&self.origin(Site::Meridian)) {
            let text = "Nobody is known in this browser. The account belongs to Meridian, so Meridian is asked to vouch; \
                        the app's request waits, tied to this browser by a cookie.";
            let line = Line::new(At::Gateway, "Asked Meridian who this is", text);
            return Some(line.shows("The address", masked_query(to)));
        }
        if to.starts_with(&self.origin(Site::Beacon)) {
            if to.contains("error=") {
                let line = Line::new(At::Gateway, "Said no to Beacon", "The reason went to the app.");
                return Some(line.shows("The address", masked_query(to)).bad());
            }
            let text = "A session is there and may use this account. The code is bound to Beacon, to its address and to \
                        the verifier that only Beacon has.";
            return Some(Line::new(At::Gateway, "Gave Beacon a code", text));
        }
        let text = format!("The answer is {status}. A page says why.");
        status.is_client_error().then(|| Line::new(At::Gateway, "Let nobody on", text).bad())
    }
}

fn entered(to: &str, status: StatusCode) -> Line {
    if status.is_redirection() {
        let text = "The code was redeemed. User and association were made just in time where they were new, and this \
                    browser now has a session of the gateway's own.";
        Line::new(At::Gateway, "Let the person in", text).shows("On to", masked_query(to))
    } else if status == StatusCode::OK {
        Line::new(
            At::Gateway,
            "Asked who shall go on",
            "Somebody else is signed in here; nobody is replaced unasked.",
        )
    } else {
        let text = format!("The answer is {status}. The page says why, and the refusal is recorded.");
        Line::new(At::Gateway, "Did not let the person in", text).bad()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_seen() {
        assert_eq!(SeenEntering::of(&Method::GET, "/enter"), Some(SeenEntering::Enter));
        assert_eq!(SeenEntering::of(&Method::HEAD, "/enter"), None);
        assert_eq!(SeenEntering::of(&Method::POST, "/oauth2/revoke"), None);
    }
}
