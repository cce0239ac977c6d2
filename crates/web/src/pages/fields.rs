//! The form of the dialog: what a connector asks for, as a person sees it.

/// How a field is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// Never shown again once sent: `value` is not rendered.
    Secret,
    Email,
    Url,
    Number,
    Select,
    /// A check box; sends `true` when ticked.
    Toggle,
}

impl FieldKind {
    /// The `type` of the input element.
    pub const fn input_type(self) -> &'static str {
        match self {
            Self::Secret => "password",
            Self::Email => "email",
            Self::Url => "url",
            Self::Text | Self::Number | Self::Select | Self::Toggle => "text",
        }
    }

    /// The keyboard that phones should offer.
    pub const fn input_mode(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Url => "url",
            Self::Number => "decimal",
            Self::Text | Self::Secret | Self::Select | Self::Toggle => "text",
        }
    }
}

/// One of a select's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOption {
    pub value: String,
    pub label: String,
}

/// One field. Its form name is `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldView {
    pub key: String,
    pub label: String,
    pub help: Option<String>,
    /// Shown below the field as "For example …", never as a placeholder that vanishes.
    pub example: Option<String>,
    pub kind: FieldKind,
    pub required: bool,
    /// For [`FieldKind::Select`].
    pub options: Vec<FieldOption>,
    /// Text before the field, such as `https://`.
    pub prefix: Option<String>,
    /// Text after the field, such as `.zendesk.com`.
    pub suffix: Option<String>,
    /// What was entered before; never rendered for a secret.
    pub value: Option<String>,
    /// A sentence in the person's language.
    pub error: Option<String>,
}

impl FieldView {
    /// A required text field without anything else.
    pub fn new(key: impl Into<String>, label: impl Into<String>, kind: FieldKind) -> Self {
        Self {
            key: key.into(),
            label: label.into(),
            help: None,
            example: None,
            kind,
            required: true,
            options: Vec::new(),
            prefix: None,
            suffix: None,
            value: None,
            error: None,
        }
    }

    /// What may stand in the page: nothing for a secret.
    pub fn shown_value(&self) -> &str {
        match self.kind {
            FieldKind::Secret => "",
            _ => self.value.as_deref().unwrap_or_default(),
        }
    }

    pub fn is_secret(&self) -> bool {
        self.kind == FieldKind::Secret
    }

    pub fn is_select(&self) -> bool {
        self.kind == FieldKind::Select
    }

    pub fn is_toggle(&self) -> bool {
        self.kind == FieldKind::Toggle
    }

    /// Free text may be written in either direction; addresses, keys and numbers run from left to right.
    pub fn is_free_text(&self) -> bool {
        self.kind == FieldKind::Text && self.prefix.is_none() && self.suffix.is_none()
    }

    /// The element's id: prefixed, so that no connector's key meets an id of ours.
    pub fn id(&self) -> String {
        format!("field-{}", self.key)
    }

    pub fn is_chosen(&self, option: &FieldOption) -> bool {
        self.shown_value() == option.value
    }

    /// The attributes that bind the explanations to the field, escaped, with a space before.
    pub fn aria(&self) -> String {
        let parts = [
            (self.error.is_some(), "error"),
            (self.help.is_some(), "help"),
            (self.example.is_some(), "example"),
        ];
        let ids: Vec<String> = parts
            .iter()
            .filter(|(there, _)| *there)
            .map(|(_, part)| format!("{}-{part}", self.id()))
            .collect();
        let mut attributes = String::new();
        if !ids.is_empty() {
            attributes.push_str(&format!(" aria-describedby=\"{}\"", escaped(&ids.join(" "))));
        }
        if self.error.is_some() {
            attributes.push_str(" aria-invalid=\"true\"");
        }
        attributes
    }
}

fn escaped(text: &str) -> String {
    askama::filters::escape(text, askama::filters::Html).map(|safe| safe.to_string()).unwrap_or_default()
}

/// What the form is for: it decides the sentence above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormPurpose {
    /// A key or a password, checked at the outside system before it is stored.
    Credentials,
    /// What the sign-in address needs, such as a subdomain.
    BeforeSignIn,
}

/// The form and what is wrong with it as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormView {
    pub purpose: FormPurpose,
    pub fields: Vec<FieldView>,
    /// What the outside system said, as a sentence, where it belongs to no single field.
    pub problem: Option<String>,
}

impl FormView {
    pub fn is_before_sign_in(&self) -> bool {
        self.purpose == FormPurpose::BeforeSignIn
    }

    pub fn has_errors(&self) -> bool {
        self.problem.is_some() || self.fields.iter().any(|field| field.error.is_some())
    }

    /// A key, the most frequent form.
    pub fn sample() -> Self {
        let mut key = FieldView::new("api_key", "Secret key", FieldKind::Secret);
        key.help = Some("In Stripe under Developers, API keys. A restricted key is enough.".to_owned());
        key.example = Some("sk_live_…".to_owned());
        Self { purpose: FormPurpose::Credentials, fields: vec![key], problem: None }
    }

    /// The same key, refused by the outside system.
    pub fn sample_refused() -> Self {
        let mut form = Self::sample();
        if let Some(key) = form.fields.first_mut() {
            key.error = Some("Stripe doesn't know this key. Copy it again, all of it.".to_owned());
        }
        form
    }

    /// One field of every kind.
    pub fn sample_long() -> Self {
        let mut domain = FieldView::new("subdomain", "Your Zendesk address", FieldKind::Text);
        domain.prefix = Some("https://".to_owned());
        domain.suffix = Some(".zendesk.com".to_owned());
        domain.value = Some("acme".to_owned());
        let mut email = FieldView::new("email", "E-mail", FieldKind::Email);
        email.value = Some("anna@acme".to_owned());
        email.error = Some("This address has no ending such as .com.".to_owned());
        let mut region = FieldView::new("region", "Data centre", FieldKind::Select);
        region.options = [("eu", "Europe"), ("us", "United States")]
            .map(|(value, label)| FieldOption { value: value.to_owned(), label: label.to_owned() })
            .to_vec();
        let mut days = FieldView::new("days", "Days of history to bring along", FieldKind::Number);
        days.required = false;
        days.example = Some("30".to_owned());
        let mut archived = FieldView::new("archived", "Bring archived tickets too", FieldKind::Toggle);
        archived.required = false;
        let token = FieldView::new("token", "API token", FieldKind::Secret);
        Self {
            purpose: FormPurpose::Credentials,
            fields: vec![domain, email, token, region, days, archived],
            problem: Some("Zendesk didn't accept these details.".to_owned()),
        }
    }
}
