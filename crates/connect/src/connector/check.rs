//! The check of a definition as a whole: what one section says of another, and what every template uses.

use super::definition::{BodyForm, Definition, Kind, SaveTo};
use super::source::{Phase, Place, Source, Use, nearest};
use super::template::{Template, Variable};
use super::webhook::Scheme;
use super::{BasicTemplate, Input};
use std::collections::BTreeSet;

/// Fills in what follows from the rest: Basic from `username` and `password`, and where a tenant's webhook
/// secret is.
pub(super) fn settle(mut definition: Definition) -> Definition {
    let has = |key: &str| definition.inputs.iter().any(|input| input.key == key);
    let named = has("username") && has("password");
    if let Some(api) = &mut definition.api
        && definition.kind == Kind::Basic
        && api.basic.is_none()
        && named
    {
        let field = |name: &str| Template::parse(&format!("{{inputs.{name}}}")).unwrap_or_default();
        api.basic = Some(BasicTemplate { user: field("username"), password: field("password") });
    }
    let saved = saved_names(&definition);
    let inputs: BTreeSet<String> = definition.inputs.iter().map(|input| input.key.clone()).collect();
    if let Some(verify) = definition.webhook.as_mut().and_then(|webhook| webhook.verify.as_mut())
        && let Variable::Capture(name) = &verify.secret_from
        && !saved.iter().any(|(_, own)| own == name)
        && inputs.contains(name)
    {
        verify.secret_from = Variable::Input(name.clone());
    }
    definition
}

/// Everything that is captured, with the phase from which on it is known.
fn saved_names(definition: &Definition) -> Vec<(Phase, String)> {
    let mut names = Vec::new();
    let mut push = |phase: Phase, to: &SaveTo| {
        if let SaveTo::Capture(name) = to {
            names.push((phase, name.clone()));
        }
    };
    definition.capture.callback.iter().for_each(|save| push(Phase::Token, &save.to));
    definition.capture.token.iter().for_each(|save| push(Phase::Verify, &save.to));
    definition.verify.iter().flat_map(|verify| &verify.save).for_each(|save| push(Phase::Step(0), &save.to));
    for (index, step) in definition.after.iter().enumerate() {
        step.save.iter().for_each(|save| push(Phase::Step(index + 1), &save.to));
    }
    names
}

/// The order of phases.
const fn rank(phase: Phase) -> usize {
    match phase {
        Phase::Input(_) => 0,
        Phase::Authorize => 1,
        Phase::Token => 2,
        Phase::Verify => 3,
        Phase::Step(index) => 4 + index,
        Phase::Later => usize::MAX,
    }
}

pub(super) fn whole(source: &Source<'_>, definition: &Definition) {
    sections(source, definition);
    inputs(source, definition);
    addresses(source, definition);
    let saved = saved_names(definition);
    for used in source.uses.borrow().iter() {
        variable(source, definition, &saved, used);
        secret_place(source, definition, used);
    }
    webhook(source, definition, &saved);
}

/// The byte where a section begins, for problems that belong to it as a whole.
fn at(source: &Source<'_>, header: &str) -> usize {
    source.text.find(header).unwrap_or_default()
}

fn sections(source: &Source<'_>, definition: &Definition) {
    let kind = definition.kind;
    let (signs_in, has_token) = (definition.authorize.is_some(), definition.token.is_some());
    let missing = |what: &str| {
        let text = format!("kind {} needs [{what}]", kind.as_str());
        source.problem(at(source, "[auth]"), "auth.kind", text);
    };
    let needless = |what: &str| {
        let text = format!("kind {} has no [{what}]; remove it or choose another kind", kind.as_str());
        source.problem(at(source, &format!("[{what}]")), what, text);
    };
    if kind == Kind::OAuth2 && !signs_in {
        missing("authorize");
    }
    let by_token = matches!(
        kind,
        Kind::OAuth2 | Kind::ClientCredentials | Kind::TokenExchange | Kind::JwtAssertion | Kind::OAuth1
    );
    if by_token && !has_token {
        missing("token");
    }
    if matches!(kind, Kind::ApiKey | Kind::Basic | Kind::None) {
        if signs_in {
            needless("authorize");
        }
        if has_token {
            needless("token");
        }
        if definition.refresh.is_some() {
            needless("refresh");
        }
    }
    if matches!(kind, Kind::ApiKey | Kind::Basic) && definition.inputs.is_empty() {
        missing("[inputs]");
    }
    if kind == Kind::Basic && definition.api.as_ref().is_some_and(|api| api.basic.is_none()) {
        let text =
            "kind basic needs `basic = { user, password }`, or inputs with the keys username and password";
        source.problem(at(source, "[api]"), "api.basic", text);
    }
    for name in &definition.app_fields {
        if !super::parse::is_name(name) || matches!(name.as_str(), "client_id" | "client_secret") {
            let text = format!("`{name}` must be a name of its own in lower-case letters, digits and `_`");
            source.problem(at(source, "[auth]"), "auth.app", text);
        }
    }
    for name in &definition.capture.secret {
        if !saved_names(definition).iter().any(|(_, own)| own == name) {
            source.problem(
                at(source, "[capture]"),
                "capture.secret",
                format!("`{name}` is not captured anywhere"),
            );
        }
    }
}

