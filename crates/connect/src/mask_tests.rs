use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

fn masked(values: &[&str], text: &str) -> String {
    let mask = Mask::new(values.iter().copied());
    String::from_utf8(mask.whole(text.as_bytes())).unwrap()
}

#[test]
fn values_are_masked_wherever_they_stand() {
    assert_eq!(masked(&["hunter2!"], "password=hunter2! and hunter2!"), "password=*** and ***");
    assert_eq!(masked(&["hunter2!"], "hunter2"), "hunter2");
    assert_eq!(masked(&[], "anything"), "anything");
    assert_eq!(masked(&["hunter2!"], ""), "");
}

#[test]
fn of_values_within_each_other_the_longest_counts() {
    assert_eq!(masked(&["secret", "secret-longer"], "a secret-longer b secret c"), "a *** b *** c");
    assert_eq!(masked(&["abcdef", "defghi"], "xabcdefghix"), "x***x");
    assert_eq!(masked(&["abcd"], "abcdabcd"), "******");
    assert_eq!(masked(&["aaaa"], "aaaaaa"), "***");
}

#[test]
fn short_values_are_left_alone() {
    assert_eq!(masked(&["yes", "", "  12 "], "yes, 12 of them"), "yes, 12 of them");
    assert_eq!(masked(&["üüü"], "üüü"), "üüü");
    assert_eq!(masked(&["üüüü"], "üüüü"), "***");
}

#[test]
fn values_in_other_clothes_are_masked() {
    let value = "pä\"ss/wörd +1\n";
    for text in [
        serde_json::Value::from(value).to_string(),
        r#""p\u00e4\"ss\/w\u00f6rd +1\n""#.to_owned(),
        serde_json::Value::from(serde_json::json!({ "inner": value }).to_string()).to_string(),
        "p%C3%A4%22ss%2Fw%C3%B6rd%20%2B1%0A".to_owned(),
        "p%c3%a4%22ss%2fw%c3%b6rd+%2b1%0a".to_owned(),
        "p%C3%A4%22ss/w%C3%B6rd%20%2B1".to_owned(),
        STANDARD.encode(value),
        URL_SAFE_NO_PAD.encode(value.trim()),
        value.trim().to_owned(),
    ] {
        let left = masked(&[value], &text);
        assert!(left.contains("***") && left.len() <= 40 && !left.contains("rd"), "{text} became {left}");
    }
}

#[test]
fn lines_of_a_key_are_masked_one_by_one() {
    let key = "-----BEGIN KEY-----\nQSBsaW5lIG9mIGEga2V5IHRoYXQgbm9ib2R5IGhhcw\nshort\n-----END KEY-----\n";
    assert_eq!(masked(&[key], "  QSBsaW5lIG9mIGEga2V5IHRoYXQgbm9ib2R5IGhhcw\n  short"), "  ***\n  short");
    assert_eq!(masked(&[key], key), "***");
}

#[test]
fn a_basic_header_is_masked() {
    let header = format!("Authorization: Basic {}", STANDARD.encode("client:a-long-secret-value"));
    let left = masked(&["a-long-secret-value"], &header);
    assert!(left.contains("***"), "{left}");
    let rest = left.rsplit_once("***").unwrap().1;
    assert!(rest.len() <= 3, "{left}");
}

#[test]
fn a_line_without_a_beginning_of_a_value_is_shown_at_once() {
    let mask = Mask::new(["a-secret-that-is-long"]);
    let mut stream = mask.masker();
    assert_eq!(stream.push(b"a line\n"), b"a line\n");
    assert_eq!(stream.push(b"then a-sec"), b"then ");
    assert_eq!(stream.push(b"ond\n"), b"a-second\n");
    assert_eq!(stream.push(b"a-secret-that-is-lon"), b"");
    assert_eq!(stream.push(b"g!"), b"***!");
    assert_eq!(stream.push(b"a-secret"), b"");
    assert_eq!(stream.finish(), b"a-secret");
}

/// Few letters, so that values and text meet often, in all ways.
fn values() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[ab/]{4,9}", 0..4)
}

fn text() -> impl Strategy<Value = String> {
    "[ab/%2FYQ\\\\]{0,60}"
}

/// Every place of every form, found one by one; overlapping ones are one.
fn plainly(mask: &Mask, text: &[u8]) -> Vec<u8> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for from in 0..text.len() {
        let here = mask.forms.iter().filter(|form| text[from..].starts_with(form)).map(Vec::len).max();
        let Some(length) = here else { continue };
        match places.last_mut() {
            Some((_, end)) if from < *end => *end = (*end).max(from + length),
            _ => places.push((from, from + length)),
        }
    }
    let mut shown = Vec::new();
    let mut at = 0;
    for (from, to) in places {
        shown.extend_from_slice(&text[at..from]);
        shown.extend_from_slice(MASK);
        at = to;
    }
    shown.extend_from_slice(&text[at..]);
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn wherever_the_text_is_cut_the_same_is_masked(
        values in values(),
        text in text(),
        cuts in proptest::collection::vec(0_usize..60, 0..8),
    ) {
        let mask = Mask::new(values.iter().map(String::as_str));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut stream = mask.masker();
        let mut shown = Vec::new();
        for pair in cuts.windows(2) {
            shown.extend(stream.push(&text.as_bytes()[pair[0]..pair[1]]));
        }
        shown.extend(stream.finish());
        prop_assert_eq!(&shown, &plainly(&mask, text.as_bytes()));
        prop_assert_eq!(shown, mask.whole(text.as_bytes()));
    }

    #[test]
    fn no_value_is_left_in_any_form(value in "\\PC{4,40}", before in "\\PC{0,5}", behind in "\\PC{0,5}") {
        prop_assume!(value.trim().chars().count() >= SHORTEST && !"***".contains(value.trim()));
        let mask = Mask::new([value.as_str()]);
        let around = format!("{before}{value}{behind}");
        let json = serde_json::Value::from(around.as_str()).to_string();
        let percent: String = url::form_urlencoded::byte_serialize(around.as_bytes()).collect();
        for text in [&around, &json, &percent] {
            let shown = String::from_utf8_lossy(&mask.whole(text.as_bytes())).into_owned();
            prop_assert!(shown.contains("***"), "{text:?} is shown as {shown:?}");
            prop_assert!(!shown.contains(&value) || value.trim_matches('*').len() < SHORTEST, "{shown:?}");
        }
        // Of a base64 text, characters stay that carry bits of what stands around the value.
        let shown = String::from_utf8(mask.whole(STANDARD.encode(&around).as_bytes())).unwrap();
        let others = (before.len() + behind.len()) * 8 / 6 + 8;
        prop_assert!(shown.replace("***", "").len() <= others, "{shown}");
    }
}
