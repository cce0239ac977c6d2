//! Lists of the REST API: `sort_by`, `limit`, `skip`, `archived`, `X-Total-Count` and `Link`
//! (contract `connect.md`, section 6).

use crate::answer;
use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use service::admin::AdminRefused;
use service::admin::records::AuditSort;
use service::admin::releases::Sort as ReleaseSort;
use service::connect::look_up::{IntegrationSort, Page, TenantSort};
use service::connect::users::UserSort;
use service::work::run_look_up::RunSort;

/// How many a list has that was not asked for a number.
pub const DEFAULT_LIMIT: i64 = 100;
/// How many a list has at most.
pub const MOST: i64 = 500;

/// How many a list leaves out at the beginning at most.
pub const FARTHEST: i64 = i32::MAX as i64;

/// One thing that a list can be sorted by.
pub trait Field: Copy + 'static {
    /// As `sort_by` names it.
    fn field(self) -> &'static str;
}

/// A list that is read whole is sorted by the members of what it shows.
impl Field for &'static str {
    fn field(self) -> &'static str {
        self
    }
}

/// All that a list can be sorted by.
pub trait Sortable: Field {
    const ALL: &[Self];
    /// What a list is sorted by that was not asked for an order.
    const FIRST: Self;
    /// Whether it begins with the last then.
    const DESCENDING: bool = false;
    /// How many it leaves out at the beginning at most.
    const FARTHEST: i64 = FARTHEST;
}

macro_rules! sortable {
    ($($sort:ty: $first:ident $(, $name:ident = $value:expr)?;)*) => {$(
        impl Field for $sort {
            fn field(self) -> &'static str {
                <$sort>::field(self)
            }
        }

        impl Sortable for $sort {
            const ALL: &[Self] = &<$sort>::ALL;
            const FIRST: Self = Self::$first;
            $(const $name: bool = $value;)?
        }
    )*};
}

sortable! {
    TenantSort: Id;
    IntegrationSort: Id;
    ReleaseSort: Id;
    UserSort: Username;
    RunSort: Id;
    AuditSort: Date, DESCENDING = true;
}

/// The one order of what is sorted by its id, which says when it was written: the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest;

impl Field for Newest {
    fn field(self) -> &'static str {
        "id"
    }
}

impl Sortable for Newest {
    const ALL: &[Self] = &[Self];
    const FIRST: Self = Self;
    const DESCENDING: bool = true;
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
        Self::among(query, S::ALL, S::FARTHEST)
    }

    pub fn page(&self) -> Page<S> {
        let (sort, descending) = self.order.unwrap_or((S::FIRST, S::DESCENDING));
        Page { sort, descending, limit: self.limit, skip: self.skip }
    }
}

impl<S: Field> Listing<S> {
    fn among(query: &[(String, String)], all: &[S], farthest: i64) -> Result<Self, Box<Response>> {
        let mut listing =
            Self { order: None, limit: DEFAULT_LIMIT, skip: 0, archived: None, others: Vec::new() };
        for (name, value) in query {
            match name.as_str() {
                "sort_by" => listing.order = Some(order(value, all)?),
                "limit" => listing.limit = number("limit", value, 1, MOST)?,
                "skip" => listing.skip = number("skip", value, 0, farthest)?,
                "archived" => listing.archived = Some(truth(value)?),
                _ => listing.others.push((name.clone(), value.clone())),
            }
        }
        Ok(listing)
    }

    /// Whether what is archived is asked for; else, as published, what is in use.
    pub fn archived(&self) -> bool {
        self.archived.unwrap_or(false)
    }

    /// The query of the next page, which begins at this place.
    fn next(&self, (place, at): (&str, &str)) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &self.limit.to_string()).append_pair(place, at);
        if let Some((sort, descending)) = self.order {
            let way = if descending { "DESC" } else { "ASC" };
            query.append_pair("sort_by", &format!("{}__{way}", sort.field()));
        }
        if let Some(archived) = self.archived {
            query.append_pair("archived", if archived { "true" } else { "false" });
        }
        query.extend_pairs(self.others.iter().filter(|(name, _)| name != place));
        query.finish()
    }
}

