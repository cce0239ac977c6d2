//! The process between gateway and program.
//!
//! It hands the program its own standard output and error, which lead to the gateway, so that nothing the program
//! prints passes through here; orders and reports go over the socket that is its standard input.

mod guard;
mod setup;
mod tree;

use crate::program::How;
use crate::scratch;
use crate::wire::{self, Order, Report, Task};
use guard::{Guard, News};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, wait};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

/// What the hidden verb does: takes one program over the socket, runs it, and is gone once nothing of it is left.
pub fn supervise() -> ExitCode {
    let ended = setup::become_supervisor().and_then(|socket| {
        let mut orders = BufReader::new(socket.try_clone()?).lines();
        let Some(first) = orders.next() else { return Ok(()) };
        let Ok(Order::Begin(task)) = serde_json::from_str(&first?) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        run(&task, orders, &socket)
    });
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(task: &Task, orders: io::Lines<BufReader<UnixStream>>, socket: &UnixStream) -> io::Result<()> {
    let lock = task.scratch.as_deref().map(scratch::locked).transpose();
    let report = match lock.and_then(|lock| Ok((lock, setup::start(task)?))) {
        Err(error) => ended_at_once(How::NotStarted(error.to_string())),
        Ok((lock, program)) => {
            say(socket, &Report::Started);
            let report = watched(task, program, orders)?;
            drop_scratch(task, lock);
            report
        }
    };
    say(socket, &report);
    Ok(())
}

/// Follows the program to the end of everything it started.
fn watched(task: &Task, program: Pid, orders: io::Lines<BufReader<UnixStream>>) -> io::Result<Report> {
    let (sender, news) = mpsc::channel();
    let reaper = sender.clone();
    thread::Builder::new().name("reaper".into()).spawn(move || reap(&reaper))?;
    thread::Builder::new().name("orders".into()).spawn(move || listen(orders, &sender))?;
    Ok(Guard::new(task, program).until_nothing_is_left(&news))
}

/// Collects what ends. That there is nothing more to wait for means that nothing is left: orphans become children of
/// this process before their parent can be waited for.
fn reap(news: &mpsc::Sender<News>) {
    loop {
        let told = match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => news.send(News::Reaped(pid, status)),
            Ok(None) | Err(Errno::INTR) => Ok(()),
            Err(_) => {
                let _ = news.send(News::NothingLeft);
                return;
            }
        };
        if told.is_err() {
            return;
        }
    }
}

/// Passes orders on. The end of the stream is one: the gateway is gone, or wants nothing more of this program.
fn listen(orders: io::Lines<BufReader<UnixStream>>, news: &mpsc::Sender<News>) {
    for line in orders {
        let Some(order) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { break };
        if news.send(News::Ordered(order)).is_err() {
            return;
        }
    }
    let _ = news.send(News::Ordered(Order::Cancel));
}

fn drop_scratch(task: &Task, lock: Option<File>) {
    // The gateway tries again where this fails, and it has a log to say so.
    let _ = task.scratch.as_deref().map(scratch::remove);
    drop(lock);
}

/// Where the gateway is gone, there is nobody to tell.
fn say(mut socket: &UnixStream, report: &Report) {
    if let Ok(line) = wire::line(report) {
        let _ = socket.write_all(&line);
    }
}

fn ended_at_once(how: How) -> Report {
    Report::Ended { how, took_micros: 0, peak_memory: 0 }
}
