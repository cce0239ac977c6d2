//! One line for each event: what was asked, where it was said, what was said.
//!
//! Every request writes a line, so its parts are written straight into the line's buffer.

use super::LogFormat;
use kernel::{Clock as _, SystemClock, Time};
use service::asked::asked;
use std::cell::Cell;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes the lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines(pub(super) LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.0 {
            LogFormat::Text => text(&mut writer, event),
            LogFormat::Json => json(&mut writer, event),
        }
    }
}

fn text(writer: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let [faint, colour, plain] = if writer.has_ansi_escapes() {
        ["\u{1b}[2m", colour(*event.metadata().level()), "\u{1b}[0m"]
    } else {
        [""; 3]
    };
    writer.write_str(faint)?;
    time(writer)?;
    writer.write_str(plain)?;
    // As wide as the widest.
    let level = event.metadata().level().as_str();
    writer.write_str(if level.len() < 5 { "  " } else { " " })?;
    writer.write_str(colour)?;
    writer.write_str(level)?;
    writer.write_str(plain)?;
    writer.write_str(" ")?;
    let request = asked(|asked| {
        for part in
            ["request{id=", asked.id.as_str(), " method=", asked.method, " route=", asked.route, "}: "]
        {
            writer.write_str(part)?;
        }
        fmt::Result::Ok(())
    });
    request.unwrap_or(Ok(()))?;
    writer.write_str(faint)?;
    writer.write_str(event.metadata().target())?;
    writer.write_str(":")?;
    writer.write_str(plain)?;
    let mut fields = Fields { writer: &mut *writer, json: false, done: Ok(()) };
    event.record(&mut fields);
    fields.done?;
    writer.write_char('\n')
}

thread_local! {
    /// The second of the last line of this thread, and its text up to the point.
    static SECOND: Cell<(i64, [u8; 19])> = const { Cell::new((i64::MIN, [0; 19])) };
}

/// The present, as `2026-01-31T12:00:00.123456Z`. Lines come many in a second, and each second is written once.
fn time(writer: &mut Writer<'_>) -> fmt::Result {
    let micros = SystemClock.now().micros();
    let second = micros.div_euclid(1_000_000);
    let (known, mut text) = SECOND.get();
    if known != second {
        let shown = Time::from_seconds(second).iso_seconds();
        text = *shown.as_bytes().first_chunk().ok_or(fmt::Error)?;
        SECOND.set((second, text));
    }
    writer.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)?;
    let mut rest = micros.rem_euclid(1_000_000);
    let mut fraction = *b".000000Z";
    for digit in fraction.iter_mut().skip(1).take(6).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    writer.write_str(std::str::from_utf8(&fraction).map_err(|_| fmt::Error)?)
}

const fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}

fn json(writer: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    writer.write_str("{\"timestamp\":\"")?;
    time(writer)?;
    writer.write_str("\",\"level\":\"")?;
    writer.write_str(event.metadata().level().as_str())?;
    writer.write_char('"')?;
    let mut fields = Fields { writer: &mut *writer, json: true, done: Ok(()) };
    event.record(&mut fields);
    fields.done?;
    writer.write_str(",\"target\":")?;
    quoted(writer, event.metadata().target())?;
    let request = asked(|asked| {
        writer.write_str(",\"span\":{\"id\":")?;
        quoted(writer, asked.id.as_str())?;
        writer.write_str(",\"method\":")?;
        quoted(writer, asked.method)?;
        writer.write_str(",\"route\":")?;
        quoted(writer, asked.route)?;
        writer.write_str(",\"name\":\"request\"}")
    });
    request.unwrap_or(Ok(()))?;
    writer.write_str("}\n")
}

/// Writes the fields of one event. The message comes first, because it is the first of them.
struct Fields<'line, 'writer> {
    writer: &'line mut Writer<'writer>,
    json: bool,
    done: fmt::Result,
}

impl Fields<'_, '_> {
    fn name(&mut self, field: &Field) -> fmt::Result {
        match (self.json, field.name()) {
            (true, name) => {
                self.writer.write_char(',')?;
                quoted(self.writer, name)?;
                self.writer.write_char(':')
            }
            (false, "message") => self.writer.write_char(' '),
            (false, name) => {
                self.writer.write_char(' ')?;
                self.writer.write_str(name)?;
                self.writer.write_char('=')
            }
        }
    }

    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Self) -> fmt::Result) {
        if self.done.is_ok() {
            self.done = self.name(field).and_then(|()| value(self));
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |it| {
            let bare = !it.json && field.name() == "message";
            if bare { write!(Tame(it.writer), "{value}") } else { quoted(it.writer, value) }
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, |it| write!(it.writer, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, |it| write!(it.writer, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, |it| write!(it.writer, "{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, |it| {
            if it.json {
                quoted(it.writer, &format!("{value:?}"))
            } else {
                write!(Tame(it.writer), "{value:?}")
            }
        });
    }
}

/// What can stand between quotation marks as it is, in both formats.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// A text between quotation marks, as JSON writes it.
fn quoted(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    if is_plain(text) {
        writer.write_char('"')?;
        writer.write_str(text)?;
        return writer.write_char('"');
    }
    writer.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

/// Writes what is no control character as it is, and the others as escapes: no text forges a line, or speaks to the
/// terminal that shows it.
struct Tame<'line, 'writer>(&'line mut Writer<'writer>);

impl Write for Tame<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            match part.char_indices().next_back().filter(|(_, last)| last.is_control()) {
                Some((at, last)) => {
                    self.0.write_str(part.get(..at).unwrap_or_default())?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                None => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}
