//! `vestibule tenant call`: trying an outside system's API by hand, with a tenant's credential.

use super::Desk;
use anyhow::{Context as _, anyhow};
use connect::connector::Method;
use connect::connector::flow::{CallBody, Wanted};
use futures_util::TryStreamExt as _;
use kernel::Slug;
use kernel::ids::TenantId;
use serde_json::{Value, json};
use service::work::call::{Calling, Content, Form};

/// What is sent where.
#[derive(Debug, clap::Args)]
pub struct Call {
    /// The tenant's id
    tenant: String,
    /// The connector whose credential goes along
    connector: String,
    /// Below the API's base (/contacts), or a whole address at a host that the connector declares
    target_url: String,
    /// What is done there
    #[arg(long, default_value = "GET", value_parser = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], ignore_case = true)]
    method: String,
    /// `Name: value`
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// `name=value`
    #[arg(long = "query", value_name = "PARAMETER", value_parser = parameter)]
    query: Vec<(String, String)>,
    /// JSON, or any text; @FILE takes it from there
    #[arg(long)]
    body: Option<String>,
    /// The body and the answer are SOAP
    #[arg(long, conflicts_with = "xml")]
    soap: bool,
    /// The body and the answer are XML
    #[arg(long)]
    xml: bool,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as `name=value`")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Call {
    pub(super) fn tenant(&self) -> &str {
        &self.tenant
    }

    fn form(&self) -> Form {
        match (self.soap, self.xml) {
            (true, _) => Form::Soap,
            (_, true) => Form::Xml,
            _ => Form::Data,
        }
    }

    fn wanted(&self) -> anyhow::Result<Wanted> {
        let method = Method::parse(&self.method);
        let method = method.ok_or_else(|| anyhow!("`{}` is not a method", self.method))?;
        let is_xml = self.form() != Form::Data;
        let text = match self.body.as_deref().map(|body| (body, body.strip_prefix('@'))) {
            None => None,
            Some((_, Some(file))) => {
                Some(std::fs::read_to_string(file).with_context(|| format!("`{file}` cannot be read"))?)
            }
            Some((text, None)) => Some(text.to_owned()),
        };
        let body = text.map(|text| match serde_json::from_str::<Value>(&text) {
            Ok(value) if !is_xml => CallBody::Json(value),
            _ => CallBody::Text(text),
        });
        Ok(Wanted {
            method,
            target: self.target_url.clone(),
            headers: self.headers.clone(),
            query: self.query.clone(),
            body,
            text_type: if is_xml { "text/xml; charset=utf-8" } else { "text/plain; charset=utf-8" },
            accept: if is_xml { "text/xml, application/xml" } else { "application/json" },
        })
    }
}

pub(super) async fn run(tenant: TenantId, call: Call, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let organization = desk.organization().await?;
    let (wanted, form) = (call.wanted()?, call.form());
    let connector = Slug::parse(&call.connector)?;
    let environment = Some(desk.environment()?);
    let calling = Calling { tenant, connector, environment, wanted, form };
    let answered = match desk.service.call(&organization.id, &calling).await {
        Ok(answered) => answered,
        Err(failed) => return Err(anyhow!("{failed} ({}){}", failed.code(), told(&failed))),
    };
    match answered.content {
        Content::Data(data) => show(desk, &data)?,
        Content::LargeData(pieces) | Content::Raw { pieces, .. } => {
            let pieces: Vec<Vec<u8>> = pieces.stream().try_collect().await?;
            let text = String::from_utf8_lossy(&pieces.concat()).into_owned();
            desk.out.text(&text)?;
        }
    }
    Ok(())
}

fn show(desk: &mut Desk<'_>, data: &Value) -> anyhow::Result<()> {
    if desk.out.is_json() {
        return Ok(desk.out.one(&json!({ "data": data }))?);
    }
    let text = match data {
        Value::String(text) => text.clone(),
        data => serde_json::to_string_pretty(data)?,
    };
    Ok(desk.out.text(&text)?)
}

/// What the outside system said, on a line of its own.
fn told(failed: &service::work::call::CallFailed) -> String {
    use service::work::call::CallFailed;
    match failed {
        CallFailed::TooMany { body, .. }
        | CallFailed::Status { body, .. }
        | CallFailed::SoapFault { body, .. }
            if !body.is_null() =>
        {
            format!("\n{body}")
        }
        CallFailed::Redirect { location, .. } => format!("\n{location}"),
        _ => String::new(),
    }
}
