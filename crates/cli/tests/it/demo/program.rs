//! The demo as a shell starts it.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use testkit::process::{Launch, Stop, Supervised};

const SOON: Duration = Duration::from_secs(30);

fn start(port: &str) -> Supervised {
    let launch = Launch::new(env!("CARGO_BIN_EXE_vestibule")).unwrap();
    launch.arguments(["demo", "--port", port]).start().unwrap()
}

#[test]
fn it_prints_one_address_and_leaves_nothing_behind() {
    let demo = start("0");
    let address = demo.wait_for_line(|line| line.trim().starts_with("http://tour.localhost:"), SOON).unwrap();
    assert_ne!(address.trim(), "http://tour.localhost:0");
    let kept = demo.wait_for_line(|line| line.contains("keeps everything in "), SOON).unwrap();
    let folder = Path::new(kept.rsplit(' ').next().unwrap()).to_owned();
    assert!(folder.join("vestibule.db").exists());
    demo.signal(Stop::Interrupt).unwrap();
    assert_eq!(demo.wait_for_end(SOON).as_deref(), Some("0"), "{}", demo.output());
    assert!(!folder.exists());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let demo = start(&port);
    assert_eq!(demo.wait_for_end(SOON).as_deref(), Some("1"));
    assert!(demo.output().contains(&format!("port {port} of 127.0.0.1")), "{}", demo.output());
}
