//! Fields that are more than text: templates, addresses, hosts and JSON pointers.

use super::{Phase, Place, Section, Use};
use crate::connector::address::{HostPattern, UrlTemplate};
use crate::connector::definition::Pointer;
use crate::connector::template::{Template, Variable};

impl Section<'_, '_> {
    fn note<'v>(
        &self,
        at: usize,
        key: &str,
        variables: impl IntoIterator<Item = &'v Variable>,
        phase: Phase,
        place: Place,
    ) {
        let mut uses = self.source.uses.borrow_mut();
        for variable in variables {
            uses.push(Use { at, field: self.field(key), variable: variable.clone(), phase, place });
        }
    }

    pub(in crate::connector) fn read_template(
        &self,
        at: usize,
        key: &str,
        text: &str,
        phase: Phase,
        place: Place,
    ) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => {
                self.note(at, key, template.variables(), phase, place);
                Some(template)
            }
            Err(refused) => {
                self.refuse(at, key, refused.to_string());
                None
            }
        }
    }

    pub(in crate::connector) fn template(&self, key: &'static str, phase: Phase) -> Option<Template> {
        let at = self.place_of(key);
        let text = self.text(key)?;
        self.read_template(at, key, &text, phase, Place::Other)
    }

    pub(in crate::connector) fn templates(
        &self,
        key: &'static str,
        phase: Phase,
        place: Place,
    ) -> Vec<(String, Template)> {
        let read = |(at, name, text): (usize, String, String)| {
            let template = self.read_template(at, &format!("{key}.{name}"), &text, phase, place)?;
            Some((name, template))
        };
        self.pairs(key).into_iter().filter_map(read).collect()
    }

    pub(in crate::connector) fn url(
        &self,
        key: &'static str,
        phase: Phase,
        query: Place,
    ) -> Option<UrlTemplate> {
        let at = self.place_of(key);
        let text = self.text(key)?;
        match UrlTemplate::parse(&text, self.source.loopback) {
            Ok(url) => {
                self.note(at, key, url.host_variables(), phase, Place::Host);
                self.note(at, key, url.path.variables(), phase, Place::Path);
                self.note(at, key, url.query.iter().flat_map(|(_, value)| value.variables()), phase, query);
                Some(url)
            }
            Err(refused) => {
                self.refuse(at, key, refused.to_string());
                None
            }
        }
    }

    pub(in crate::connector) fn hosts(&self, key: &'static str) -> Vec<HostPattern> {
        let mut hosts = Vec::new();
        for (at, text) in self.texts_at(key) {
            match HostPattern::parse(&text, self.source.loopback) {
                Ok(pattern) => {
                    self.note(at, key, pattern.host.variables(), Phase::Later, Place::Host);
                    hosts.push(pattern);
                }
                Err(refused) => self.refuse(at, key, refused.to_string()),
            }
        }
        hosts
    }

    pub(in crate::connector) fn pointer(&self, at: usize, key: &str, text: &str) -> Option<Pointer> {
        if text.is_empty() || text.starts_with('/') {
            return Some(Pointer(text.to_owned()));
        }
        self.refuse(at, key, format!("`{text}` is not a JSON pointer; write `/{}`", text.replace('.', "/")));
        None
    }

    pub(in crate::connector) fn pointers(&self, key: &'static str) -> Option<Vec<Pointer>> {
        if !self.table.iter().any(|(own, _)| own.get_ref() == key) {
            self.get(key);
            return None;
        }
        let texts = self.texts_at(key);
        Some(texts.into_iter().filter_map(|(at, text)| self.pointer(at, key, &text)).collect())
    }

    pub(in crate::connector) fn one_pointer(&self, key: &'static str) -> Option<Pointer> {
        let at = self.place_of(key);
        let text = self.text(key)?;
        self.pointer(at, key, &text)
    }
}
