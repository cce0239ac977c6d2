use super::*;
use crate::connector::Policy;

fn form(inputs: &str) -> Definition {
    let text = format!(
        "id = \"acme\"\nname = \"Acme\"\n[auth]\nkind = \"api_key\"\n[api]\nbase_url = \"https://api.acme.example\"\n{inputs}"
    );
    Definition::parse("acme.toml", &text, Policy::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn check(definition: &Definition, typed: &[(&str, &str)]) -> Result<Values, Vec<FieldProblem>> {
    definition
        .check_inputs(&typed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn code(definition: &Definition, typed: &[(&str, &str)]) -> &'static str {
    check(definition, typed).map_or_else(|problems| problems[0].code, |_| "taken")
}

#[test]
fn what_people_paste_is_taken() {
    let shop = form(
        "[[inputs]]\nkey = \"shop\"\nlabel = \"Shop\"\nprefix = \"https://\"\nsuffix = \".myshopify.com\"\nformat = \"subdomain\"\n",
    );
    for pasted in
        ["acme", " acme ", "acme.myshopify.com", "https://acme.myshopify.com", "HTTPS://acme.MyShopify.com/"]
    {
        assert_eq!(check(&shop, &[("shop", pasted)]).unwrap().get("shop"), Some("acme"), "{pasted}");
    }
    for bad in ["evil.example/", "a.b", "a b", "https://evil.example/.myshopify.com", "a@b", "ümlaut"] {
        assert_eq!(code(&shop, &[("shop", bad)]), "format", "{bad}");
    }
    assert_eq!(code(&shop, &[]), "required");
    assert_eq!(code(&shop, &[("shop", "https://.myshopify.com")]), "required");
    assert_eq!(code(&shop, &[("shop", &"a".repeat(5000))]), "too_long");
    assert_eq!(code(&shop, &[("shop", "a\u{0}b")]), "characters");
    assert_eq!(code(&shop, &[("shop", "acme"), ("other", "x")]), "unknown");
}

#[test]
fn formats_and_patterns_hold() {
    let cases = [
        ("email", "anna@acme.example", "anna@@acme"),
        ("url", "https://a.example/x", "javascript:alert(1)"),
        ("host", "a.b.example", "a.b.example/x"),
        ("integer", "42", "4.2"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
    ];
    for (format, good, bad) in cases {
        let definition = form(&format!("[[inputs]]\nkey = \"x\"\nlabel = \"X\"\nformat = \"{format}\"\n"));
        assert_eq!(code(&definition, &[("x", good)]), "taken", "{format}");
        assert_eq!(code(&definition, &[("x", bad)]), "format", "{format}");
    }
    let key = form(
        "[[inputs]]\nkey = \"x\"\nlabel = \"Key\"\npattern = \"sk_[a-z]+|rk_[a-z]+\"\nexample = \"sk_abc\"\nsecret = true\n",
    );
    assert_eq!(code(&key, &[("x", "sk_abc")]), "taken");
    let problems = check(&key, &[("x", "xsk_hunter")]).unwrap_err();
    assert_eq!(problems[0].text, "Key does not look right, for example sk_abc.");
    assert!(!format!("{problems:?}").contains("hunter"), "what was typed is never repeated");
    let pem = form("[[inputs]]\nkey = \"x\"\nlabel = \"Key\"\nformat = \"multiline\"\n");
    assert_eq!(check(&pem, &[("x", "-----BEGIN\nAAAA\n")]).unwrap().get("x"), Some("-----BEGIN\nAAAA"));
}

#[test]
fn hidden_fields_are_left_out_and_defaults_filled_in() {
    let definition = form(
        "[[inputs]]\nkey = \"plan\"\nlabel = \"Plan\"\nenum = [\"cloud\", \"own\"]\ndefault = \"cloud\"\n\
         [[inputs]]\nkey = \"host\"\nlabel = \"Host\"\nformat = \"host\"\nvisible_when = { plan = \"own\" }\n\
         [[inputs]]\nkey = \"team\"\nlabel = \"Team\"\ndefault = \"{inputs.plan}-team\"\n\
         [[inputs]]\nkey = \"note\"\nlabel = \"Note\"\noptional = true\n",
    );
    let values = check(&definition, &[("host", "ignored.example")]).unwrap();
    let pairs: Vec<_> = values.iter().collect();
    assert_eq!(pairs, [("plan", "cloud"), ("team", "cloud-team")]);
    assert_eq!(code(&definition, &[("plan", "own")]), "required");
    assert_eq!(code(&definition, &[("plan", "other")]), "not_an_option");
    assert_eq!(
        check(&definition, &[("plan", "own"), ("host", "a.example")]).unwrap().get("host"),
        Some("a.example")
    );
}

#[test]
fn one_secret_field_is_the_access_token_too() {
    let definition = form("[[inputs]]\nkey = \"api_key\"\nlabel = \"Key\"\nsecret = true\n");
    let inputs = check(&definition, &[("api_key", "k-1")]).unwrap();
    let now = kernel::Time::from_seconds(1);
    let typed = definition.form_credential(inputs, now);
    let own = definition.own_credential(&kernel::SecretText::new("k-1"), now);
    assert_eq!(typed, own);
    assert_eq!(own.access.unwrap().reveal(), "k-1");
}
