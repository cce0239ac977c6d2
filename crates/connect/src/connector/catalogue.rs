//! The connectors that ship inside the program: every file of `connectors/` at the root of the repository.

use super::definition::Definition;
use super::parse::Policy;
use super::source::Problem;
use include_dir::{Dir, include_dir};
use kernel::Slug;
use std::collections::BTreeMap;
use std::sync::Arc;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../connectors");

/// Definitions by name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    definitions: BTreeMap<Slug, Arc<Definition>>,
}

impl Catalogue {
    pub fn find(&self, name: &Slug) -> Option<Arc<Definition>> {
        self.definitions.get(name).cloned()
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.definitions.values()
    }

    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// Adds a definition; one of the same name is replaced, so that an operator's file wins over a shipped one.
    pub fn put(&mut self, definition: Definition) {
        self.definitions.insert(definition.id.clone(), Arc::new(definition));
    }

    /// Reads files, each named as problems shall name it. A file's name must be its connector's.
    ///
    /// # Errors
    /// Every problem of every file; the files without problems are not taken either.
    pub fn read<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        policy: Policy,
    ) -> Result<Self, Vec<Problem>> {
        let mut catalogue = Self::default();
        let mut problems = Vec::new();
        for (file, text) in files {
            match Definition::parse(file, text, policy) {
                Ok(definition) if stem(file) == definition.id.as_str() => catalogue.put(definition),
                Ok(definition) => {
                    let text = format!("must be `{}`, as the file's name says", stem(file));
                    let line = 1;
                    let field = format!("id ({})", definition.id);
                    problems.push(Problem { file: file.to_owned(), line, field, text });
                }
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(catalogue) } else { Err(problems) }
    }

    /// Each definition with origins replaced: see `Definition::with_base`.
    #[must_use]
    pub fn with_base(&self, mapping: &[(&str, &str)]) -> Self {
        let mut copy = Self::default();
        self.iter().for_each(|definition| copy.put(definition.with_base(mapping)));
        copy
    }
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// The files that ship, by name.
pub fn shipped_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let toml = FILES.files().filter(|file| file.path().extension().is_some_and(|end| end == "toml"));
    toml.filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
}

/// The connectors that ship. A file with problems is left out; a test holds that there is none.
pub fn shipped() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for (file, text) in shipped_files() {
        if let Ok(definition) = Definition::parse(file, text, Policy::default()) {
            catalogue.put(definition);
        }
    }
    catalogue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_is_without_problems() {
        let read = Catalogue::read(shipped_files(), Policy::default());
        let catalogue = read.unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(|problem| format!("\n{problem}")).collect::<String>())
        });
        for name in ["hubspot", "slack", "salesforce", "notion", "stripe"] {
            assert!(catalogue.find(&Slug::parse(name).unwrap()).is_some(), "{name}");
        }
        assert_eq!(catalogue.len(), shipped().len());
        assert_eq!(catalogue.len(), shipped_files().count());
    }

    #[test]
    fn a_file_is_named_after_its_connector() {
        let text = "id = \"b\"\nname = \"B\"\n[auth]\nkind = \"none\"\n";
        let problems = Catalogue::read([("a.toml", text)], Policy::default()).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().contains("must be `a`"), "{problems:?}");
    }
}
