//! Pages of `docs/reference/` that are made from the program itself, so that they cannot be wrong about it.

mod command_line;
mod errors;
mod retention;

pub use command_line::command_line;
pub use errors::errors;
pub use retention::retention;

use connect::connector::{Way, shipped};
use std::fmt::Write as _;

/// The text of `docs/reference/routes.md`.
pub fn routes() -> String {
    let mut page = String::from(
        "# Routes\n\nMade from the route table in `crates/web/src/lib.rs` by `cargo xtask gen`. What a caller proves is \
         checked before a handler does anything. The routes under `/v1` and `/v2` stand in `/openapi.json`, too.\n\n\
         | method | path | the caller proves | what it is |\n|---|---|---|---|\n",
    );
    for route in web::routes() {
        let _ = writeln!(
            page,
            "| {} | `{}` | {} | {} |",
            route.method,
            route.path,
            route.proof.text(),
            route.about
        );
    }
    page
}

/// The text of `docs/reference/connectors-shipped.md`.
pub fn connectors() -> String {
    let mut page = String::from(
        "# Connectors that ship\n\nMade from `connectors/*.toml` by `cargo xtask gen`. How such a file is written stands in \
         [connectors.md](connectors.md).\n\n\
         | connector | outside system | kind | the user | needs an app of yours | checked before it is stored | revoked outside | signed webhooks |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let word = |yes: bool| if yes { "yes" } else { "no" };
    for definition in shipped().iter() {
        let does = match definition.way() {
            Way::SignIn => "signs in there",
            Way::Form => "fills in a form",
            Way::Nothing => "does nothing",
            Way::NotYet(_) => "cannot connect it yet",
        };
        let name = match &definition.docs_url {
            Some(url) => format!("[{}]({url})", definition.name),
            None => definition.name.clone(),
        };
        let _ = writeln!(
            page,
            "| `{}` | {name} | {} | {does} | {} | {} | {} | {} |",
            definition.id,
            definition.kind.as_str(),
            word(definition.needs_app()),
            word(definition.verify.is_some()),
            word(definition.revoke.is_some()),
            word(definition.webhook.as_ref().is_some_and(|webhook| webhook.verify.is_some())),
        );
    }
    page
}

/// The text of `docs/reference/openapi.json`.
///
/// # Errors
/// Where the document cannot be written as JSON.
pub fn openapi() -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(&web::openapi::document(&web::routes(), "/"))?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_every_connector_has_its_line() {
        let page = routes();
        for route in web::routes() {
            assert!(page.contains(&format!("| {} | `{}` |", route.method, route.path)), "{}", route.path);
        }
        assert!(page.contains("API key with `tenants:read`"));
        let page = connectors();
        for definition in shipped().iter() {
            assert!(page.contains(&format!("| `{}` |", definition.id)), "{}", definition.id);
        }
    }
}
