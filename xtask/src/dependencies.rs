//! What the executable is built from, as cargo tells it.

use std::collections::HashSet;
use std::fs;

use anyhow::Context as _;
use serde::Deserialize;

use crate::commands;

/// The executable that people get.
const SHIPPED: &str = "vestibule";

/// A package that the executable is built from, and how it comes in: the names from the executable down to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shipped {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; empty if its authors state none.
    pub(crate) licence: String,
    /// Empty if its authors name none.
    pub(crate) repository: String,
    /// Whether it is a room of this workspace.
    pub(crate) ours: bool,
    pub(crate) way: Vec<String>,
}

/// What the executable is built from on any platform, itself and the workspace's rooms among it, but not what only
/// tests need. Sorted by name and version.
///
/// From `cargo tree`: the graph of `cargo metadata` also has packages that no chosen feature brings in.
pub(crate) fn shipped() -> anyhow::Result<Vec<Shipped>> {
    let arguments = ["tree", "--target", "all", "--edges", "normal,build", "--prefix", "depth"];
    let mut command = commands::cargo(arguments);
    command.args(["--package", SHIPPED, "--format", "\t{p}\t{l}\t{r}\t"]);
    parse(&commands::read(&mut command)?)
}

/// Lines such as `2⇥serde v1.0.229⇥MIT OR Apache-2.0⇥https://..⇥`, each below its nearest line of less depth.
pub(crate) fn parse(tree: &str) -> anyhow::Result<Vec<Shipped>> {
    let mut way: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    let mut found = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let package = one(line, &mut way).with_context(|| format!("a line of `cargo tree`: {line:?}"))?;
        if known.insert((package.name.clone(), package.version.clone())) {
            found.push(package);
        }
    }
    found.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(found)
}

fn one(line: &str, way: &mut Vec<String>) -> Option<Shipped> {
    let mut fields = line.split('\t');
    let depth: usize = fields.next()?.parse().ok()?;
    let mut package = fields.next()?.splitn(3, ' ');
    let (name, version) = (package.next()?, package.next()?.strip_prefix('v')?);
    way.truncate(depth);
    way.push(name.to_owned());
    Some(Shipped {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: fields.next()?.to_owned(),
        repository: fields.next()?.to_owned(),
        // A room is followed by its folder, a package from a registry at most by `(proc-macro)`.
        ours: package.next().is_some_and(|rest| rest.contains('/')),
        way: way.clone(),
    })
}

/// A package of `Cargo.lock`: whatever any room is built or tested with.
#[derive(Debug, Deserialize)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Absent for a room of this workspace.
    pub(crate) source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

pub(crate) fn locked() -> anyhow::Result<Vec<Locked>> {
    let text = fs::read_to_string(commands::root().join("Cargo.lock")).context("Cargo.lock")?;
    Ok(toml::from_str::<Lock>(&text).context("Cargo.lock")?.package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_read_with_the_way_to_each_package() {
        let tree = "0\tvestibule v0.1.0 (/some/where)\tApache-2.0\t\t\n\
            1\tserde v1.0.1\tMIT\thttps://one.example\t\n\
            2\tserde_derive v1.0.1 (proc-macro)\tMIT OR ISC\t\t\n\
            1\turl v2.0.0\t\t\t\n\
            2\tserde v1.0.1\tMIT\thttps://one.example\t (*)\n";
        let found = parse(tree).unwrap();
        let named: Vec<_> = found.iter().map(|package| (&*package.name, package.way.join(" > "))).collect();
        assert_eq!(
            named,
            [
                ("serde", "vestibule > serde".to_owned()),
                ("serde_derive", "vestibule > serde > serde_derive".to_owned()),
                ("url", "vestibule > url".to_owned()),
                ("vestibule", "vestibule".to_owned()),
            ]
        );
        let [serde, derive, url, vestibule] = &*found else { panic!("four packages") };
        assert_eq!((&*serde.version, &*serde.repository), ("1.0.1", "https://one.example"));
        assert_eq!((&*derive.licence, &*url.licence), ("MIT OR ISC", ""));
        assert!(vestibule.ours && !derive.ours);
        assert!(parse("garbage").is_err());
    }

    #[test]
    fn the_executable_itself_is_read() {
        let names: Vec<_> = shipped().unwrap().into_iter().map(|package| package.name).collect();
        assert!(
            ["vestibule", "kernel", "rustls", "aws-lc-rs"].iter().all(|name| names.iter().any(|n| n == name))
        );
        assert!(!names.iter().any(|name| name == "thirtyfour"), "a test's dependency does not ship");
        assert!(
            locked().unwrap().iter().any(|package| package.name == "thirtyfour" && package.source.is_some())
        );
    }
}