fn inputs(source: &Source<'_>, definition: &Definition) {
    for (index, input) in definition.inputs.iter().enumerate() {
        let at = input_at(source, &input.key);
        let earlier = definition.inputs.get(..index).unwrap_or_default();
        if earlier.iter().any(|other| other.key == input.key) {
            source.problem(
                at,
                format!("inputs[{index}].key"),
                format!("`{}` is used by two inputs", input.key),
            );
        }
        for condition in &input.visible_when {
            if !earlier.iter().any(|other| other.key == condition.key) {
                let text = format!("`{}` is not the key of an input above this one", condition.key);
                source.problem(at, format!("inputs[{index}].visible_when"), text);
            }
        }
        if let Some(path) = default_loop(&definition.inputs, &input.key) {
            let text = format!("the defaults refer to each other in a loop: {}", path.join(" -> "));
            source.problem(at, format!("inputs[{index}].default"), text);
        }
        if let (Some(default), false) =
            (input.default.as_ref().and_then(Template::as_literal), input.options.is_empty())
            && !input.options.iter().any(|option| option.value == default)
        {
            source.problem(
                at,
                format!("inputs[{index}].default"),
                format!("`{default}` is not one of `enum`"),
            );
        }
        if input.secret && input.default.is_some() {
            source.problem(at, format!("inputs[{index}].default"), "a secret has no default; remove it");
        }
    }
}

fn input_at(source: &Source<'_>, key: &str) -> usize {
    let quoted = format!("\"{key}\"");
    source.text.find(&quoted).unwrap_or_default()
}

/// The path from an input's default back to itself.
fn default_loop(inputs: &[Input], start: &str) -> Option<Vec<String>> {
    fn next<'a>(inputs: &'a [Input], key: &str) -> Vec<&'a str> {
        let input = inputs.iter().find(|input| input.key == key);
        let variables =
            input.and_then(|input| input.default.as_ref()).into_iter().flat_map(Template::variables);
        variables
            .filter_map(
                |variable| if let Variable::Input(key) = variable { Some(key.as_str()) } else { None },
            )
            .collect()
    }
    let mut paths = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        for key in next(inputs, path.last()?) {
            let mut longer = path.clone();
            longer.push(key.to_owned());
            if key == start {
                return Some(longer);
            }
            if seen.insert(key.to_owned()) {
                paths.push(longer);
            }
        }
    }
    None
}

/// A host that a value chooses freely must be declared, and a free host never gets the app's secret.
fn addresses(source: &Source<'_>, definition: &Definition) {
    let authorize = definition.authorize.iter().map(|section| ("[authorize]", "authorize.url", &section.url));
    let token = definition.token.iter().map(|section| ("[token]", "token.url", &section.url));
    let refresh = definition
        .refresh
        .iter()
        .filter_map(|section| Some(("[refresh]", "refresh.url", section.url.as_ref()?)));
    let revoke = definition.revoke.iter().map(|section| ("[revoke]", "revoke.request.url", &section.url));
    let verify =
        definition.verify.iter().map(|section| ("[verify]", "verify.request.url", &section.request.url));
    let after =
        definition.after.iter().map(|section| ("[[after]]", "after.request.url", &section.request.url));
    for (header, field, url) in authorize.chain(token).chain(refresh).chain(revoke).chain(verify).chain(after)
    {
        if !url.has_fixed_site() && definition.hosts().is_empty() {
            let text = "its host is chosen by a value; end it in a fixed site, as in https://{inputs.x}.example.com, \
                        or declare the possible hosts in [api] hosts";
            source.problem(at(source, header), field, text);
        }
    }
    let any = definition.hosts().iter().any(super::HostPattern::is_any);
    if any && definition.token.as_ref().is_some_and(|token| !token.url.has_fixed_site()) {
        let text = "`*` would send the app's secret to any host that somebody names; list the hosts";
        source.problem(at(source, "hosts"), "api.hosts", text);
    }
}

