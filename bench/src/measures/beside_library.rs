//! npm `oidc-provider` beside the second door: the same operations, ES256, kept in memory only.

use super::enter::{PROGRAM, VISITOR, form, parameter, text};
use super::{Plan, workers};
use crate::client::{Connection, request};
use crate::load::{Summary, Work, run};
use crate::process::{Server, free_address};
use crate::report::{Fact, Other, Report};
use crate::second_door::{REDIRECT, VERIFIER};
use anyhow::{Context as _, Result};
use kernel::{Plain, SystemChance};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

/// As the tables name it.
const NAME: &str = "oidc-provider";
const CLIENT: &str = "measured";

/// What is measured of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    CodeAndToken,
    Refresh,
    Introspection,
    UserInfo,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::CodeAndToken => "code and token",
            Self::Refresh => "refresh",
            Self::Introspection => "introspection",
            Self::UserInfo => "userinfo",
        }
    }
}

/// Whom its server knows.
#[derive(Debug)]
struct Known {
    host: String,
    secret: Plain,
    session: Plain,
}

impl Known {
    fn proof(&self) -> String {
        format!("client_id={CLIENT}&client_secret={}", self.secret.reveal())
    }
}

/// One client of it.
#[derive(Debug)]
struct Caller {
    connection: Connection,
    known: Rc<Known>,
    operation: Operation,
    /// A refresh token, or an access token.
    token: String,
}

impl Caller {
    async fn sign_in(&mut self) -> Result<Value> {
        let host = &self.known.host;
        let redirect = REDIRECT.replace(':', "%3A").replace('/', "%2F");
        let path = format!(
            "/auth?response_type=code&client_id={CLIENT}&redirect_uri={redirect}&scope=openid%20profile%20email\
             &state=af0ifjsldkj&nonce=n-0S6_WzA2Mj&code_challenge={}&code_challenge_method=S256",
            crate::second_door::CHALLENGE
        );
        let headers = format!("{VISITOR}cookie: _session={}\r\n", self.known.session.reveal());
        let answer = self.connection.send(&request("GET", &path, host, &headers, "")).await?.expect(303)?;
        let code = parameter(answer.header("location").context("the code's address")?, "code")?;
        let body = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={redirect}&code_verifier={VERIFIER}&{}",
            self.known.proof()
        );
        let answer = self.connection.send(&form(host, "/token", &body)).await?.expect(200)?;
        Ok(serde_json::from_slice(answer.body)?)
    }

    /// What the operation needs beforehand.
    async fn ready(mut self) -> Result<Self> {
        let name = match self.operation {
            Operation::CodeAndToken => return Ok(self),
            Operation::Refresh => "refresh_token",
            Operation::Introspection | Operation::UserInfo => "access_token",
        };
        self.token = text(&self.sign_in().await?, name)?;
        Ok(self)
    }
}

impl Work for Caller {
    async fn operate(&mut self) -> Result<bool> {
        let (host, token) = (&self.known.host, &self.token);
        let asked = match self.operation {
            Operation::CodeAndToken => return self.sign_in().await.map(|_| true),
            Operation::Refresh => {
                let body = format!("grant_type=refresh_token&refresh_token={token}&{}", self.known.proof());
                form(host, "/token", &body)
            }
            Operation::Introspection => {
                form(host, "/token/introspection", &format!("token={token}&{}", self.known.proof()))
            }
            Operation::UserInfo => {
                let headers = format!("{PROGRAM}authorization: Bearer {token}\r\n");
                request("GET", "/me", host, &headers, "")
            }
        };
        let answer = self.connection.send(&asked).await?.expect(200)?;
        if self.operation == Operation::Refresh {
            self.token = text(&serde_json::from_slice(answer.body)?, "refresh_token")?;
        }
        Ok(true)
    }
}

/// Measures it, or says plainly why it is not.
///
/// # Errors
/// When it runs and answers what it should not.
pub async fn measure(
    operations: &[Operation],
    folder: &Path,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let known =
        Known { host: String::new(), secret: Plain::new(&SystemChance), session: Plain::new(&SystemChance) };
    let started = start(known, folder).await;
    let (server, known) = match started {
        Ok(started) => started,
        Err(why) => {
            let value = format!("not measured: {why:#}");
            plan.progress.suspend(|| println!("{NAME}: {value}"));
            let what = format!("npm {NAME} beside the second door");
            report.facts.push(Fact { what, value, goal: String::new() });
            return Ok(());
        }
    };
    for &operation in operations {
        for &clients in &plan.clients {
            plan.progress.set_message(format!("{NAME} · {} · {clients} clients", operation.name()));
            let mut windows = Vec::new();
            for round in 0..=plan.rounds {
                let made = workers(&server, clients, |connection| Caller {
                    connection,
                    known: Rc::clone(&known),
                    operation,
                    token: String::new(),
                });
                let mut callers = Vec::with_capacity(clients);
                for caller in made.await? {
                    callers.push(caller.ready().await?);
                }
                let length = if round == 0 { plan.warm_up } else { plan.window };
                windows.push(run(&server, &mut callers, length).await?);
            }
            let summary = Summary::of(windows.get(1..).unwrap_or_default());
            let other = Other { operation: operation.name(), server: NAME, clients, summary };
            plan.progress.suspend(|| println!("{}", other.told()));
            report.others.push(other);
            plan.progress.inc(1);
        }
    }
    Ok(())
}

async fn start(known: Known, folder: &Path) -> Result<(Server, Rc<Known>)> {
    let node = testkit::node::program();
    let there = Command::new(&node).arg("--version").output();
    there.with_context(|| format!("Node is not here ({})", node.display()))?;
    let script = testkit::node::folder().join("measured_provider.mjs");
    anyhow::ensure!(
        testkit::node::folder().join("node_modules/oidc-provider").exists(),
        "its package is not here; run `cargo xtask setup`"
    );
    let address = free_address();
    let settings = json!({
        "port": address.port(), "client_id": CLIENT, "client_secret": known.secret.reveal(),
        "redirect_uri": REDIRECT, "session": known.session.reveal(),
    });
    let mut command = Command::new(node);
    command.arg(script).arg(settings.to_string()).env("NODE_ENV", "production");
    let path = "/.well-known/openid-configuration";
    let server = Server::start(&mut command, address, path, &folder.join("oidc-provider.log")).await?;
    Ok((server, Rc::new(Known { host: address.to_string(), ..known })))
}
