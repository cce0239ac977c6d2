//! What Harbor remembers: requests for consent, codes, tokens, registered webhooks, deals and deliveries.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Chance, Plain, Time};
use std::collections::BTreeMap;

/// How long a code may wait to be swapped, in seconds (RFC 6749, section 4.1.2 says at most ten minutes).
const CODE_LIFETIME_S: i64 = 60;
/// How long an access token lives, in seconds: so short that a visitor sees it renewed.
pub(crate) const TOKEN_LIFETIME_S: i64 = 120;

/// An account at Harbor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) workspace: &'static str,
    pub(crate) role: &'static str,
    /// Guests may look, but may not let a program in.
    pub(crate) guest: bool,
}

pub(crate) const ACCOUNTS: [Account; 2] = [
    Account {
        id: "northwind",
        name: "Anna Lindqvist",
        email: "anna@northwind.example",
        workspace: "Northwind",
        role: "Administrator",
        guest: false,
    },
    Account {
        id: "fabrikam",
        name: "Anna Lindqvist",
        email: "anna@northwind.example",
        workspace: "Fabrikam",
        role: "Guest: may look, may not connect programs",
        guest: true,
    },
];

impl Account {
    pub(crate) fn by_id(id: &str) -> Option<Self> {
        ACCOUNTS.into_iter().find(|account| account.id == id)
    }
}

/// An authorization request, checked (RFC 6749, section 4.1.1; RFC 7636).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) state: String,
    pub(crate) challenge: String,
}

#[derive(Debug, Clone)]
struct Code {
    asked: Asked,
    account: Account,
    ends: Time,
}

/// What a pair of tokens was given for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) account: Account,
    pub(crate) scope: String,
    access: String,
    refresh: String,
    ends: Time,
}

/// A fresh pair of tokens.
pub(crate) struct Tokens {
    pub(crate) access: Plain,
    pub(crate) refresh: Plain,
    pub(crate) scope: String,
}

/// A registered webhook.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) id: u64,
    pub(crate) url: String,
    pub(crate) secret: Plain,
    account: &'static str,
    refresh: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Deal {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) company: &'static str,
    /// In whole euros.
    pub(crate) amount: u32,
    pub(crate) won: bool,
}

impl Deal {
    /// `18,400`.
    pub(crate) fn euros(&self) -> String {
        let (thousands, rest) = (self.amount / 1000, self.amount % 1000);
        if thousands == 0 { rest.to_string() } else { format!("{thousands},{rest:03}") }
    }
}

/// One delivery that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) time: String,
    pub(crate) event: String,
    pub(crate) outcome: String,
    pub(crate) accepted: bool,
}

#[derive(Debug)]
pub(crate) struct Books {
    asked: BTreeMap<String, Asked>,
    codes: BTreeMap<String, Code>,
    grants: Vec<Grant>,
    hooks: Vec<Hook>,
    pub(crate) deals: Vec<Deal>,
    pub(crate) sent: Vec<Sent>,
    next: u64,
}

impl Default for Books {
    fn default() -> Self {
        let deal = |id, name, company, amount| Deal { id, name, company, amount, won: false };
        Self {
            asked: BTreeMap::new(),
            codes: BTreeMap::new(),
            grants: Vec::new(),
            hooks: Vec::new(),
            deals: vec![
                deal(101, "Forty desks and lamps", "Tailspin Toys", 18_400),
                deal(102, "Service plan, three years", "Contoso", 42_000),
                deal(103, "Showroom refit", "Adventure Works", 9_750),
            ],
            sent: Vec::new(),
            next: 1,
        }
    }
}

impl Books {
    /// Keeps a request until the person decides; the answer names it in the page's path.
    pub(crate) fn ask(&mut self, asked: Asked, chance: &dyn Chance) -> Plain {
        let id = Plain::new(chance);
        self.asked.insert(id.hashed().as_str().to_owned(), asked);
        id
    }

    pub(crate) fn asked(&self, id: &str) -> Option<&Asked> {
        self.asked.get(hash(id).as_str())
    }

    /// The person decided; a request is decided once.
    pub(crate) fn decide(&mut self, id: &str) -> Option<Asked> {
        self.asked.remove(hash(id).as_str())
    }

    pub(crate) fn code(&mut self, asked: Asked, account: Account, now: Time, chance: &dyn Chance) -> Plain {
        let code = Plain::new(chance);
        let ends = now.plus_seconds(CODE_LIFETIME_S);
        self.codes.insert(code.hashed().as_str().to_owned(), Code { asked, account, ends });
        code
    }

    /// Swaps a code for tokens: once, in time, with the same redirect URI, by whoever began (PKCE).
    pub(crate) fn swap(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        now: Time,
        chance: &dyn Chance,
    ) -> Option<Tokens> {
        let code = self.codes.remove(hash(code).as_str())?;
        let fits = now < code.ends
            && code.asked.redirect_uri == redirect_uri
            && code.asked.challenge == challenge_of(verifier);
        fits.then(|| self.grant(code.account, code.asked.scope, now, chance))
    }

