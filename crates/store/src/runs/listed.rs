//! Lists of runs: a page of a tenant's or an organization's, and what the tenants of a page show.

use super::run;
use crate::db::{DbError, Tx, sql};
use crate::listing::{Listed, Page};
use connect::run::show::Runs;
use connect::run::{Phase, Run};
use kernel::Environment;
use kernel::ids::{OrganizationId, TenantId};

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Id,
    Started,
    Completed,
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Id, Self::Started, Self::Completed];

    /// The published field's name (contract `connect.md`, 6).
    pub const fn field(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Started => "started_date",
            Self::Completed => "completed_date",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Started => "started_at",
            Self::Completed => "completed_at",
        }
    }
}

/// Beginnings that are never run by themselves.
const PAGE: &str = concat!("SELECT ", columns!(""), " FROM runs");
const COUNT: &str = "SELECT COUNT(*) FROM runs";
const OF_ORGANIZATION: &str = " WHERE organization_id = $1 AND environment = $2";
const OF_TENANT: &str = " WHERE tenant_id = $3 AND organization_id = $1 AND environment = $2";
const OF_TENANTS: &str = concat!(
    "SELECT ",
    columns!("r."),
    ", CASE WHEN r.completed_at IS NULL THEN 'current' ELSE 'past' END FROM tenants AS t JOIN runs AS r ON r.id IN (
        (SELECT o.id FROM runs AS o WHERE o.tenant_id = t.id AND o.completed_at IS NULL),
        (SELECT MAX(l.id) FROM runs AS l WHERE l.tenant_id = t.id AND l.completed_at IS NOT NULL),
        (SELECT MAX(s.id) FROM runs AS s WHERE s.tenant_id = t.id AND s.phase = 'Succeeded'))
    WHERE t.organization_id = $1"
);
const CONFIGS_OF_TENANTS: &str =
    "SELECT t.tenant_id, t.data FROM tenant_dynamic_configs AS t WHERE t.organization_id = $1";
/// How many tenants one statement asks for: few texts to prepare, the last id repeated to fill up.
const GROUP: usize = 100;

fn of_group(start: &str, column: &str) -> String {
    let places: Vec<_> = (2..GROUP + 2).map(|number| format!("${number}")).collect();
    format!("{start} AND {column} IN ({})", places.join(", "))
}

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let mut out = vec![of_group(OF_TENANTS, "t.id"), of_group(CONFIGS_OF_TENANTS, "t.tenant_id")];
    out.extend([format!("{COUNT}{OF_TENANT}"), format!("{COUNT}{OF_ORGANIZATION}")]);
    for sort in Sort::ALL {
        for descending in [true, false] {
            let page = Page { sort, descending, limit: 1, skip: 0 };
            out.push(format!("{PAGE}{OF_TENANT}{}", page.tail(sort.column(), 4)));
            out.push(format!("{PAGE}{OF_ORGANIZATION}{}", page.tail(sort.column(), 3)));
        }
    }
    out
}

/// The runs of one tenant, or of all of them.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    tenant: Option<TenantId>,
    page: Page<Sort>,
) -> Result<Listed<Run>, DbError> {
    let (which, next) = if tenant.is_some() { (OF_TENANT, 4) } else { (OF_ORGANIZATION, 3) };
    let bound = |text: String| {
        let query = sql(text).bind(organization).bind(environment);
        tenant.map_or(query.clone(), |tenant| query.bind(tenant))
    };
    let total = bound(format!("{COUNT}{which}")).one(tx).await?.take()?;
    let query = bound(format!("{PAGE}{which}{}", page.tail(page.sort.column(), next)));
    let rows = query.bind(page.limit.max(0)).bind(page.skip.max(0)).all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(|mut row| run(&mut row)).collect::<Result<_, _>>()?, total })
}

/// What `status` shows of each of these tenants; those without runs or dynamic configs are left out.
///
/// # Errors
/// [`DbError`].
pub async fn of_tenants(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenants: &[TenantId],
) -> Result<Vec<(TenantId, Runs)>, DbError> {
    let mut found: Vec<(TenantId, Runs)> = Vec::new();
    for group in tenants.chunks(GROUP) {
        let Some(last) = group.last() else { continue };
        let ask = |start: &str, column: &str| {
            let filled = group.iter().chain(std::iter::repeat(last)).take(GROUP);
            filled.fold(sql(of_group(start, column)).bind(organization), |query, tenant| query.bind(*tenant))
        };
        for mut row in ask(OF_TENANTS, "t.id").all(tx).await? {
            let run = run(&mut row)?;
            let runs = entry(&mut found, run.tenant);
            if run.phase.is_open() {
                runs.current = Some(run);
                continue;
            }
            if matches!(run.phase, Phase::Succeeded { .. }) {
                runs.last_successful = Some(run.clone());
            }
            if runs.last.as_ref().is_none_or(|last| last.id < run.id) {
                runs.last = Some(run);
            }
        }
        for mut row in ask(CONFIGS_OF_TENANTS, "t.tenant_id").all(tx).await? {
            let tenant = row.take()?;
            entry(&mut found, tenant).dynamic_configs = Some(row.take_json()?);
        }
    }
    Ok(found)
}

fn entry(found: &mut Vec<(TenantId, Runs)>, tenant: TenantId) -> &mut Runs {
    let at = found.iter().position(|(id, _)| *id == tenant).unwrap_or_else(|| {
        found.push((tenant, Runs::default()));
        found.len() - 1
    });
    // It was found or pushed just now.
    #[expect(clippy::indexing_slicing, reason = "the position was found or made above")]
    &mut found[at].1
}
