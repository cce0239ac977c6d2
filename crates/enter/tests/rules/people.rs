//! A partner, an app, an account and a user to test with.

use enter::account::{Account, Identity, PartnerUserId, Person};
use enter::app::{App, EntryTemplate, SignIn};
use enter::domain::Domain;
use enter::ids::{AccountId, AppId, PartnerId, PersonId};
use enter::partner::{Partner, TransferUrl};
use kernel::ids::OrganizationId;
use kernel::{Environment, SafeUrl, SeededChance, Time};

pub(crate) const NOW: Time = Time::from_seconds(1_700_000_000);

pub(crate) fn issuer() -> SafeUrl {
    SafeUrl::parse("https://gateway.example").unwrap()
}

pub(crate) fn partner(id: &str) -> Partner {
    Partner {
        id: PartnerId::parse(id).unwrap(),
        organization: OrganizationId::new(NOW, &SeededChance::new(1)),
        environment: Environment::Production,
        name: "Partner".to_owned(),
        transfer: TransferUrl::parse("https://partner.example/session-transfer").unwrap(),
        more_domains: vec![Domain::parse("portal.partner.example").unwrap()],
        just_in_time: true,
        disabled: None,
    }
}

pub(crate) fn app(id: &str) -> App {
    let domains = [Domain::parse("app.example.com").unwrap(), Domain::parse("app.example.org").unwrap()];
    App {
        id: AppId::parse(id).unwrap(),
        organization: OrganizationId::new(NOW, &SeededChance::new(2)),
        environment: Environment::Production,
        name: "Reports".to_owned(),
        entry: EntryTemplate::register("https://app.example.com/enter/{{accountId}}?a=1", &domains).unwrap(),
        primary_domain: domains[0].clone(),
        more_domains: vec![domains[1].clone()],
        logout_url: None,
        sign_in: SignIn::OpenIdConnect { initiate_login_uri: None },
        pre_approved_scopes: vec![],
        open_to_all: true,
        disabled: None,
    }
}

pub(crate) fn account(id: &str, partner: &str) -> Account {
    Account {
        id: AccountId::parse(id).unwrap(),
        partner: PartnerId::parse(partner).unwrap(),
        name: "Bakery".to_owned(),
        customer_identifier: None,
        disabled: None,
    }
}

pub(crate) fn person(partner: &str, partner_user: &str, email: Option<&str>) -> Person {
    let partner = PartnerId::parse(partner).unwrap();
    Person {
        id: PersonId::parse(&format!("U-{}", partner_user.len())).unwrap(),
        identity: Identity { partner, partner_user: PartnerUserId::parse(partner_user).unwrap() },
        email: email.map(str::to_owned),
        email_verified: false,
        given_name: Some("Anna".to_owned()),
        family_name: None,
        locale: None,
        picture: None,
        disabled: None,
    }
}
