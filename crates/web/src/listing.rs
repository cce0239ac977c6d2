//! Lists of the REST API: `sort_by`, `limit`, `skip`, `archived`, `X-Total-Count` and `Link`
//! (contract `connect.md`, section 6).

use crate::answer;
use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use service::Fault;
use service::connect::look_up::{IntegrationSort, Page, TenantSort};
use service::connect::users::UserSort;
use service::work::run_look_up::RunSort;

/// How many a list has that was not asked for a number.
pub const DEFAULT_LIMIT: i64 = 100;
/// How many a list has at most.
pub const MOST: i64 = 500;

/// What a list can be sorted by.
pub trait Sortable: Copy + 'static {
    const ALL: &[Self];
    /// What a list is sorted by that was not asked for an order.
    const FIRST: Self;

    /// As `sort_by` names it.
    fn field(self) -> &'static str;
}

impl Sortable for TenantSort {
    const ALL: &[Self] = &Self::ALL;
    const FIRST: Self = Self::Id;

    fn field(self) -> &'static str {
        Self::field(self)
    }
}

impl Sortable for IntegrationSort {
    const ALL: &[Self] = &Self::ALL;
    const FIRST: Self = Self::Id;

    fn field(self) -> &'static str {
        Self::field(self)
    }
}

impl Sortable for UserSort {
    const ALL: &[Self] = &Self::ALL;
    const FIRST: Self = Self::Username;

    fn field(self) -> &'static str {
        Self::field(self)
    }
}

impl Sortable for RunSort {
    const ALL: &[Self] = &Self::ALL;
    const FIRST: Self = Self::Id;

    fn field(self) -> &'static str {
        Self::field(self)
    }
}

/// What a list was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<S> {
    /// What it is sorted by, and whether descending, where that was asked.
    order: Option<(S, bool)>,
    limit: i64,
    skip: i64,
    archived: Option<bool>,
    /// Everything else that was asked: the next page is one of the same list.
    others: Vec<(String, String)>,
}

impl<S: Sortable> Listing<S> {
    /// Reads the query. Unknown parameters are ignored; a known one with a value that does not fit is named.
    ///
    /// # Errors
    /// The 422 answer.
    pub fn read(query: &[(String, String)]) -> Result<Self, Box<Response>> {
        let mut listing =
            Self { order: None, limit: DEFAULT_LIMIT, skip: 0, archived: None, others: Vec::new() };
        for (name, value) in query {
            match name.as_str() {
                "sort_by" => listing.order = Some(order(value)?),
                "limit" => listing.limit = number("limit", value, 1, MOST)?,
                "skip" => listing.skip = number("skip", value, 0, i64::from(i32::MAX))?,
                "archived" => listing.archived = Some(truth(value)?),
                _ => listing.others.push((name.clone(), value.clone())),
            }
        }
        Ok(listing)
    }

    pub fn page(&self) -> Page<S> {
        let (sort, descending) = self.order.unwrap_or((S::FIRST, false));
        Page { sort, descending, limit: self.limit, skip: self.skip }
    }

    /// Whether what is archived is asked for; else, as published, what is in use.
    pub fn archived(&self) -> bool {
        self.archived.unwrap_or(false)
    }

    /// The query of the next page.
    fn next(&self) -> String {
        let order = self.order.map_or(String::new(), |(sort, descending)| {
            format!("&sort_by={}__{}", sort.field(), if descending { "DESC" } else { "ASC" })
        });
        let archived = self.archived.map_or(String::new(), |archived| format!("&archived={archived}"));
        let mut others = url::form_urlencoded::Serializer::new(String::new());
        others.extend_pairs(&self.others);
        let others = Some(others.finish()).filter(|it| !it.is_empty());
        let others = others.map_or(String::new(), |others| format!("&{others}"));
        format!("limit={}&skip={}{order}{archived}{others}", self.limit, self.skip + self.limit)
    }
}

