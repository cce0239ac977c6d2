//! Organizations: made, changed, listed.

use super::AdminRefused;
use crate::Service;
use ::connect::token::AHEAD_MOST_S;
use kernel::ids::OrganizationId;
use kernel::{Actor, Brand, Color, Organization, Slug};
use store::audit;
use store::organizations::{self, OrganizationRecord};

/// The largest logo, in bytes of its URL.
const LARGEST_LOGO: usize = 32 * 1024;

/// What can be chosen for an organization; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationChange {
    pub name: Option<String>,
    pub brand: Option<String>,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// A `data:image/...` or https URL.
    pub logo: Option<String>,
    /// Seconds since `iat` that a token is accepted: 30 to 3600.
    pub token_max_age_s: Option<i64>,
    /// Seconds that `iat` may lie ahead: 0 to 300.
    pub token_ahead_s: Option<i64>,
    pub disabled: Option<bool>,
}

impl OrganizationChange {
    fn apply(self, record: &mut OrganizationRecord) -> Result<(), AdminRefused> {
        let organization = &mut record.organization;
        if let Some(name) = self.name {
            let fits =
                (1..=100).contains(&name.trim().chars().count()) && !name.chars().any(char::is_control);
            if !fits {
                return Err(AdminRefused::invalid(
                    "a name has 1 to 100 characters, none of them control characters",
                ));
            }
            name.trim().clone_into(&mut organization.name);
        }
        if let Some(brand) = self.brand {
            organization.brand = Brand::parse(&brand).map_err(AdminRefused::invalid)?;
        }
        if let Some(color) = self.color {
            organization.color = Some(Color::parse(&color).map_err(AdminRefused::invalid)?);
        }
        if let Some(logo) = self.logo {
            organization.logo = Some(check_logo(logo)?);
        }
        if let Some(seconds) = self.token_max_age_s {
            record.token_max_age_s = within(seconds, 30, 3600, "token-max-age")?;
        }
        if let Some(seconds) = self.token_ahead_s {
            record.token_ahead_s = within(seconds, 0, AHEAD_MOST_S, "token-ahead")?;
        }
        if let Some(disabled) = self.disabled {
            organization.disabled = disabled;
        }
        Ok(())
    }
}

fn within(value: i64, least: i64, most: i64, name: &str) -> Result<i64, AdminRefused> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(AdminRefused::Invalid(format!("{name} is {least} to {most} seconds")))
    }
}

fn check_logo(logo: String) -> Result<String, AdminRefused> {
    let image = [
        "data:image/png;base64,",
        "data:image/svg+xml;base64,",
        "data:image/jpeg;base64,",
        "data:image/webp;base64,",
    ];
    let fits = image.iter().any(|start| logo.starts_with(start)) || kernel::SafeUrl::parse(&logo).is_ok();
    if fits && logo.len() <= LARGEST_LOGO {
        Ok(logo)
    } else {
        Err(AdminRefused::invalid(
            "a logo is an https URL or data:image/(png|svg+xml|jpeg|webp);base64,... of at most 32 KiB",
        ))
    }
}

impl Service {
    /// Makes an organization. Its name is the first segment of its pages' paths.
    ///
    /// # Errors
    /// [`AdminRefused`], also for a name that is one of our own paths.
    pub async fn create_organization(
        &self,
        actor: &Actor,
        slug: &str,
        change: OrganizationChange,
    ) -> Result<OrganizationRecord, AdminRefused> {
        let slug = Slug::for_organization(slug).map_err(AdminRefused::invalid)?;
        let now = self.clock.now();
        let mut record = OrganizationRecord {
            organization: Organization {
                id: OrganizationId::new(now, &*self.chance),
                name: slug.to_string(),
                slug,
                brand: Brand::default(),
                color: None,
                logo: None,
                config_version: 1,
                created: now,
                disabled: false,
            },
            token_max_age_s: 300,
            token_ahead_s: 60,
        };
        change.apply(&mut record)?;
        let id = record.organization.id.clone();
        let event = self.event(actor, "organization.created", id.to_string(), &id);
        let row = record.clone();
        let made = self.db.write(move |tx| {
            Box::pin(async move {
                let made = organizations::insert(tx, &row).await?;
                if made {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, AdminRefused>(made)
            })
        });
        if made.await? {
            Ok(record)
        } else {
            Err(AdminRefused::Taken { what: "organization", name: record.organization.slug.to_string() })
        }
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn change_organization(
        &self,
        actor: &Actor,
        slug: &str,
        change: OrganizationChange,
    ) -> Result<OrganizationRecord, AdminRefused> {
        let mut record = self.organization(slug).await?;
        change.apply(&mut record)?;
        let id = record.organization.id.clone();
        let event = self.event(actor, "organization.changed", id.to_string(), &id);
        let row = record.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                organizations::update(tx, &row).await?;
                audit::insert(tx, &event).await
            })
        });
        write.await?;
        Ok(record)
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn organizations(&self) -> Result<Vec<OrganizationRecord>, AdminRefused> {
        Ok(self.db.read(|tx| Box::pin(async move { organizations::list(tx).await })).await?)
    }
}
