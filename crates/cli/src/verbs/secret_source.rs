//! Where a secret comes from: a file, standard input or a variable, so that no shell's history and no list of
//! processes keeps it.

use anyhow::{Context as _, bail};
use kernel::SecretText;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The most that is read, in bytes: more is no secret and no key.
const MOST: u64 = 64 * 1024;

/// The content of a file, or of standard input for `-`, without the line's end.
///
/// # Errors
/// Where it cannot be read, is no text or is empty.
pub fn file_or_input(path: &Path) -> anyhow::Result<SecretText> {
    let mut text = String::new();
    let said = path.display();
    if path == Path::new("-") {
        std::io::stdin().take(MOST).read_to_string(&mut text).context("standard input")?;
    } else {
        let file = File::open(path).with_context(|| format!("{said} cannot be opened"))?;
        file.take(MOST).read_to_string(&mut text).with_context(|| format!("{said} cannot be read"))?;
    }
    let trimmed = text.trim_end_matches(['\r', '\n']);
    if trimmed.is_empty() {
        bail!("{said} is empty");
    }
    let secret = SecretText::new(trimmed);
    zeroize::Zeroize::zeroize(&mut text);
    Ok(secret)
}

/// The value of a variable of the environment.
///
/// # Errors
/// Where it is not set or empty.
pub fn variable(name: &str) -> anyhow::Result<SecretText> {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
    match value.filter(|value| !value.is_empty()) {
        Some(value) => Ok(SecretText::new(value)),
        None => bail!("the variable {name} is not set"),
    }
}
