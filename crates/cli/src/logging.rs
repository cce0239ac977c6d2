//! What the program writes about itself: to standard error, as text or as one JSON object per line.

use crate::settings::{Log, LogFormat};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, FilterFn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

/// Libraries that write headers, URLs or statement parameters at their finer levels.
const TALKATIVE: [&str; 9] = [
    "h2",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "reqwest",
    "rustls",
    "tokio_postgres",
    "tower",
    "tower_http",
];

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingRefused {
    #[error("`log.filter`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging was set up before")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for the process. Call once, before anything else runs.
///
/// # Errors
/// [`LoggingRefused`]
pub fn start(log: &Log) -> Result<(), LoggingRefused> {
    subscriber(log, std::io::stderr)?.try_init()?;
    Ok(())
}

fn subscriber<W>(log: &Log, writer: W) -> Result<impl Subscriber + Send + Sync + use<W>, LoggingRefused>
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
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).with_filter(filter).boxed()
        }
    })
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let _request = tracing::info_span!("request", request_id = "r1").entered();
            tracing::info!(status = 200, "answered\nin two lines");
            tracing::debug!("not seen");
        });
        let line = text.trim_end();
        assert_eq!(line.lines().count(), 1, "{text}");
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["status"], 200);
        assert_eq!(object["message"], "answered\nin two lines");
        assert_eq!(object["level"], "INFO");
        assert_eq!(object["span"]["request_id"], "r1");
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
        });
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
