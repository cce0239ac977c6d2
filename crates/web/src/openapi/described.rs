//! What the file of a resource says of its routes, beyond what the route table knows.

use super::{connections, outside, releases, runs, settings, webhook_endpoints};
use crate::table::Route;
use serde_json::{Map, Value};

/// One route.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// The schema of `{id}` in the path, where it is no number.
    pub(super) id: Option<Value>,
    /// Parameters of the query.
    pub(super) parameters: Vec<Value>,
    /// The schema of the JSON body.
    pub(super) body: Option<Value>,
    /// Status, what it means, and the schema of the JSON.
    pub(super) answers: Vec<(&'static str, &'static str, Option<Value>)>,
}

/// One resource: its schemas by name as JSON, and its routes.
struct Resource {
    schemas: &'static str,
    describe: fn(&Route) -> Option<Described>,
}

const RESOURCES: &[Resource] = &[
    Resource { schemas: connections::SCHEMAS, describe: connections::describe },
    Resource { schemas: webhook_endpoints::SCHEMAS, describe: webhook_endpoints::describe },
    Resource { schemas: runs::SCHEMAS, describe: runs::describe },
    Resource { schemas: releases::SCHEMAS, describe: releases::describe },
    Resource { schemas: outside::SCHEMAS, describe: outside::describe },
    Resource { schemas: settings::SCHEMAS, describe: settings::describe },
];

pub(super) fn describe(route: &Route) -> Option<Described> {
    RESOURCES.iter().find_map(|resource| (resource.describe)(route))
}

/// The schemas of all resources. A test holds that the files are JSON.
pub(super) fn schemas() -> Map<String, Value> {
    let read = |resource: &Resource| serde_json::from_str::<Map<String, Value>>(resource.schemas);
    RESOURCES.iter().filter_map(|resource| read(resource).ok()).flatten().collect()
}