fn order<S: Field>(value: &str, all: &[S]) -> Result<(S, bool), Box<Response>> {
    let parts = value.rsplit_once("__");
    let found = parts.and_then(|(field, direction)| {
        let sort = all.iter().find(|known| known.field() == field)?;
        let descending = match direction {
            "ASC" => false,
            "DESC" => true,
            _ => return None,
        };
        Some((*sort, descending))
    });
    found.ok_or_else(|| {
        let fields: Vec<&str> = all.iter().map(|sort| sort.field()).collect();
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
pub async fn never_archived<S, F, E>(
    query: &[(String, String)],
    path: &str,
    read: impl FnOnce(Page<S>) -> F,
) -> Response
where
    S: Sortable,
    F: Future<Output = Result<(Vec<Value>, i64), E>>,
    E: Into<AdminRefused>,
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
        Err(no) => answer::api_refused(&no.into()),
    }
}

/// A page of a list that is so short that it is read whole: it is sorted and cut here, by these members of what it
/// shows. Nothing in it is ever archived.
pub fn whole(
    query: &[(String, String)],
    path: &str,
    fields: &[&'static str],
    mut items: Vec<Value>,
) -> Response {
    let listing = match Listing::among(query, fields, FARTHEST) {
        Ok(listing) => listing,
        Err(response) => return *response,
    };
    if listing.archived() {
        items.clear();
    }
    let total = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some((field, descending)) = listing.order {
        items.sort_by(|one, other| text(one, field).cmp(&text(other, field)));
        if descending {
            items.reverse();
        }
    }
    let cut = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let items = items.into_iter().skip(cut(listing.skip)).take(cut(listing.limit)).collect();
    Listed { items, total, listing: &listing, path }.into_response()
}

/// Everything that these lists are sorted by is a text, or is not there.
fn text<'a>(item: &'a Value, field: &str) -> Option<&'a str> {
    item.get(field).and_then(Value::as_str)
}

/// One page of a list on its way out.
#[derive(Debug)]
pub struct Listed<'a, S> {
    pub items: Vec<Value>,
    pub total: i64,
    pub listing: &'a Listing<S>,
    pub path: &'a str,
}

/// By which parameter a list is asked for what stands behind something in it.
pub const BEFORE: &str = "before";

impl<S: Sortable> Listed<'_, S> {
    /// Newest first the next page begins behind `last`, as `before` names it, where there is more, and so stays where it
    /// is while new ones come; else like every list.
    pub fn behind(self, last: Option<String>) -> Response {
        if !self.listing.page().descending {
            return self.into_response();
        }
        let last = last.filter(|_| !self.items.is_empty());
        self.answer(last.as_deref().map(|last| (BEFORE, last)))
    }
}

impl<'a, S: Field> Listed<'a, S> {
    /// Of what is never archived: nothing, where what is archived is asked for.
    pub fn of_lasting(items: Vec<Value>, total: i64, listing: &'a Listing<S>, path: &'a str) -> Self {
        let (items, total) = if listing.archived() { (Vec::new(), 0) } else { (items, total) };
        Self { items, total, listing, path }
    }

    fn is_more(&self) -> bool {
        self.listing.skip + self.listing.limit < self.total
    }

    fn answer(self, next: Option<(&str, &str)>) -> Response {
        let mut response = Json(&self.items).into_response();
        let headers = response.headers_mut();
        headers.insert("x-total-count", HeaderValue::from(self.total));
        let link = next.map(|next| format!("<{}?{}>; rel=\"next\"", self.path, self.listing.next(next)));
        if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            headers.insert(header::LINK, link);
        }
        response
    }
}

impl<S: Field> IntoResponse for Listed<'_, S> {
    fn into_response(self) -> Response {
        let skip = self.is_more().then(|| (self.listing.skip + self.listing.limit).to_string());
        self.answer(skip.as_deref().map(|skip| ("skip", skip)))
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
        assert_eq!(listing.next(("skip", "2")), next);
        let behind = "limit=2&before=x&sort_by=name__DESC&archived=true&user_name=a%26b%3Dc%3E%22d%22+%C3%A9";
        assert_eq!(listing.next(("before", "x")), behind);
        assert!(!read(&[]).unwrap().archived() && !read(&[("archived", "0")]).unwrap().archived());
    }
}