    /// A refresh token works once and gives the next pair.
    pub(crate) fn refresh(&mut self, token: &str, now: Time, chance: &dyn Chance) -> Option<Tokens> {
        let token = hash(token);
        let found = self.grants.iter().position(|grant| grant.refresh == token)?;
        let old = self.grants.remove(found);
        let tokens = self.grant(old.account, old.scope, now, chance);
        let next = tokens.refresh.hashed().as_str().to_owned();
        for hook in self.hooks.iter_mut().filter(|hook| hook.refresh == old.refresh) {
            hook.refresh.clone_from(&next);
        }
        Some(tokens)
    }

    fn grant(&mut self, account: Account, scope: String, now: Time, chance: &dyn Chance) -> Tokens {
        let access = Plain::with_prefix("hbr_at_", chance);
        let refresh = Plain::with_prefix("hbr_rt_", chance);
        self.grants.push(Grant {
            account,
            scope: scope.clone(),
            access: access.hashed().as_str().to_owned(),
            refresh: refresh.hashed().as_str().to_owned(),
            ends: now.plus_seconds(TOKEN_LIFETIME_S),
        });
        Tokens { access, refresh, scope }
    }

    /// Who an access token speaks for.
    pub(crate) fn grant_of(&self, access: &str, now: Time) -> Option<&Grant> {
        let access = hash(access);
        self.grants.iter().find(|grant| grant.access == access && now < grant.ends)
    }

    /// Ends a grant by either of its tokens, and the webhooks that it registered (RFC 7009).
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        let token = hash(token);
        let found = self.grants.iter().position(|grant| grant.refresh == token || grant.access == token);
        let Some(found) = found else { return false };
        let grant = self.grants.remove(found);
        self.hooks.retain(|hook| hook.refresh != grant.refresh);
        true
    }

    /// Registers an address; the same one again replaces the older registration.
    pub(crate) fn hook(&mut self, grant: &Grant, url: &str, chance: &dyn Chance) -> Hook {
        self.hooks.retain(|hook| hook.url != url);
        let id = self.next_number();
        let secret = Plain::with_prefix("hbr_whsec_", chance);
        let (account, refresh) = (grant.account.id, grant.refresh.clone());
        let hook = Hook { id, url: url.to_owned(), secret, account, refresh };
        self.hooks.push(hook.clone());
        hook
    }

    pub(crate) fn hooks_of(&self, account: &str) -> Vec<Hook> {
        self.hooks.iter().filter(|hook| hook.account == account).cloned().collect()
    }

    /// Marks a deal as won; won deals are won again, so that there is always something to send.
    pub(crate) fn win(&mut self, deal: u64) -> Option<Deal> {
        let deal = self.deals.iter_mut().find(|found| found.id == deal)?;
        deal.won = true;
        Some(deal.clone())
    }

    /// The deal that the tour's button wins: the first that is open.
    pub(crate) fn next_deal(&self) -> Option<u64> {
        let open = self.deals.iter().find(|deal| !deal.won);
        open.or_else(|| self.deals.first()).map(|deal| deal.id)
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn hash(text: &str) -> String {
    Plain::presented(text).hashed().as_str().to_owned()
}

/// `S256` of RFC 7636, section 4.2.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemChance;

    fn asked(verifier: &str) -> Asked {
        Asked {
            redirect_uri: "http://back".into(),
            scope: "deals.read".into(),
            state: "s".into(),
            challenge: challenge_of(verifier),
        }
    }

    #[test]
    fn a_code_works_once_in_time_and_for_whoever_began() {
        let now = Time::from_seconds(1_000);
        let mut books = Books::default();
        let mut swap = |verifier: &str, uri: &str, later: i64| {
            let code = books.code(asked("right"), ACCOUNTS[0], now, &SystemChance);
            let at = now.plus_seconds(later);
            let first = books.swap(code.reveal(), uri, verifier, at, &SystemChance).is_some();
            assert!(books.swap(code.reveal(), uri, verifier, at, &SystemChance).is_none());
            first
        };
        assert!(swap("right", "http://back", 59));
        assert!(!swap("right", "http://back", 60));
        assert!(!swap("wrong", "http://back", 0));
        assert!(!swap("right", "http://other", 0));
        // The example of RFC 7636, appendix B.
        let challenge = challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn refresh_tokens_rotate_and_a_revoked_grant_takes_its_webhooks_along() {
        let now = Time::from_seconds(1_000);
        let mut books = Books::default();
        let code = books.code(asked("v"), ACCOUNTS[0], now, &SystemChance);
        let first = books.swap(code.reveal(), "http://back", "v", now, &SystemChance).unwrap();
        let grant = books.grant_of(first.access.reveal(), now).unwrap().clone();
        books.hook(&grant, "http://hook", &SystemChance);
        let second = books.refresh(first.refresh.reveal(), now, &SystemChance).unwrap();
        assert!(books.refresh(first.refresh.reveal(), now, &SystemChance).is_none());
        assert!(books.grant_of(first.access.reveal(), now).is_none());
        assert!(books.grant_of(second.access.reveal(), now.plus_seconds(TOKEN_LIFETIME_S)).is_none());
        assert_eq!(books.hooks_of("northwind").len(), 1);
        assert!(books.revoke(second.refresh.reveal()) && !books.revoke(second.refresh.reveal()));
        assert!(books.hooks_of("northwind").is_empty());
    }
}
