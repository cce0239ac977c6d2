//! What a dialog and the token that opened it are called.

use kernel::ids::OrganizationId;
use kernel::secret::{sha256_base64url, sha256_hex};
use kernel::{Chance, Environment, Hashed, Plain, Time};

/// Hexadecimal digits of the moment that stand before a bearer's secret and before its dialog's id.
const MOMENT: usize = 12;
/// Hexadecimal digits of a dialog's id behind its moment: 128 bits.
const ID_HASH: usize = 32;
/// Characters of base64url of a token's name: 132 bits.
const TOKEN_HASH: usize = 22;

/// A new bearer: its moment in milliseconds, then a secret of 256 random bits in base64url.
///
/// The moment makes rows that are written together lie together in the database, where wholly random keys would have
/// every landing change pages of their own. It says no more than the answer's `Date`.
pub fn new_bearer(now: Time, chance: &dyn Chance) -> Plain {
    Plain::with_prefix(&moment(now), chance)
}

/// The id of the dialog with this bearer: its moment, and 128 bits of the SHA-256 of all of it. Whoever reads it
/// cannot find a bearer that has it. A text that is no bearer has an id too, which no dialog has.
pub fn id_of(bearer: &Plain) -> Hashed {
    let text = bearer.reveal();
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let moment = text.get(..MOMENT).filter(|digits| digits.bytes().all(is_digit)).unwrap_or_default();
    let mut id = String::with_capacity(MOMENT + 2 * ID_HASH);
    id.push_str(moment);
    id.push_str(&sha256_hex(text.as_bytes()));
    id.truncate(moment.len() + ID_HASH);
    Hashed::from_stored(id)
}

/// The part of a dialog's id that is random: its first ten digits, upper-cased.
pub fn reference(id: &Hashed) -> String {
    id.as_str().chars().skip(MOMENT).take(10).collect::<String>().to_ascii_uppercase()
}

/// Not above the id of any dialog that was opened at `moment` or later.
pub fn least_id(moment_of: Time) -> Hashed {
    Hashed::from_stored(moment(moment_of))
}

/// What a token is remembered by, so that it is taken once: 132 bits of the SHA-256 of its organization, environment
/// and `jti`. Two tokens of one name would only shut each other out, and nobody finds a second one to a given first.
pub fn token_name(organization: &OrganizationId, environment: Environment, jti: &str) -> Hashed {
    // Neither of the first two has a line break, so one text is one token.
    let mut name = sha256_base64url(format!("{organization}\n{}\n{jti}", environment.as_str()).as_bytes());
    name.truncate(TOKEN_HASH);
    Hashed::from_stored(name)
}

fn moment(of: Time) -> String {
    format!("{:012x}", u64::try_from(of.millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;

    #[test]
    fn ids_stand_in_the_order_of_their_moments_and_show_nothing_of_the_secret() {
        let chance = SeededChance::new(3);
        let (early, late) = (Time::from_seconds(1_800_000_000), Time::from_seconds(1_800_000_001));
        let bearer = new_bearer(early, &chance);
        assert_eq!(bearer.reveal().len(), MOMENT + 43);
        let id = id_of(&bearer);
        assert_eq!(id.as_str().len(), MOMENT + ID_HASH);
        assert!(id < id_of(&new_bearer(late, &chance)));
        assert!(least_id(early) < id && id < least_id(late));
        assert!(!id.as_str().contains(&bearer.reveal()[MOMENT..]));
        assert_eq!(reference(&id), id.as_str()[MOMENT..MOMENT + 10].to_ascii_uppercase());
    }

    #[test]
    fn every_character_of_a_bearer_counts() {
        let bearer = new_bearer(Time::from_seconds(1_800_000_000), &SeededChance::new(3));
        let id = id_of(&bearer);
        for at in 0..bearer.reveal().len() {
            let mut spoiled = bearer.reveal().to_owned();
            let other = if spoiled.as_bytes()[at] == b'0' { "1" } else { "0" };
            spoiled.replace_range(at..=at, other);
            assert_ne!(id_of(&Plain::presented(spoiled)), id, "{at}");
        }
        for odd in ["", "x", "é", "ABCDEFABCDEF", "0123456789aé", "01a"] {
            assert_ne!(id_of(&Plain::presented(odd)), id, "{odd}");
        }
    }

    #[test]
    fn a_token_belongs_to_its_organization_and_environment() {
        let chance = SeededChance::new(3);
        let [acme, other] = [1, 2].map(|at| OrganizationId::new(Time::from_seconds(at), &chance));
        let name = token_name(&acme, Environment::Sandbox, "a");
        assert_eq!(name.as_str().len(), TOKEN_HASH);
        assert_eq!(name, token_name(&acme, Environment::Sandbox, "a"));
        assert_ne!(name, token_name(&acme, Environment::Sandbox, "b"));
        assert_ne!(name, token_name(&acme, Environment::Production, "a"));
        assert_ne!(name, token_name(&other, Environment::Sandbox, "a"));
    }
}
