use super::*;
use proptest::prelude::*;

fn variables(inputs: &Values) -> Variables<'_> {
    Variables { inputs: Some(inputs), ..Variables::default() }
}

fn filled(template: &str, value: &str) -> Result<String, TemplateFailed> {
    let inputs: Values = [("x", value)].into_iter().collect();
    Template::parse(template).unwrap().render(&variables(&inputs), Escape::Plain)
}

#[test]
fn filters_apply_in_order() {
    assert_eq!(filled("a {inputs.x} b", "1").unwrap(), "a 1 b");
    assert_eq!(filled("{inputs.x|lower|base64}", "ANNA").unwrap(), "YW5uYQ==");
    assert_eq!(filled("{inputs.x|urlencode}", "a b&c/ü").unwrap(), "a%20b%26c%2F%C3%BC");
    assert_eq!(filled("{inputs.none|default:https://a.example/b:c}", "1").unwrap(), "https://a.example/b:c");
    assert_eq!(filled("{inputs.x|default:other}", "").unwrap(), "other", "empty counts as absent");
    assert_eq!(filled("{{literal}} {inputs.x}", "1").unwrap(), "{literal} 1");
    assert_eq!(
        filled("{inputs.none}", "1"),
        Err(TemplateFailed::Missing(Variable::Input("none".to_owned())))
    );
}

#[test]
fn a_claim_is_read_from_a_jwt() {
    let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"u-1","org":7}"#);
    let token = format!("e30.{payload}.sig");
    assert_eq!(filled("{inputs.x|jwt_claim:sub}", &token).unwrap(), "u-1");
    assert_eq!(filled("{inputs.x|jwt_claim:org}", &token).unwrap(), "7");
    let failed = filled("{inputs.x|jwt_claim:none}", "secret-token-without-dots").unwrap_err();
    assert!(!failed.to_string().contains("secret-token"), "{failed}");
}

#[test]
fn unknown_words_are_refused_at_load() {
    for bad in [
        "{inputs.x",
        "x}",
        "{}",
        "{inputs}",
        "{inputs.}",
        "{token.other}",
        "{env.PATH}",
        "{inputs.x-y}",
        "{inputs.a.b}",
    ] {
        assert!(Template::parse(bad).is_err(), "{bad}");
    }
    for bad in ["{inputs.x|exec}", "{inputs.x|upper}", "{inputs.x|jwt_claim:}", "{inputs.x|}"] {
        assert!(matches!(Template::parse(bad), Err(TemplateRefused::UnknownFilter(_))), "{bad}");
    }
}

#[test]
fn values_are_written_for_their_place() {
    let inputs: Values = [("x", "a\"b<c>&\r\nd")].into_iter().collect();
    let template = Template::parse("{inputs.x}").unwrap();
    let render = |escape| template.render(&variables(&inputs), escape);
    assert_eq!(render(Escape::Json).unwrap(), "a\\\"b<c>&\\r\\nd");
    assert_eq!(render(Escape::Xml).unwrap(), "a&quot;b&lt;c&gt;&amp;\r\nd");
    assert_eq!(render(Escape::Form).unwrap(), "a%22b%3Cc%3E%26%0D%0Ad");
    assert!(matches!(render(Escape::Header), Err(TemplateFailed::Unfit(_, "a header"))));
    assert!(matches!(render(Escape::Host), Err(TemplateFailed::Unfit(_, "a host name"))));
}

proptest! {
    #[test]
    fn parsing_never_panics(text in ".{0,80}") {
        let _ = Template::parse(&text);
    }

    #[test]
    fn a_value_is_never_read_as_a_template(value in ".{1,40}") {
        prop_assert_eq!(filled("<{inputs.x}>", &value).unwrap(), format!("<{value}>"));
    }

    #[test]
    fn json_text_reads_back(value in ".{1,40}") {
        let inputs: Values = [("x", value.clone())].into_iter().collect();
        let text = Template::parse("[\"{inputs.x}\"]").unwrap().render(&variables(&inputs), Escape::Json).unwrap();
        let read: Vec<String> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, vec![value]);
    }
}
