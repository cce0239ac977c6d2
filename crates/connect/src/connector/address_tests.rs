use super::*;
use crate::credential::Values;
use proptest::prelude::*;

fn render(template: &str, value: &str, hosts: &[&str]) -> Result<String, TemplateFailed> {
    let inputs: Values = [("x", value)].into_iter().collect();
    let variables = Variables { inputs: Some(&inputs), ..Variables::default() };
    let hosts: Vec<HostPattern> =
        hosts.iter().map(|text| HostPattern::parse(text, Loopback::Refused).unwrap()).collect();
    let template = UrlTemplate::parse(template, Loopback::Refused).unwrap();
    template.render(&variables, &hosts, Loopback::Refused).map(|url| url.to_string())
}

#[test]
fn lesson_23_addresses_of_this_machine_and_its_network_are_refused_at_load() {
    let bad = [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://a.localhost/",
        "https://10.0.0.1/x",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://169.254.169.254/latest",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://intranet/",
        "http://api.example.com/",
        "ftp://api.example.com/",
        "//api.example.com/",
        "api.example.com",
        "https://[::1]/",
        "https://u:p@api.example.com/",
        "https://api.example.com/#x",
        "https://api.example.com/a/../b",
        "https://api.example.com/%2e%2E/b",
        "https://api.example.com/a b",
        "https://api.example.com\\@evil.example/",
        "https://{inputs.x}@api.example.com/",
        "https://api.example.com:{inputs.x}/",
        "https:///x",
        "{inputs.x}.example.com/",
        "javascript:alert(1)",
        "",
    ];
    for text in bad {
        assert!(UrlTemplate::parse(text, Loopback::Refused).is_err(), "{text}");
    }
    assert!(UrlTemplate::parse("http://127.0.0.1:4000/x", Loopback::Allowed).is_ok());
    assert!(UrlTemplate::parse("http://provider.localhost:4000/x", Loopback::Allowed).is_ok());
}

#[test]
fn a_value_stays_in_its_part() {
    let shop = "https://{inputs.x}.myshopify.com/admin";
    assert_eq!(render(shop, "acme", &[]).unwrap(), "https://acme.myshopify.com/admin");
    let escapes = [
        "evil.example/",
        "evil.example#",
        "evil.example?",
        "a@evil.example",
        "evil.example:443",
        "a\\b",
        "a b",
        "",
        ".",
        "-a",
        "a..b",
        "a%2fb",
        "a\tb",
        "ü",
    ];
    for value in escapes {
        assert!(render(shop, value, &[]).is_err(), "{value:?}");
    }
    assert_eq!(
        render("https://api.example.com/items/{inputs.x}/sub", "a/b?c#d e", &[]).unwrap(),
        "https://api.example.com/items/a%2Fb%3Fc%23d%20e/sub"
    );
    for dots in [".", ".."] {
        assert!(render("https://api.example.com/items/{inputs.x}/sub", dots, &[]).is_err());
    }
    assert_eq!(
        render("https://api.example.com/find?q={inputs.x}&z=1", "a&b=c#d", &[]).unwrap(),
        "https://api.example.com/find?q=a%26b%3Dc%23d&z=1"
    );
}

#[test]
fn a_free_host_must_be_declared() {
    let own = "https://{inputs.x}/api";
    assert!(render(own, "api.acme.example", &[]).is_err());
    assert!(render(own, "api.acme.example", &["*.acme.example"]).is_ok());
    assert!(render(own, "acme.example", &["*.acme.example"]).is_err());
    assert!(render(own, "evilacme.example", &["*.acme.example"]).is_err());
    assert!(render(own, "api.acme.example.evil.example", &["*.acme.example"]).is_err());
    assert!(render(own, "any.example", &["*"]).is_ok());
    assert!(render(own, "127.0.0.1", &["*"]).is_err());
    assert!(render(own, "0x7f.1", &["*"]).is_err());
    assert!(render(own, "metadata.google.internal", &["*"]).is_err());
}

#[test]
fn a_whole_base_comes_from_a_value_only_to_declared_hosts() {
    let base = "{inputs.x}/services/data";
    let hosts = ["*.salesforce.com"];
    assert_eq!(
        render(base, "https://acme.my.salesforce.com", &hosts).unwrap(),
        "https://acme.my.salesforce.com/services/data"
    );
    assert_eq!(
        render(base, "https://acme.my.salesforce.com/sub/", &hosts).unwrap(),
        "https://acme.my.salesforce.com/sub/services/data"
    );
    let bad = [
        "https://evil.example",
        "https://acme.salesforce.com@evil.example",
        "https://evil.example/.salesforce.com",
        "http://acme.salesforce.com",
        "https://acme.salesforce.com:8443",
        "https://acme.salesforce.com?x=",
        "acme.salesforce.com",
        "https://acme.salesforce.com\\@evil.example",
        "https://u:p@acme.salesforce.com",
        "https://salesforce.com.evil.example",
    ];
    for value in bad {
        assert!(render(base, value, &hosts).is_err(), "{value}");
    }
}

#[test]
fn a_filter_argument_may_hold_slashes() {
    let template = UrlTemplate::parse(
        "{inputs.none|default:https://accounts.zoho.com}/oauth/v2/token?x={inputs.y|default:a/b}",
        Loopback::Refused,
    );
    let hosts = [HostPattern::parse("accounts.zoho.com", Loopback::Refused).unwrap()];
    let inputs = Values::new();
    let variables = Variables { inputs: Some(&inputs), ..Variables::default() };
    let url = template.unwrap().render(&variables, &hosts, Loopback::Refused).unwrap();
    assert_eq!(url.as_str(), "https://accounts.zoho.com/oauth/v2/token?x=a%2Fb");
}

proptest! {
    /// Whatever is typed, the call goes to the fixed site or nowhere.
    #[test]
    fn no_value_leaves_the_fixed_site(value in ".{0,40}") {
        if let Ok(url) = render("https://{inputs.x}.zendesk.com/api/{inputs.x}?q={inputs.x}", &value, &[]) {
            let url = url::Url::parse(&url).unwrap();
            prop_assert!(url.host_str().unwrap().ends_with(".zendesk.com"));
            prop_assert!(url.path().starts_with("/api/"));
            prop_assert_eq!(url.path_segments().unwrap().count(), 2);
        }
    }

    #[test]
    fn no_base_leaves_the_declared_hosts(value in "(https://)?[a-z.@:/\\\\#?%0-9]{0,30}(salesforce.com)?[a-z.@:/]{0,10}") {
        if let Ok(url) = render("{inputs.x}/x", &value, &["*.salesforce.com"]) {
            let url = url::Url::parse(&url).unwrap();
            prop_assert!(url.host_str().unwrap().ends_with(".salesforce.com"));
            prop_assert_eq!(url.scheme(), "https");
        }
    }

    #[test]
    fn parsing_never_panics(text in "(https://)?.{0,60}") {
        let _ = UrlTemplate::parse(&text, Loopback::Refused);
        let _ = HostPattern::parse(&text, Loopback::Refused);
    }
}
