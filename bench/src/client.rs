//! An HTTP/1.1 client that costs as little as possible: it shares the machine's cores with what it measures.

use anyhow::{Context as _, Result, bail};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection that stays open between requests.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, in the connection's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    head: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The first header of that lower-case name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }

    /// Every header of that lower-case name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = std::str::from_utf8(self.head).unwrap_or_default().lines();
        lines.filter_map(move |line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn text(&self) -> &'a str {
        std::str::from_utf8(self.body).unwrap_or_default()
    }

    /// The answer, if it has this status.
    ///
    /// # Errors
    /// With what came in its place.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        let said: String = self.text().chars().take(600).collect();
        bail!("status {} where {status} was due: {said}", self.status)
    }
}

impl Connection {
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(32 * 1024) })
    }

    /// Sends one request and reads its whole answer.
    ///
    /// # Errors
    /// When the connection ends, or for an answer without a length.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = self.read_head().await?;
        let told = self.buffer.get(..head).unwrap_or_default();
        let length: usize = match header(told, "content-length") {
            Some(text) => text.parse().context("the answer's length")?,
            None if header(told, "transfer-encoding").is_some() => bail!("the answer comes in chunks"),
            None => 0,
        };
        while self.buffer.len() < head + length {
            self.fill().await?;
        }
        let (head, rest) = self.buffer.split_at_checked(head).context("the head")?;
        let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        let status = status.and_then(|digits| digits.parse().ok()).context("the answer's status")?;
        Ok(Answer { status, head, body: rest.get(..length).unwrap_or_default() })
    }

    /// How long the head is, the empty line included.
    async fn read_head(&mut self) -> Result<usize> {
        let mut searched: usize = 0;
        loop {
            let start = searched.saturating_sub(3);
            let fresh = self.buffer.get(start..).unwrap_or_default();
            if let Some(at) = fresh.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(start + at + 4);
            }
            searched = self.buffer.len();
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| {
        let (start, rest) = line.split_at_checked(name.len())?;
        (start.eq_ignore_ascii_case(name.as_bytes()) && rest.first() == Some(&b':')).then_some(rest)
    })?;
    std::str::from_utf8(value.get(1..)?).ok().map(str::trim)
}

/// The bytes of a request, written once and sent often. `headers` end with `\r\n` each.
pub fn request(method: &str, path: &str, host: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = match method {
        "GET" => String::new(),
        _ => format!("content-length: {}\r\n", body.len()),
    };
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}{length}\r\n{body}").into_bytes()
}

/// What a browser sends with the document of a frame.
pub const BROWSER: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/156.0.0.0 Safari/537.36\r\naccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
accept-language: en-GB,en;q=0.9\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\n\
sec-fetch-dest: iframe\r\n";

/// The form's type, for requests that carry one.
pub const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";
