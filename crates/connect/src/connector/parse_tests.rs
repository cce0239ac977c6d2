use super::*;
use proptest::prelude::*;

fn problems(text: &str) -> Vec<String> {
    match Definition::parse("acme.toml", text, Policy::default()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

const HEAD: &str = "id = \"acme\"\nname = \"Acme\"\n[auth]\nkind = \"oauth2\"\n[authorize]\nurl = \"https://acme.example/authorize\"\n\
                    [token]\nurl = \"https://acme.example/token\"\n[api]\nbase_url = \"https://api.acme.example\"\n";

#[track_caller]
fn one_problem(more: &str, line: usize, field: &str, says: &str) {
    let seen = problems(&format!("{HEAD}{more}"));
    let start = format!("acme.toml:{line}: {field}: ");
    assert!(
        seen.len() == 1 && seen[0].starts_with(&start) && seen[0].contains(says),
        "wanted {start}..{says}.., got {seen:#?}"
    );
}

#[test]
fn the_head_is_fine() {
    assert_eq!(problems(HEAD), Vec::<String>::new());
}

#[test]
fn a_problem_names_file_line_field_and_what_to_do() {
    one_problem("headrs = {}\n", 11, "api.headrs", "did you mean `headers`?");
    one_problem("[verfy]\n", 11, "verfy", "did you mean `verify`?");
    one_problem("[revoke]\n", 11, "revoke.request", "is needed");
    one_problem(
        "[revoke]\nrequest = { url = \"http://acme.example\" }\n",
        12,
        "revoke.request.url",
        "starts with https://",
    );
    one_problem("[[inputs]]\nkey = \"a\"\n", 11, "inputs[0].label", "is needed");
    one_problem("[[inputs]]\nkey = \"A-b\"\nlabel = \"A\"\n", 12, "inputs[0].key", "lower-case");
    one_problem(
        "[[inputs]]\nkey = \"a\"\nlabel = \"A\"\npattern = \"(\"\n",
        14,
        "inputs[0].pattern",
        "regular expression",
    );
    one_problem("[[inputs]]\nkey = \"a\"\nlabel = 3\n", 13, "inputs[0].label", "text in quotes, not integer");
    one_problem("[refresh]\nlead_s = -1\n", 12, "refresh.lead_s", "from 0 to 86400");
    one_problem(
        "[capture]\ntoken = { \"team.id\" = \"team\" }\n",
        12,
        "capture.token.team.id",
        "write `/team/id`",
    );
    one_problem(
        "[webhook.verify]\nscheme = \"hmack\"\nheader = \"X\"\nsecret_from = \"client_secret\"\n",
        12,
        "webhook.verify.scheme",
        "did you mean `hmac`?",
    );
}

#[test]
fn several_problems_are_told_at_once_in_order() {
    let seen = problems("id = \"connector\"\nnme = \"x\"\n[auth]\nkind = \"oauth3\"\n[tokn]\n");
    assert_eq!(seen.len(), 5, "{seen:#?}");
    assert!(seen.iter().any(|text| text.contains(":1: id: `connector` is taken")), "{seen:#?}");
    assert!(seen.iter().any(|text| text.contains(":2: nme: ") && text.contains("`name`")), "{seen:#?}");
    assert!(
        seen.iter().any(|text| text.contains(":4: auth.kind: ") && text.contains("did you mean `oauth2`?")),
        "{seen:#?}"
    );
    let seen = problems("id = \n");
    assert!(seen[0].starts_with("acme.toml:1: this is not TOML"), "{seen:#?}");
    assert!(!problems(&"#".repeat(200_000)).is_empty());
}

#[test]
fn variables_must_be_known_where_they_are_used() {
    one_problem("headers = { X = \"{inputs.team}\" }\n", 11, "api.headers.X", "there is no input `team`");
    one_problem("headers = { X = \"{capture.team}\" }\n", 11, "api.headers.X", "nothing captures `team`");
    one_problem("headers = { X = \"{app.team}\" }\n", 11, "api.headers.X", "declare it in [auth] app");
    one_problem("headers = { X = \"{token.acess}\" }\n", 11, "api.headers.X", "is not a variable");
    one_problem("headers = { X = \"{token.access|rot13}\" }\n", 11, "api.headers.X", "is not a filter");
    one_problem(
        "headers = { Authorization = \"Bearer abc\" }\n",
        11,
        "api.headers.Authorization",
        "credential in the file",
    );
    one_problem("headers = { Host = \"evil\" }\n", 11, "api.headers.Host", "set by the gateway");
    one_problem(
        "[verify]\nrequest = { url = \"https://acme.example/{webhook.url}\" }\n",
        12,
        "verify.request.url",
        "not known yet",
    );
    let early = HEAD.replace("/token\"", "/token\"\nparams = { a = \"{token.access}\" }");
    assert!(problems(&early)[0].contains("{token.access} is not known yet"), "{:?}", problems(&early));
}

#[test]
fn loops_are_refused() {
    let defaults = "[[inputs]]\nkey = \"a\"\nlabel = \"A\"\ndefault = \"{inputs.b}\"\n[[inputs]]\nkey = \"b\"\nlabel = \"B\"\ndefault = \"{inputs.a}\"\n";
    let seen = problems(&format!("{HEAD}{defaults}"));
    assert!(seen.iter().any(|text| text.contains("in a loop: a -> b -> a")), "{seen:#?}");
    let own = "[[inputs]]\nkey = \"a\"\nlabel = \"A\"\ndefault = \"{inputs.a}\"\n";
    assert!(problems(&format!("{HEAD}{own}")).iter().any(|text| text.contains("a -> a")));
    one_problem(
        "[[after]]\nrequest = { url = \"https://acme.example/{capture.site}\" }\nsave = { \"/id\" = \"site\" }\n",
        12,
        "after[0].request.url",
        "(a loop)",
    );
    let later = "[[after]]\nrequest = { url = \"https://acme.example/{capture.b}\" }\nsave = { \"/a\" = \"a\" }\n\
                 [[after]]\nrequest = { url = \"https://acme.example/{capture.a}\" }\nsave = { \"/b\" = \"b\" }\n";
    assert!(problems(&format!("{HEAD}{later}"))[0].contains("saved later"));
}

#[test]
fn lesson_23_a_definition_cannot_call_this_machine_or_its_network() {
    for host in [
        "https://127.0.0.1",
        "https://169.254.169.254/latest/meta-data",
        "https://0x7f.1",
        "https://localhost",
        "https://10.1.2.3",
    ] {
        for field in
            ["https://acme.example/authorize", "https://acme.example/token", "https://api.acme.example"]
        {
            let seen = problems(&HEAD.replace(field, host));
            assert!(seen.len() == 1 && seen[0].contains("not a public host name"), "{host} {seen:#?}");
        }
    }
    let policy = Policy { loopback: Loopback::Allowed };
    let text = HEAD.replace("https://acme.example/token", "http://127.0.0.1:4000/token");
    assert!(Definition::parse("acme.toml", &text, policy).is_ok());
}

#[test]
fn secrets_stay_out_of_hosts_and_queries() {
    let key = "[[inputs]]\nkey = \"key\"\nlabel = \"Key\"\nsecret = true\n";
    let in_query = problems(&format!("{HEAD}query = {{ key = \"{{token.access}}\" }}\n"));
    assert!(in_query[0].contains("must not stand in a URL's query"), "{in_query:#?}");
    let text = format!("{HEAD}{key}")
        .replace("https://acme.example/token", "https://{inputs.key}.acme.example/token");
    assert!(problems(&text)[0].contains("must not stand in a host name"));
    let text = HEAD.replace("/authorize\"", "/authorize\"\nparams = { s = \"{app.client_secret}\" }");
    assert!(problems(&text)[0].contains("must not stand in a URL's query"));
    let by_key = format!(
        "id = \"acme\"\nname = \"Acme\"\n[auth]\nkind = \"api_key\"\n[api]\nbase_url = \"https://api.acme.example\"\n\
         query = {{ api_key = \"{{inputs.key}}\" }}\n{key}"
    );
    assert_eq!(problems(&by_key), Vec::<String>::new(), "where the kind demands it");
}

#[test]
fn free_hosts_are_declared_and_never_get_the_apps_secret() {
    let input = "[[inputs]]\nkey = \"host\"\nlabel = \"Host\"\nformat = \"host\"\n";
    let token = format!("{HEAD}{input}").replace("https://acme.example/token", "https://{inputs.host}/token");
    let anywhere = token.replace("[api]\n", "[api]\nhosts = [\"*\"]\n");
    assert!(
        problems(&anywhere)[0].contains("would send the app's secret to any host"),
        "{:?}",
        problems(&anywhere)
    );
    let listed = token.replace("[api]\n", "[api]\nhosts = [\"*.acme.example\"]\n");
    assert_eq!(problems(&listed), Vec::<String>::new());
    let base = HEAD.replace("https://api.acme.example", "https://{inputs.host}/api");
    let seen = problems(&format!("{base}{input}"));
    assert!(seen.iter().any(|text| text.contains("api.hosts: is needed")), "{seen:#?}");
}

#[test]
fn a_kind_has_its_sections() {
    let without = |section: &str, to: &str| HEAD.replace(section, to);
    assert!(
        problems(&without("[token]\nurl = \"https://acme.example/token\"\n", ""))[0]
            .contains("needs [token]")
    );
    let seen = problems(&without("oauth2", "none"));
    assert!(seen.iter().any(|text| text.contains("kind none has no [authorize]")), "{seen:#?}");
    let basic = "id = \"acme\"\nname = \"Acme\"\n[auth]\nkind = \"basic\"\n[api]\nbase_url = \"https://api.acme.example\"\n\
                 [[inputs]]\nkey = \"username\"\nlabel = \"User\"\n[[inputs]]\nkey = \"password\"\nlabel = \"Password\"\nsecret = true\n";
    let definition = Definition::parse("acme.toml", basic, Policy::default()).unwrap();
    assert!(definition.api.unwrap().basic.is_some());
    assert!(problems(&basic.replace("\"username\"", "\"user\""))[0].contains("kind basic needs"));
}

#[test]
fn the_schema_of_the_contract_is_read_whole() {
    let text = include_str!("parse_tests/everything.toml");
    let definition = Definition::parse("everything.toml", text, Policy::default());
    let definition = definition.unwrap_or_else(|problems| panic!("{problems:#?}"));
    let shown = format!("{definition:?}");
    let kept = [
        // [[inputs]]
        r#"help: Some("Which one you have"), example: Some("cloud")"#,
        r#"options: [InputOption { value: "cloud", label: "Cloud" }, InputOption { value: "own", label: "Own" }]"#,
        r#"format: Subdomain"#,
        r#"prefix: Some("https://"), suffix: Some(".acme.example")"#,
        r#"visible_when: [Condition { key: "plan", values: ["cloud", "own"] }]"#,
        // [authorize]
        r#"rename: [("client_id", "client_key")], drop: ["response_type"]"#,
        r#"separator: ",", default: ["a", "b"], user_param: Some("user_scope"), user_default: ["c"]"#,
        r#"aliases: [("a", "https://acme.example/a")], unlisted: ["offline_access"]"#,
        r#"pkce: Plain, code_param: "auth_code", state_param: "st", issuer: Some("https://acme.example")"#,
        r#"signature: Some(CallbackSignature { param: "hmac" })"#,
        // [token]
        r#"method: Post, client_auth: Basic, body: Json"#,
        r#"access: [Pointer("/data/access_token"), Pointer("/access_token")], refresh: [Pointer("/data/refresh_token")]"#,
        r#"expires_at: [Pointer("/data/expires_at")], unit: Milliseconds, scope: [Pointer("/data/scope")]"#,
        // [refresh]
        r#"grant: AccessToken"#,
        r#"rotates: true, lead_s: 60, max_age_s: Some(3600), keepalive_h: Some(24)"#,
        // [capture]
        r#"Save { from: "region", to: Capture("region"), optional: true }"#,
        r#"secret: ["user_token"]"#,
        // [[after]]
        r#"Save { from: Pointer("/token"), to: Access, optional: true }"#,
        r#"choose: Some(Choose { items: Pointer("/items"), value: Pointer("/id"), label: Pointer("/name") })"#,
        r#"ok: [201, 409]"#,
        // [verify], [api], [webhook], [[env]]
        r#"fail_text: Some("It did not work.")"#,
        r#"retry: Retry { after: Some("Retry-After"), remaining: Some("X-Left"), reset: Some("X-Reset"), in_body: Some(Pointer("/error")) }"#,
        r#"algorithm: Sha512, encoding: Base64, signed: [Id, Text("."), Timestamp, Text("."), Body], prefix: "v1,", separator: Some(' ')"#,
        r#"timestamp_in_milliseconds: true, id_header: Some("x-id"), tolerance_s: 600"#,
        r#"reply: Query("hub.challenge"), reply_as: Json("challenge")"#,
        r#"EnvironmentName { field: TokenAccess, name: "TOKEN" }"#,
    ];
    for part in kept {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn the_reference_names_every_key() {
    fn keys(value: &toml::Value, into: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => table.iter().for_each(|(key, value)| {
                into.push(key.clone());
                let named_by_the_author = [
                    "params",
                    "rename",
                    "headers",
                    "query",
                    "form",
                    "callback",
                    "token",
                    "save",
                    "match",
                    "aliases",
                    "visible_when",
                ];
                let is_section = key == "token" && value.get("url").is_some();
                let is_body = key == "body";
                if is_section || !is_body && !named_by_the_author.contains(&key.as_str()) {
                    keys(value, into);
                }
            }),
            toml::Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
            _ => {}
        }
    }
    let document: toml::Value = toml::from_str(include_str!("parse_tests/everything.toml")).unwrap();
    let reference = include_str!("../../../../docs/reference/connectors.md");
    let mut names = Vec::new();
    keys(&document, &mut names);
    let is_word = |text: &str, name: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
    };
    let missing: Vec<&String> = names.iter().filter(|name| !is_word(reference, name)).collect();
    assert!(names.len() > 100 && missing.is_empty(), "{missing:?} of {} keys", names.len());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(cut in 0usize..4000, insert in "[\\[\\]{}=\"\\n#.,a-z ]{0,12}") {
        let text = include_str!("parse_tests/everything.toml");
        let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (before, after) = text.split_at(cut);
        let _ = Definition::parse("x.toml", &format!("{before}{insert}{after}"), Policy::default());
        let _ = Definition::parse("x.toml", before, Policy::default());
    }
}
