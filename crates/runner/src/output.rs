//! What is kept of a program's output: the end of standard output, the beginning of standard error.

use bytes::Bytes;

/// Standard output as it comes: all of it up to a limit, beyond that its last bytes.
#[derive(Debug)]
pub struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    dropped: u64,
}

impl Kept {
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, dropped: 0 }
    }

    /// Costs at most twice the limit of memory, and copies a byte once more at most.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        if self.bytes.len() > self.limit.saturating_mul(2) {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let over = self.bytes.len().saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.dropped = self.dropped.saturating_add(u64::try_from(over).unwrap_or(u64::MAX));
    }

    /// What is kept, and whether anything is missing. What is missing is told by a line of its own in front; behind
    /// it a line begins at its beginning, where one begins at all.
    pub fn finish(mut self) -> (Vec<u8>, bool) {
        self.shorten();
        if self.dropped == 0 {
            return (self.bytes, false);
        }
        let rest = match self.bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) if end + 1 < self.bytes.len() => self.bytes.split_off(end + 1),
            _ => std::mem::take(&mut self.bytes),
        };
        let dropped = self.dropped.saturating_add(u64::try_from(self.bytes.len()).unwrap_or(0));
        let mut kept = format!("[vestibule: {dropped} bytes of output are cut here]\n").into_bytes();
        kept.extend_from_slice(&rest);
        (kept, true)
    }
}

/// Standard error as it comes: all of it up to a limit, then one line that says so, then nothing.
#[derive(Debug)]
pub struct Log {
    left: u64,
    limit: u64,
    cut: bool,
}

impl Log {
    pub const fn new(limit: u64) -> Self {
        Self { left: limit, limit, cut: false }
    }

    /// The part of `piece` that is passed on; `None` where nothing is any more.
    pub fn pass(&mut self, piece: &[u8]) -> Option<Bytes> {
        if self.cut || piece.is_empty() {
            return None;
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        self.left = self.left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let Some((fits, over)) = piece.split_at_checked(room).filter(|(_, over)| !over.is_empty()) else {
            return Some(Bytes::copy_from_slice(piece));
        };
        debug_assert!(!over.is_empty());
        self.cut = true;
        let mut last = fits.to_vec();
        last.extend_from_slice(
            format!("\n[vestibule: the log is cut here, at {} bytes]\n", self.limit).as_bytes(),
        );
        Some(last.into())
    }

    pub const fn is_cut(&self) -> bool {
        self.cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(limit: usize, pieces: &[&str]) -> (String, bool) {
        let mut kept = Kept::new(limit);
        pieces.iter().for_each(|piece| kept.push(piece.as_bytes()));
        let (bytes, cut) = kept.finish();
        (String::from_utf8(bytes).unwrap(), cut)
    }

    #[test]
    fn output_within_the_limit_is_kept_to_the_byte() {
        assert_eq!(kept(4, &[]), (String::new(), false));
        assert_eq!(kept(4, &["ab", "", "cd"]), ("abcd".into(), false));
        assert_eq!(kept(4, &["ab\n\n"]), ("ab\n\n".into(), false));
    }

    #[test]
    fn of_longer_output_the_last_lines_are_kept() {
        let cut =
            |bytes, rest: &str| (format!("[vestibule: {bytes} bytes of output are cut here]\n{rest}"), true);
        assert_eq!(kept(6, &["one\ntwo\nend\n"]), cut(8, "end\n"));
        assert_eq!(kept(6, &["one\n", "two\n", "end"]), cut(8, "end"));
        assert_eq!(kept(4, &["a line that is long"]), cut(15, "long"));
        assert_eq!(kept(4, &["a line that is long\n"]), cut(16, "ong\n"));
        assert_eq!(kept(0, &["a"]), cut(1, ""));
    }

    #[test]
    fn output_without_end_costs_twice_the_limit() {
        let mut kept = Kept::new(1000);
        for _ in 0..10_000 {
            kept.push(&[b'x'; 300]);
            assert!(kept.bytes.len() <= 2000);
        }
        let (bytes, cut) = kept.finish();
        assert!(cut && bytes.ends_with(&[b'x'; 1000]));
        assert!(bytes.starts_with(b"[vestibule: 2999000 bytes"));
    }

    #[test]
    fn a_log_ends_with_a_line_that_says_so() {
        let mut log = Log::new(5);
        assert_eq!(log.pass(b"abc").unwrap(), "abc");
        assert_eq!(log.pass(b""), None);
        assert_eq!(log.pass(b"de").unwrap(), "de");
        assert!(!log.is_cut());
        assert_eq!(log.pass(b"f").unwrap(), "\n[vestibule: the log is cut here, at 5 bytes]\n");
        assert!(log.is_cut());
        assert_eq!(log.pass(b"g"), None);
        let mut log = Log::new(2);
        assert_eq!(log.pass(b"abcd").unwrap(), "ab\n[vestibule: the log is cut here, at 2 bytes]\n");
    }
}