fn order<S: Sortable>(value: &str) -> Result<(S, bool), Box<Response>> {
    let parts = value.rsplit_once("__");
    let found = parts.and_then(|(field, direction)| {
        let sort = S::ALL.iter().find(|known| known.field() == field)?;
        let descending = match direction {
            "ASC" => false,
            "DESC" => true,
            _ => return None,
        };
        Some((*sort, descending))
    });
    found.ok_or_else(|| {
        let fields: Vec<&str> = S::ALL.iter().map(|sort| sort.field()).collect();
        let message = format!("sort_by is a field and __ASC or __DESC; fields are {}", fields.join(", "));
        Box::new(answer::api_invalid(&["query", "sort_by"], &message, "value_error"))
    })
}

fn number(name: &str, value: &str, least: i64, most: i64) -> Result<i64, Box<Response>> {
    let number = value.parse::<i64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let message = format!("{name} is a whole number from {least} to {most}");
        Box::new(answer::api_invalid(&["query", name], &message, "type_error.integer"))
    })
}

/// Clients of the published API write it as their language does: Python's `str(True)` is `True`.
fn truth(value: &str) -> Result<bool, Box<Response>> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(Box::new(answer::api_invalid(
            &["query", "archived"],
            "archived is true or false",
            "type_error.bool",
        ))),
    }
}

/// A page of what is never archived; `read` gives it, with how many there are in all.
pub async fn never_archived<S, F>(
    query: &[(String, String)],
    path: &str,
    read: impl FnOnce(Page<S>) -> F,
) -> Response
where
    S: Sortable,
    F: Future<Output = Result<(Vec<serde_json::Value>, i64), Fault>>,
{
    let listing = match Listing::read(query) {
        Ok(listing) => listing,
        Err(response) => return *response,
    };
    if listing.archived() {
        return Listed { items: Vec::new(), total: 0, listing: &listing, path }.into_response();
    }
    match read(listing.page()).await {
        Ok((items, total)) => Listed { items, total, listing: &listing, path }.into_response(),
        Err(fault) => answer::api_fault(&fault),
    }
}

/// One page of a list on its way out.
#[derive(Debug)]
pub struct Listed<'a, S> {
    pub items: Vec<serde_json::Value>,
    pub total: i64,
    pub listing: &'a Listing<S>,
    pub path: &'a str,
}

impl<S: Sortable> IntoResponse for Listed<'_, S> {
    fn into_response(self) -> Response {
        let mut response = Json(&self.items).into_response();
        let headers = response.headers_mut();
        headers.insert("x-total-count", HeaderValue::from(self.total));
        if self.listing.skip + self.listing.limit < self.total {
            let link = format!("<{}?{}>; rel=\"next\"", self.path, self.listing.next());
            if let Ok(link) = HeaderValue::from_str(&link) {
                headers.insert("link", link);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Listing<TenantSort>, u16> {
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Listing::read(&pairs).map_err(|response| response.status().as_u16())
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for bad in [
            ("limit", "0"),
            ("limit", "501"),
            ("skip", "-1"),
            ("sort_by", "id"),
            ("sort_by", "secret__ASC"),
            ("sort_by", "id__ASC; DROP"),
            ("archived", "maybe"),
        ] {
            assert_eq!(read(&[bad]), Err(422), "{bad:?}");
        }
    }

    #[test]
    fn the_next_page_is_of_the_same_list() {
        let asked = [
            ("sort_by", "name__DESC"),
            ("limit", "2"),
            ("archived", "True"),
            ("user_name", "a&b=c>\"d\" \u{e9}"),
        ];
        let listing = read(&asked).unwrap();
        assert!(listing.archived());
        let next = "limit=2&skip=2&sort_by=name__DESC&archived=true&user_name=a%26b%3Dc%3E%22d%22+%C3%A9";
        assert_eq!(listing.next(), next);
        assert!(!read(&[]).unwrap().archived() && !read(&[("archived", "0")]).unwrap().archived());
    }
}