fn variable(source: &Source<'_>, definition: &Definition, saved: &[(Phase, String)], used: &Use) {
    let refuse = |text: String| source.problem(used.at, used.field.clone(), text);
    let shown = &used.variable;
    match &used.variable {
        Variable::Input(key) => {
            let known = definition.inputs.iter().position(|input| input.key == *key);
            match (known, used.phase) {
                (None, _) => {
                    let hint = nearest(key, definition.inputs.iter().map(|input| input.key.as_str()));
                    refuse(format!("{{{shown}}}: there is no input `{key}`{hint}"));
                }
                (Some(index), Phase::Input(own)) if index >= own => {
                    refuse(format!("{{{shown}}}: a default may use only inputs above its own"));
                }
                _ => {}
            }
        }
        Variable::Capture(name) => capture(saved, used, name, &refuse),
        Variable::App(name) => {
            let known = matches!(name.as_str(), "client_id" | "client_secret")
                || definition.app_fields.contains(name);
            if matches!(used.phase, Phase::Input(_)) {
                refuse(format!("{{{shown}}} is not known while the form is filled in"));
            } else if !definition.needs_app() {
                refuse(format!("{{{shown}}}: kind {} has no app", definition.kind.as_str()));
            } else if !known {
                let names = ["client_id", "client_secret"].into_iter();
                let hint = nearest(name, names.chain(definition.app_fields.iter().map(String::as_str)));
                refuse(format!("{{{shown}}}: the app has no such field{hint}; declare it in [auth] app"));
            }
        }
        Variable::TokenAccess | Variable::TokenRefresh => {
            if rank(used.phase) < rank(Phase::Verify) {
                refuse(format!("{{{shown}}} is not known yet when this is sent"));
            }
        }
        Variable::WebhookUrl => {
            if rank(used.phase) < rank(Phase::Step(0)) {
                refuse(format!("{{{shown}}} is not known yet when this is sent; use it in [[after]]"));
            }
        }
    }
}

fn capture(saved: &[(Phase, String)], used: &Use, name: &str, refuse: &dyn Fn(String)) {
    let first = saved.iter().filter(|(_, own)| own == name).map(|(phase, _)| rank(*phase)).min();
    match first {
        None => {
            let hint = nearest(name, saved.iter().map(|(_, own)| own.as_str()));
            refuse(format!("{{capture.{name}}}: nothing captures `{name}`{hint}"));
        }
        Some(first) if first > rank(used.phase) => {
            let in_loop = matches!(used.phase, Phase::Step(_)) && first == rank(used.phase) + 1;
            let why = if in_loop {
                "it is saved only from this request's own answer (a loop)"
            } else {
                "it is saved later"
            };
            refuse(format!("{{capture.{name}}} is not known yet when this is sent: {why}"));
        }
        Some(_) => {}
    }
}

/// Decision: no secret in a host name, and in a query only where the kind puts its credential there. Attack:
/// host names go to DNS in clear, queries to access logs and `Referer`. Trade: none for systems that take
/// headers, and the others say so by their kind.
fn secret_place(source: &Source<'_>, definition: &Definition, used: &Use) {
    let place = match used.place {
        Place::Host => "a host name",
        Place::Query => "a URL's query",
        Place::Path | Place::SecretQuery | Place::Other => return,
    };
    let by_query = definition.token.as_ref().is_some_and(|token| token.body == BodyForm::Query);
    if definition.is_secret(&used.variable) && !(by_query && used.field.starts_with("refresh.")) {
        let text = format!(
            "{{{}}} is a secret and must not stand in {place}; use a header or the body",
            used.variable
        );
        source.problem(used.at, used.field.clone(), text);
    }
}

fn webhook(source: &Source<'_>, definition: &Definition, saved: &[(Phase, String)]) {
    let Some(verify) = definition.webhook.as_ref().and_then(|webhook| webhook.verify.as_ref()) else {
        return;
    };
    let problem =
        |text: String| source.problem(at(source, "secret_from"), "webhook.verify.secret_from", text);
    match &verify.secret_from {
        Variable::App(name) if name == "client_secret" && definition.needs_app() => {}
        Variable::App(name) if definition.app_fields.contains(name) => {}
        Variable::App(name) if name == "client_secret" => {
            problem(format!("kind {} has no client secret", definition.kind.as_str()));
        }
        Variable::App(name) => {
            problem(format!("declare the app's field `{name}`: [auth] app = [\"{name}\"]"));
        }
        Variable::Capture(name) if !saved.iter().any(|(_, own)| own == name) => {
            problem(format!("nothing captures `{name}` and no input is called so"));
        }
        _ => {}
    }
    if verify.scheme == Scheme::Hmac && verify.tolerance_s < 30 {
        source.problem(
            at(source, "tolerance_s"),
            "webhook.verify.tolerance_s",
            "under 30 s refuses honest deliveries",
        );
    }
}

impl Definition {
    /// Whether a variable's value is a secret.
    pub(super) fn is_secret(&self, variable: &Variable) -> bool {
        match variable {
            Variable::Input(key) => self.secret_inputs().any(|input| input.key == *key),
            Variable::Capture(name) => self.capture.secret.contains(name),
            Variable::App(name) => name.ends_with("secret") || name.ends_with("_key"),
            Variable::TokenAccess | Variable::TokenRefresh => true,
            Variable::WebhookUrl => false,
        }
    }
}
