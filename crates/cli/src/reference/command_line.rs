//! `docs/reference/cli.md`, made from the tree of commands.

use crate::Arguments;
use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _};
use std::fmt::Write as _;

/// The text of `docs/reference/cli.md`.
pub fn command_line() -> String {
    let mut page = String::from(
        "# Commands\n\nMade from the program itself by `cargo xtask gen`; `vestibule COMMAND --help` says the same. A command \
         ends with 0 where it did what was asked, 1 where it could not, and 2 where the command line or the settings are \
         wrong. Results stand on standard output; what is said to a person, and secrets' explanations, on standard error.\n\n\
         Every command takes these:\n\n| option | meaning |\n|---|---|\n",
    );
    let mut root = Arguments::command();
    root.build();
    options(&mut page, root.get_arguments().filter(|argument| argument.is_global_set()));
    for command in visible(&root) {
        group(&mut page, command, "vestibule", 2);
    }
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

fn text(styled: Option<&StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

fn group(page: &mut String, command: &Command, before: &str, depth: usize) {
    let path = format!("{before} {}", command.get_name());
    let places: String = command.get_positionals().map(|place| format!(" {}", place.clone())).collect();
    let _ = write!(page, "\n{} `{path}{places}`\n\n", "#".repeat(depth.min(4)));
    let about = text(command.get_about());
    if !about.is_empty() {
        let _ = writeln!(page, "{about}.");
    }
    // What a group hands down is told once, at the group; a place without words is in the heading already.
    let own = command.get_arguments().filter(|argument| {
        !argument.is_hide_set()
            && !matches!(argument.get_id().as_str(), "help" | "version" | "config" | "set")
            && (depth == 2 || !argument.is_global_set())
            && argument.get_help().is_some()
    });
    let own: Vec<_> = own.collect();
    if !own.is_empty() {
        page.push_str("\n| option | meaning |\n|---|---|\n");
        options(page, own.into_iter());
    }
    for inner in visible(command) {
        group(page, inner, &path, depth + 1);
    }
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    for argument in arguments {
        let mut meaning = text(argument.get_help());
        let defaults: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let takes_value = argument.get_action().takes_values();
        if takes_value && !defaults.is_empty() {
            let _ = write!(meaning, " (default `{}`)", defaults.join(","));
        }
        if argument.is_required_set() && !argument.is_positional() {
            meaning.push_str(" (needed)");
        }
        let _ = writeln!(page, "| `{argument}` | {} |", meaning.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many commands there are, and what is said of none of: commands and options.
    fn walk(page: &str, command: &Command, before: &str, silent: &mut Vec<String>) -> usize {
        let mut seen = 0;
        for command in visible(command) {
            let path = format!("{before} {}", command.get_name());
            assert!(page.contains(&format!("# `{path}")), "{path}");
            if command.get_about().is_none() {
                silent.push(path.clone());
            }
            let options = command.get_arguments().filter(|argument| !argument.is_positional());
            let options = options.filter(|argument| argument.get_help().is_none());
            silent.extend(options.map(|argument| format!("{path} {argument}")));
            seen += 1 + walk(page, command, &path, silent);
        }
        seen
    }

    #[test]
    fn every_command_stands_in_it_and_every_option_has_help() {
        let mut root = Arguments::command();
        root.build();
        let mut silent = Vec::new();
        assert!(walk(&command_line(), &root, "vestibule", &mut silent) > 30);
        assert!(silent.is_empty(), "without a word of help: {silent:#?}");
    }

    #[test]
    fn the_tree_is_sound() {
        Arguments::command().debug_assert();
    }
}
