//! Spans of time as people write them: `90s`, `15m`, `24h`, `7d`.

/// Seconds of a span; a number without a unit is refused, because nobody could say what it means.
///
/// # Errors
/// What to write instead.
pub fn seconds(text: &str) -> Result<i64, String> {
    let refused = || format!("`{text}` is not a span of time; write it as 90s, 15m, 24h or 7d");
    let unit = text.chars().next_back().ok_or_else(refused)?;
    let size: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(refused()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number = number.parse::<u32>().map_err(|_| refused())?;
    Ok(i64::from(number) * size)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_span_has_a_unit() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(seconds("7d"), Ok(604_800));
        for bad in ["", "h", "24", "-1h", "1.5h", "24 h", "1w", "99999999999d", "1é"] {
            assert!(seconds(bad).unwrap_err().contains("24h"), "{bad}");
        }
    }
}
