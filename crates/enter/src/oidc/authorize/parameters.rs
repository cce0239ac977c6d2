//! The parameters of a request, each at most once.

use super::LocalRefusal;

/// How many parameters a request may have.
pub const PARAMETERS_MOST: usize = 100;

/// Names and values, decoded. Empty values count as absent (RFC 6749, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query or a form body.
    ///
    /// # Errors
    /// [`LocalRefusal::Parameters`] for a name that stands twice: which of two values counts is a matter of the
    /// parser, and so of the attacker (lesson 5). It ends on our own page, because `redirect_uri` may be the one.
    pub fn parse(text: &str) -> Result<Self, LocalRefusal> {
        let mut list: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if list.len() >= PARAMETERS_MOST || list.iter().any(|(seen, _)| *seen == name) {
                return Err(LocalRefusal::Parameters);
            }
            list.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(list))
    }

    /// As a query: what a waiting request is kept as.
    pub fn query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// Pairs that came from [`Self::pairs`].
    pub const fn from_stored(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Names and values in their order, also empty ones.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Without the parameters of these names.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(seen, _)| seen == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}
