//! A git server of one test, and repositories in it: the program `git` behind a few lines of HTTP.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as InPath, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// Git without anything of the machine's or the account's settings.
fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "Test").env(format!("GIT_{who}_EMAIL"), "test@example.com");
    }
    git
}

pub(super) fn run_git(folder: &Path, words: &[&str]) -> String {
    let done = git(folder).args(words).output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// A repository with one commit on `main` that has these files.
pub(super) fn repository(folder: &Path, files: &[(&str, &str)]) {
    std::fs::create_dir_all(folder).unwrap();
    run_git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    commit(folder, files);
}

/// One more commit; its revision.
pub(super) fn commit(folder: &Path, files: &[(&str, &str)]) -> String {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    run_git(folder, &["add", "--all"]);
    run_git(folder, &["commit", "--quiet", "--message", "A change"]);
    run_git(folder, &["rev-parse", "HEAD"])
}

pub(super) struct GitServer {
    pub(super) folder: TempDir,
    address: String,
}

impl GitServer {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Arc::new(folder.path().to_owned());
        let router = Router::new()
            .route("/{repository}/info/refs", get(refs))
            .route("/{repository}/git-upload-pack", post(upload))
            .with_state(root);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { folder, address }
    }

    /// `host:port`, as the operator allows it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }
}

fn upload_pack(root: &Path, name: &str, words: &[&str], body: &[u8]) -> Option<Vec<u8>> {
    let folder = root.join(name);
    if !folder.is_dir() {
        return None;
    }
    let mut child = git(root)
        .args(["-c", "safe.directory=*", "upload-pack", "--stateless-rpc"])
        .args(words)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    Some(child.wait_with_output().unwrap().stdout)
}

async fn refs(
    State(root): State<Arc<PathBuf>>,
    InPath(name): InPath<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if query.get("service").map(String::as_str) != Some("git-upload-pack") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(listed) = upload_pack(&root, &name, &["--advertise-refs"], b"") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let body = [b"001e# service=git-upload-pack\n0000".as_slice(), &listed].concat();
    ([(header::CONTENT_TYPE, "application/x-git-upload-pack-advertisement")], body).into_response()
}

async fn upload(State(root): State<Arc<PathBuf>>, InPath(name): InPath<String>, body: Bytes) -> Response {
    let Some(packed) = upload_pack(&root, &name, &[], &body) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    ([(header::CONTENT_TYPE, "application/x-git-upload-pack-result")], packed).into_response()
}
