//! What the witness sees at the second door.

use super::sites::Site;
use super::story::{At, Line};
use super::witness::{Witness, location, masked_query, read};
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
    pub(super) async fn entering(&self, seen: SeenEntering, response: Response) -> Response {
        let status = response.status();
        if seen == SeenEntering::Token {
            let (response, body) = read(response).await;
            self.story().tell(swapped(status, &body));
            return response;
        }
        let to = location(&response).unwrap_or_default();
        let line = match seen {
            SeenEntering::Authorize => self.authorized(to, status),
            SeenEntering::Enter => Some(self.entered(to, status)),
            SeenEntering::EntryUrl => Some(ordered(status)),
            SeenEntering::Ended if status == StatusCode::OK => {
                let text = "Its session here and all that grew out of it ended in one transaction; every app that \
                            was entered is told.";
                Some(Line::new(At::Gateway, "Ended the session", text))
            }
            SeenEntering::Ended | SeenEntering::Token => None,
        };
        if let Some(line) = line {
            self.story().tell(line);
        }
        response
    }

    fn authorized(&self, to: &str, status: StatusCode) -> Option<Line> {
        if to.starts_with(&self.origin(Site::Meridian)) {
            let text = "No session of the gateway's in this browser covers the account. It belongs to Meridian, so \
                        Meridian is asked to vouch; the app's request waits, tied to this browser by a cookie.";
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

    fn entered(&self, to: &str, status: StatusCode) -> Line {
        if status == StatusCode::OK {
            let text = "Somebody else is signed in here; nobody is replaced unasked.";
            return Line::new(At::Gateway, "Asked who shall go on", text);
        }
        if !status.is_redirection() {
            let text = format!("The answer is {status}. The page says why, and the refusal is recorded.");
            return Line::new(At::Gateway, "Did not let the person in", text).bad();
        }
        let text = "The entry code is used up. User and association were made just in time where they were new, and \
                    this browser has a session of the gateway's own. The app's waiting request goes on, with a code \
                    of its own.";
        let back = to.starts_with(&self.origin(Site::Beacon)) && to.contains("code=");
        let title = if back { "Let the person in, gave Beacon a code" } else { "Let the person in" };
        Line::new(At::Gateway, title, text).shows("On to", masked_query(to))
    }
}

fn ordered(status: StatusCode) -> Line {
    if status == StatusCode::OK {
        let text = "The service account is Meridian's, the account is one of Meridian's, the app is active for it. The \
                    code is 256 random bits, good once and for 60 seconds; only its SHA-256 is stored.";
        return Line::new(At::Gateway, "Made an entry code", text);
    }
    let text = format!("The answer is {status}, with a reason for Meridian's engineer.");
    Line::new(At::Gateway, "Made no entry code", text).bad()
}

/// Whether tokens went to an app for a person, or to a service account, is seen by the ID token.
fn swapped(status: StatusCode, body: &[u8]) -> Line {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if status != StatusCode::OK {
        let text = format!("The answer is {status}.");
        return Line::new(At::Gateway, "Gave out no tokens", text).bad();
    }
    if answer.get("id_token").is_some() {
        let text = "Client, code and verifier fit, and the code can never be used again.";
        return Line::new(At::Gateway, "Swapped the code for tokens", text);
    }
    let text = "The assertion is signed by the key of Meridian's service account, and was never seen before. The token \
                is kept until it ends, so this happens once in half an hour.";
    Line::new(At::Gateway, "Knew Meridian's service account", text)
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
