//! The recorder behind `/metrics`, and what the process says of itself there.

use kernel::Time;
use metrics::{describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds: from an answer out of memory to a call that ran into its bound.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Installs the recorder of this process; works once.
///
/// # Errors
/// Where one is installed already.
pub fn install(started: Time) -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    describe_counter!("vestibule_http_requests_total", "Requests by route pattern, method and status");
    describe_histogram!("vestibule_http_request_seconds", "Time until an answer begins, by route pattern");
    describe_counter!("vestibule_refusals_total", "Refused landings by code");
    describe_counter!("vestibule_callbacks_refused_total", "Refused callbacks by code");
    describe_counter!("vestibule_webhooks_total", "Webhook deliveries by outcome");
    describe_counter!("vestibule_tenants_connected_total", "Tenants installed or renewed");
    describe_counter!("vestibule_rows_swept_total", "Rows deleted because their time was over, by table");
    describe_counter!("vestibule_connections_waited_total", "Connections that waited for one to end");
    describe_gauge!("vestibule_build_info", "1, with the version of the program");
    describe_gauge!("process_start_time_seconds", "When the process started, in seconds since 1970");
    describe_gauge!("process_resident_memory_bytes", "Memory that the process holds");
    describe_gauge!("process_open_fds", "File descriptors that the process holds");
    gauge!("vestibule_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let seconds = started.micros().checked_div(1_000_000).and_then(|seconds| u32::try_from(seconds).ok());
    gauge!("process_start_time_seconds").set(seconds.map_or(0.0, f64::from));
    observe();
    Ok(handle)
}

/// Reads memory and file descriptors anew, where the system tells them. Blocks on the file system, briefly.
pub fn observe() {
    if let Some(kilobytes) = resident_kilobytes() {
        gauge!("process_resident_memory_bytes").set(f64::from(kilobytes) * 1024.0);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(u32::try_from(open.count()).map_or(0.0, f64::from));
    }
}

/// Memory that this process holds, in kilobytes; `None` where the system has no `/proc`.
pub fn resident_kilobytes() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Files that the operating system lets this process have open, sockets among them; `None` where it does not say.
pub fn open_files_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    #[test]
    fn the_number_of_files_is_known() {
        assert!(super::open_files_limit().unwrap() > 3);
    }

    #[test]
    fn the_memory_of_this_process_is_known() {
        assert!(super::resident_kilobytes().unwrap() > 1000);
    }
}
