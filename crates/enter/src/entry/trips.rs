//! Cutting a sign-in that goes round in circles.

use super::EntryRefused;
use crate::ids::AppId;
use kernel::Time;
use serde::{Deserialize, Serialize};

/// How many forced trips to the partner one browser makes for one app within [`TRIPS_WINDOW_S`].
pub const TRIPS_MOST: usize = 5;
/// In seconds. A person who signs in takes longer than a loop of redirects does.
pub const TRIPS_WINDOW_S: i64 = 60;

/// The latest trips of one browser.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trips(Vec<(AppId, Time)>);

impl Trips {
    /// One more trip to the partner for `app`.
    ///
    /// # Errors
    /// [`EntryRefused::RedirectLoop`] where a partner's endpoint, or the app, keeps sending the browser back.
    pub fn another(self, app: &AppId, now: Time) -> Result<Self, EntryRefused> {
        let recent = |at: Time| now.seconds_since(at) < TRIPS_WINDOW_S;
        let mut list: Vec<_> = self.0.into_iter().filter(|(_, at)| recent(*at)).collect();
        if list.iter().filter(|(seen, _)| seen == app).count() >= TRIPS_MOST {
            return Err(EntryRefused::RedirectLoop);
        }
        list.push((app.clone(), now));
        Ok(Self(list))
    }

    /// An app that was reached and stayed with has no loop: its trips are forgotten.
    #[must_use]
    pub fn arrived(mut self, app: &AppId) -> Self {
        self.0.retain(|(seen, _)| seen != app);
        self
    }
}
