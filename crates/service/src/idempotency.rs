//! A request with an `Idempotency-Key` is carried out once, and answered the same each time
//! (contract `connect.md`, section 6).

use crate::connect::look_up::Caller;
use crate::{Fault, Service};
use kernel::{Hashed, Plain, Time};
use serde::{Deserialize, Serialize};
use store::idempotency_keys::{self, Key};

/// A request that has no answer after so many seconds lost its gateway; the same request may come again.
const STALE_S: i64 = 600;

/// What there is to do with a request.
#[derive(Debug)]
pub enum Once {
    /// Carry it out, then [`Service::keep_answer`] or [`Service::forget_key`].
    Go(Begun),
    /// It was answered before.
    Again(Box<KeptAnswer>),
    /// It was carried out before, and its answer was too large to keep.
    AnswerGone { status: u16 },
    /// The same request is being carried out.
    InProgress,
    /// The key was used for another request, or by another API key.
    OtherRequest,
}

/// A key that was taken for one request.
#[derive(Debug)]
pub struct Begun {
    caller: Caller,
    key: Key,
    at: Time,
}

/// An answer as it is kept, sealed because answers can show secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    pub status: u16,
    /// In the order sent, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Service {
    /// Takes `key` for the request that `request` (method, address and body, in that order) describes.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn once(&self, caller: Caller, key: &str, request: &[&[u8]]) -> Result<Once, Fault> {
        // The API key is part of the request: what one with more scopes was answered is not for another.
        let parts = std::iter::once(caller.key.as_str().as_bytes()).chain(request.iter().copied());
        let request = digest(parts);
        let key = Key {
            organization: caller.organization.clone(),
            environment: caller.environment,
            hash: Plain::presented(key).hashed(),
        };
        let at = self.clock.now();
        let (wanted, asked) = (key.clone(), request.clone());
        let begun = self.db.write(move |tx| {
            Box::pin(async move {
                idempotency_keys::begin(tx, &wanted, &asked, at, at.plus_seconds(-STALE_S)).await
            })
        });
        let Some(known) = begun.await? else { return Ok(Once::Go(Begun { caller, key, at })) };
        if known.request != request {
            return Ok(Once::OtherRequest);
        }
        match known.answer {
            None => Ok(Once::InProgress),
            Some((status, None)) => Ok(Once::AnswerGone { status }),
            Some((_, Some(sealed))) => {
                let place = place_of(&key);
                let text = self.vault.open(&self.db, &key.organization, &place, &sealed).await?;
                let kept = serde_json::from_slice(&text);
                let kept = kept.map_err(|_| Fault::broken("a kept answer cannot be read".to_owned()))?;
                Ok(Once::Again(Box::new(kept)))
            }
        }
    }

    /// Keeps what the request was answered; with `None` only its status, because the answer is too large.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn keep_answer(
        &self,
        begun: Begun,
        status: u16,
        answer: Option<&KeptAnswer>,
    ) -> Result<(), Fault> {
        let Begun { caller, key, at } = begun;
        let sealed = match answer {
            Some(answer) => {
                let text = serde_json::to_vec(answer).unwrap_or_default();
                Some(self.vault.seal(&self.db, &caller.organization, &place_of(&key), &text).await?)
            }
            None => None,
        };
        let save = self.db.write(move |tx| {
            Box::pin(async move { idempotency_keys::finish(tx, &key, at, status, sealed.as_ref()).await })
        });
        Ok(save.await.map(drop)?)
    }

    /// Gives the key back, because the request changed nothing: it was refused for a reason that may pass.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn forget_key(&self, begun: Begun) -> Result<(), Fault> {
        let Begun { key, at, .. } = begun;
        let forget =
            self.db.write(move |tx| Box::pin(async move { idempotency_keys::forget(tx, &key, at).await }));
        Ok(forget.await.map(drop)?)
    }
}

fn place_of(key: &Key) -> String {
    format!("idempotency:{}", key.hash.as_str())
}

/// SHA-256 over the parts, each with its length in front, so that nothing can move from one to the next.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Hashed {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Hashed::from_stored(kernel::secret::sha256_hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_request_do_not_run_into_each_other() {
        let of = |parts: &[&str]| digest(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["a", "bc"]), of(&["a", "bc"]));
        assert_ne!(of(&["a", "bc"]), of(&["ab", "c"]));
        assert_ne!(of(&["a", ""]), of(&["a"]));
    }
}
