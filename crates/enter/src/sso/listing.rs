//! Pages of lists, and the revision of a record.

use super::{Code, Refused};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Time;

/// The page's length where none is asked for, and the greatest.
const PAGE: i32 = 100;
const PAGE_MOST: i32 = 500;

/// What a record says of itself so that two who change it at once do not undo each other: when it was last changed.
pub fn revision(modified: Time) -> String {
    modified.micros().to_string()
}

/// # Errors
/// Code 3 where it is missing, 9 where the record has changed since.
pub fn check_revision(field: &str, sent: &str, modified: Time) -> Result<(), Refused> {
    if sent.is_empty() {
        return Err(Refused::field(field, "missing; read the record and send its revision back"));
    }
    if sent == revision(modified) {
        return Ok(());
    }
    let what = format!("{field}: the record has changed since; read it again");
    Err(Refused::new(Code::FailedPrecondition, what))
}

/// One page of a list, in the order of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<I> {
    pub most: usize,
    /// The last id of the page before.
    pub after: Option<I>,
}

impl<I> Page<I> {
    /// Reads `page_size` and `page_token`. A token is nothing but an id, and is read as one: what somebody forges
    /// is an id that they might have asked for as well.
    ///
    /// # Errors
    /// Code 3.
    pub fn read<E>(
        size: i32,
        token: &str,
        parse: impl FnOnce(&str) -> Result<I, E>,
    ) -> Result<Self, Refused> {
        let most = match size {
            0 => PAGE,
            1..=PAGE_MOST => size,
            _ => return Err(Refused::field("page_size", format!("must be 1 to {PAGE_MOST}"))),
        };
        let forged =
            || Refused::field("page_token", "is none of ours; send next_page_token of the page before");
        let after = match token {
            "" => None,
            token => {
                let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| forged())?;
                let text = String::from_utf8(bytes).map_err(|_| forged())?;
                Some(parse(&text).map_err(|_| forged())?)
            }
        };
        Ok(Self { most: usize::try_from(most).unwrap_or(0), after })
    }
}

/// `next_page_token` after a page that ends with this id.
pub fn page_token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}
