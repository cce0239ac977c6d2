//! Licence expressions as packages state them (SPDX 2.3, annex D), with the older `MIT/Apache-2.0` for "or".

use anyhow::{Context as _, bail};

/// Whether somebody who accepts just the licences that `accepted` says yes to may use what the expression covers.
/// A licence with an exception is asked for as one name: `Apache-2.0 WITH LLVM-exception`.
pub(crate) fn satisfied(expression: &str, accepted: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = Words { words: spaced.split_whitespace().collect(), at: 0 };
    let answer = any(&mut words, accepted).with_context(|| format!("licence expression `{expression}`"))?;
    match words.next() {
        None => Ok(answer),
        Some(word) => bail!("licence expression `{expression}`: unexpected `{word}`"),
    }
}

struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn take(&mut self, wanted: &str) -> bool {
        let there = self.words.get(self.at).is_some_and(|word| *word == wanted);
        self.at += usize::from(there);
        there
    }
}

fn any(words: &mut Words<'_>, accepted: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    let mut answer = all(words, accepted)?;
    while words.take("OR") {
        answer |= all(words, accepted)?;
    }
    Ok(answer)
}

fn all(words: &mut Words<'_>, accepted: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    let mut answer = one(words, accepted)?;
    while words.take("AND") {
        answer &= one(words, accepted)?;
    }
    Ok(answer)
}

fn one(words: &mut Words<'_>, accepted: &dyn Fn(&str) -> bool) -> anyhow::Result<bool> {
    match words.next().context("ends too early")? {
        "(" => {
            let answer = any(words, accepted)?;
            if !words.take(")") {
                bail!("a parenthesis stays open");
            }
            Ok(answer)
        }
        word @ (")" | "OR" | "AND" | "WITH") => bail!("unexpected `{word}`"),
        name if words.take("WITH") => {
            let exception = words.next().context("ends after WITH")?;
            // An exception only adds permissions: who accepts the plain licence accepts it with any.
            Ok(accepted(name) || accepted(&format!("{name} WITH {exception}")))
        }
        name => Ok(accepted(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mit_and_unicode(expression: &str) -> bool {
        let accepted = |name: &str| ["MIT", "Unicode-3.0", "GPL-2.0 WITH Classpath"].contains(&name);
        satisfied(expression, &accepted).unwrap()
    }

    #[test]
    fn or_takes_one_and_takes_all() {
        assert!(mit_and_unicode("MIT"));
        assert!(!mit_and_unicode("Apache-2.0"));
        assert!(mit_and_unicode("Apache-2.0 OR MIT"));
        assert!(mit_and_unicode("Apache-2.0/MIT"));
        assert!(!mit_and_unicode("Apache-2.0 AND MIT"));
        assert!(mit_and_unicode("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!mit_and_unicode("Unicode-3.0 AND (ISC OR Apache-2.0)"));
        // AND binds closer than OR.
        assert!(mit_and_unicode("MIT OR ISC AND Apache-2.0"));
    }

    #[test]
    fn an_exception_goes_with_its_licence() {
        assert!(mit_and_unicode("GPL-2.0 WITH Classpath"));
        assert!(!mit_and_unicode("GPL-2.0"));
        assert!(mit_and_unicode("MIT WITH anything"));
    }

    #[test]
    fn what_is_no_expression_is_not_accepted() {
        for broken in ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "AND MIT", "MIT WITH"] {
            assert!(satisfied(broken, &|_| true).is_err(), "{broken}");
        }
    }
}
