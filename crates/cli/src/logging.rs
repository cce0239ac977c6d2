//! What the program writes about itself: to standard error, as text or as one JSON object per line.

mod lines;
mod output;

use crate::settings::{Log, LogFormat};
use lines::Lines;
use output::Output;
use std::sync::OnceLock;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, FilterFn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

/// Libraries that write headers, URLs or statement parameters at their finer levels.
const TALKATIVE: [&str; 8] =
    ["h2", "hyper", "hyper_util", "hyper_rustls", "reqwest", "rustls", "tokio_postgres", "tower"];

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingRefused {
    #[error("`log.filter`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("the thread that writes the log cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("logging was set up before")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for the process. Call once, before anything else runs.
///
/// # Errors
/// [`LoggingRefused`]
pub fn start(log: &Log) -> Result<(), LoggingRefused> {
    let output = Output::start(std::io::stderr())?;
    subscriber(log, output.clone())?.try_init()?;
    OUTPUT.get_or_init(|| output);
    Ok(())
}

static OUTPUT: OnceLock<Output> = OnceLock::new();

/// Writes what was said last. Call once, before the process ends.
pub fn finish() {
    if let Some(output) = OUTPUT.get() {
        output.finish();
    }
}

/// What [`start`] sets up, with another writer: for tests that read what the program says.
///
/// # Errors
/// [`LoggingRefused::Filter`]
pub fn subscriber<W>(log: &Log, writer: W) -> Result<impl Subscriber + Send + Sync + use<W>, LoggingRefused>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    Ok(Registry::default().with(layer(log, writer)?))
}

fn layer<S, W>(log: &Log, writer: W) -> Result<Box<dyn Layer<S> + Send + Sync>, LoggingRefused>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // Decision: no setting makes a library write what may be a secret. Attack: an operator who hunts a bug
    // turns everything to `trace` and the log keeps tokens and passwords. Trade: their details stay unseen.
    let filter = EnvFilter::builder().parse(&log.filter)?.and(FilterFn::new(is_discreet));
    let colours = log.format == LogFormat::Text && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer().event_format(Lines(log.format)).with_ansi(colours);
    Ok(lines.with_writer(writer).with_filter(filter).boxed())
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::ids::RequestIds;
    use kernel::{SeededChance, Time};
    use service::asked::Asked;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn asked() -> Asked {
        let id = RequestIds::new(&SeededChance::new(1)).next(Time::from_seconds(1));
        Asked { id, method: "GET", route: "/{organization}" }
    }

    fn written(format: LogFormat, filter: &str, say: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let to = buffer.clone();
        let log = Log { format, filter: filter.to_owned() };
        tracing::subscriber::with_default(subscriber(&log, move || to.clone()).unwrap(), say);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_is_one_object_per_line_with_the_span() {
        let text = written(LogFormat::Json, "info", || {
            asked().within(|| tracing::info!(status = 200, "answered\nin two lines"));
            tracing::debug!("not seen");
        });
        let line = text.trim_end();
        assert_eq!(line.lines().count(), 1, "{text}");
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["status"], 200);
        assert_eq!(object["message"], "answered\nin two lines");
        assert_eq!(object["level"], "INFO");
        assert_eq!(object["span"]["id"], asked().id.as_str());
        assert_eq!(object["span"]["route"], "/{organization}");
    }

    #[test]
    fn libraries_stay_discreet_at_every_filter() {
        for filter in ["trace", "tokio_postgres=trace,h2=trace", "trace,reqwest::connect=trace"] {
            let text = written(LogFormat::Text, filter, || {
                tracing::debug!(target: "tokio_postgres::query", "parameters: hunter2");
                tracing::trace!(target: "h2::codec", "authorization: hunter2");
                tracing::trace!(target: "reqwest::connect", "https://x/?code=hunter2");
                tracing::info!(target: "h2::codec", "kept");
                tracing::trace!(target: "h2o", "own words");
            });
            assert!(!text.contains("hunter2"), "{filter}: {text}");
        }
        let text = written(LogFormat::Text, "trace", || {
            tracing::info!(target: "h2::codec", "kept");
            tracing::trace!(target: "h2o", "own words");
        });
        assert!(text.contains("kept") && text.contains("own words"), "{text}");
    }

    #[test]
    fn a_text_cannot_forge_a_line() {
        let text = written(LogFormat::Text, "info", || {
            tracing::info!(name = ?"a\n2026-01-01 INFO forged", "seen");
            tracing::info!(name = %"a\n2026-01-01 INFO forged\u{1b}[2J", "se\nen");
            tracing::info!(name = "a\n2026-01-01 INFO forged\u{1b}[2J", "seen\r");
        });
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text:?}");
    }

    #[test]
    fn a_line_says_what_was_asked_and_what_came_of_it() {
        let text = written(LogFormat::Text, "info", || {
            asked().within(|| tracing::info!(status = 200, client = %"::1", name = "a b", "answered"));
            tracing::warn!(flag = true, "alone");
        });
        let (id, lines) = (asked().id, text.lines().collect::<Vec<_>>());
        let request = format!("request{{id={id} method=GET route=/{{organization}}}}: ");
        let rest = format!("  INFO {request}{}: answered status=200 client=::1 name=\"a b\"", module_path!());
        assert_eq!(lines[0].get(27..), Some(rest.as_str()), "{text}");
        assert_eq!(lines[1].get(27..), Some(format!("  WARN {}: alone flag=true", module_path!()).as_str()));
    }
}
