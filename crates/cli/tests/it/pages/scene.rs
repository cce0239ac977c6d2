//! One test's scene: a gateway, a company with its site, an outside system, and a person's browser.

use super::deadline::{SOON, until, within};
use super::site::Site;
use connect::credential::App;
use kernel::{Environment, SecretText};
use serde_json::{Value, json};
use std::path::PathBuf;
use testkit::browser::{Browser, Options, Scheme};
use testkit::process::free_port;
use testkit::provider::{OutsideProvider, Settings};
use testkit::signers::{Order, sign_with_jose, sign_with_pyjwt};
use testkit::world::{Company, Engine, World};
use thirtyfour::prelude::*;

/// The connector of the outside system that this project did not write.
pub(super) const HARBOR: &str = "harbor";
const CLIENT_ID: &str = "acme-at-harbor";
const CLIENT_SECRET: &str = "acme-at-harbor-secret";

/// Which library of other people signs the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    PyJwt,
    Jose,
}

/// What can be chosen.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) engine: Engine,
    pub(super) signer: Signer,
    pub(super) brand: &'static str,
    /// Names below `localhost` whose origins are registered; the first is the company's own.
    pub(super) origins: &'static [&'static str],
    pub(super) browser: Options,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            engine: Engine::Sqlite,
            signer: Signer::PyJwt,
            brand: "vestibule",
            origins: &["acme"],
            browser: Options::default(),
        }
    }
}

/// Everything runs in production, where the rules are strict.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) acme: Company,
    pub(super) site: Site,
    pub(super) harbor: OutsideProvider,
    pub(super) browser: Browser,
    /// The window that shows the company's page.
    pub(super) desk: WindowHandle,
    plan: Plan,
    /// Where the driver is: CSS of the frames from the top down.
    frames: &'static [&'static str],
}

impl Scene {
    pub(super) async fn set(plan: Plan) -> Self {
        let site = Site::start().await;
        let port = free_port();
        let host = format!("harbor.localhost:{port}");
        let world = World::build(plan.engine).system_clock().reaching(&host).start().await;
        site.embeds(world.url(Environment::Production));
        let back = format!("{}/oauth2/callback", world.url(Environment::Production));
        let settings = Settings {
            host: "harbor.localhost".to_owned(),
            port,
            ..Settings::with_client(CLIENT_ID, CLIENT_SECRET, &back)
        };
        let (harbor, browser) = tokio::join!(OutsideProvider::start(settings), Browser::start(&plan.browser));
        let origins: Vec<String> = plan.origins.iter().map(|name| site.origin(name)).collect();
        let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
        let company = world.organization("acme").in_production().brand(plan.brand).origins(&origins).await;
        company.add_connector(&harbor_definition(&format!("http://{host}"))).await;
        let app = App {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(SecretText::new(CLIENT_SECRET)),
            ..App::default()
        };
        company.put_app(HARBOR, &app).await;
        company.integrate(&[HARBOR]).await;
        let desk = browser.window().await.unwrap();
        Self { world, acme: company, site, harbor, browser, desk, plan, frames: &["iframe"] }
    }

    /// The same, with the dialog one frame deeper.
    pub(super) fn nested(mut self) -> Self {
        self.frames = &["iframe", "iframe"];
        self
    }

    pub(super) fn gateway(&self) -> &str {
        self.world.url(Environment::Production)
    }

    /// A good token of Anna's, signed by a library that is not ours.
    pub(super) fn token(&self, connector: &str) -> String {
        let claims = self.acme.token(connector).claims().clone();
        let order = [Order::new("HS256", self.acme.secret(), claims)];
        let signed = match self.plan.signer {
            Signer::PyJwt => sign_with_pyjwt(&order),
            Signer::Jose => sign_with_jose(&order),
        };
        signed.into_iter().next().unwrap()
    }

    /// The landing with the token in the query.
    pub(super) fn landing(&self, connector: &str) -> String {
        format!("{}{}?tenant={}", self.gateway(), self.acme.page(connector), self.token(connector))
    }

    /// The company's page opens ours with the embed script; the token travels in a form field.
    pub(super) async fn embeds(&self, connector: &str) {
        self.embeds_with(connector, json!({})).await;
    }

    /// The same with more options of the embed script.
    pub(super) async fn embeds_with(&self, connector: &str, more: Value) {
        self.browser.goto(self.site.origin("acme")).await.unwrap();
        self.connect(connector, more).await;
    }

    /// Calls the embed script on the page where the driver is.
    pub(super) async fn connect(&self, connector: &str, more: Value) {
        let mut options = json!({
            "url": format!("{}{}", self.gateway(), self.acme.page(connector)),
            "token": self.token(connector),
            "brand": self.plan.brand,
        });
        let given = more.as_object().unwrap().clone();
        options.as_object_mut().unwrap().extend(given);
        self.browser.execute("connect(arguments[0])", vec![options]).await.unwrap();
    }

    /// Back to the company's page, above all frames.
    pub(super) async fn at_desk(&self) {
        self.browser.switch_to_window(self.desk.clone()).await.unwrap();
        self.browser.enter_default_frame().await.unwrap();
    }

    /// Into our frame, wherever the driver was; `None` where it is not there at the moment.
    pub(super) async fn try_frame(&self) -> Option<()> {
        self.browser.switch_to_window(self.desk.clone()).await.ok()?;
        self.browser.enter_default_frame().await.ok()?;
        for frame in self.frames {
            self.browser.enter(frame).await.ok()?;
        }
        Some(())
    }

    /// Waits until our frame shows something, and stays in it.
    pub(super) async fn frame_shows(&self, css: &str) {
        until(&format!("the frame shows {css}"), || async {
            self.try_frame().await?;
            self.browser.find(By::Css(css)).await.ok().map(drop)
        })
        .await;
    }

    /// Waits until the dialog is in this stage, and stays in its frame.
    pub(super) async fn stage(&self, stage: &str) {
        let css = format!("main[data-stage={stage}]");
        let found = until(&format!("stage {stage}"), || async {
            self.try_frame().await?;
            let shown = self.browser.find(By::Tag("main")).await.ok()?;
            let stage = shown.attr("data-stage").await.ok()??;
            let wanted = self.browser.find(By::Css(css.as_str())).await.is_ok();
            // A failure that nobody expects ends the wait, with what the page says.
            (wanted || stage == "failed").then_some((wanted, shown.text().await.unwrap_or_default()))
        })
        .await;
        assert!(found.0, "instead of {stage}: {}", found.1);
    }

    /// The first element there is.
    pub(super) async fn find(&self, css: &str) -> WebElement {
        until(css, || async { self.browser.find(By::Css(css)).await.ok() }).await
    }

    /// Whether there is one now.
    pub(super) async fn has(&self, css: &str) -> bool {
        self.browser.find(By::Css(css)).await.is_ok()
    }

    pub(super) async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Clicks what can be seen and clicked.
    pub(super) async fn click(&self, css: &str) {
        until(&format!("{css} can be clicked"), || async {
            self.browser.find(By::Css(css)).await.ok()?.click().await.ok()
        })
        .await;
    }

    pub(super) async fn types(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.unwrap();
    }

    /// A script's answer, where the driver is.
    pub(super) async fn ask(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// Clicks, and goes into the window that this opens.
    pub(super) async fn opens_window(&self, css: &str) {
        let before = self.browser.windows().await.unwrap();
        self.click(css).await;
        within(SOON, "a window", self.browser.enter_new_window(&before)).await.unwrap();
    }

    /// In the window of the outside system: signs in and agrees. The window may close at the end.
    pub(super) async fn signs_in(&self, name: &str) {
        self.types("input[name=login]", name).await;
        self.types("input[name=password]", "any").await;
        self.click("button[type=submit]").await;
        self.find("input[name=prompt][value=consent]").await;
        // The window may be gone before the driver has its answer.
        let _ = self.find("button[type=submit]").await.click().await;
    }

    /// What the company's window was sent, oldest first: `{origin, data}`.
    pub(super) async fn messages(&self) -> Vec<Value> {
        self.at_desk().await;
        self.ask("return window.messages").await.as_array().unwrap().clone()
    }

    /// The messages with this name.
    pub(super) async fn heard(&self, name: &str) -> Vec<Value> {
        let messages = self.messages().await;
        messages.into_iter().filter(|message| message["data"]["message"] == name).collect()
    }

    /// Waits for the first message with this name: its data.
    pub(super) async fn hears(&self, name: &str) -> Value {
        until(name, || async {
            let heard = self.heard(name).await;
            heard.first().map(|message| message["data"].clone())
        })
        .await
    }

    /// What became of the embed script's promise.
    pub(super) async fn outcome(&self) -> Value {
        until("the promise is settled", || async {
            self.at_desk().await;
            let outcomes = self.ask("return window.outcomes").await;
            outcomes.as_array()?.first().cloned()
        })
        .await
    }

    /// What our own pages complained about. The outside system's pages are not ours.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let errors = self.browser.console_errors().await.unwrap();
        errors.into_iter().filter(|error| !error.starts_with(self.harbor.issuer().as_str())).collect()
    }

    /// Looks at the page or frame where the driver is: no barriers in light and dark, nothing wider than the
    /// screen, targets large enough, and the keyboard at the heading or inside what is wrong.
    pub(super) async fn inspect(&self, name: &str) {
        for (scheme, word) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            self.browser.scheme(scheme).await.unwrap();
            until("the scheme reaches the frame", || async {
                let dark = self.ask("return matchMedia('(prefers-color-scheme: dark)').matches").await;
                (dark == (scheme == Scheme::Dark)).then_some(())
            })
            .await;
            let found = self.browser.axe().await.unwrap();
            let found: Vec<String> = found
                .iter()
                .flat_map(|it| it.nodes.iter().map(|node| format!("{}: {}", it.id, node.html)))
                .collect();
            assert_eq!(found, Vec::<String>::new(), "{name} in {word}");
            assert_eq!(self.ask(TOO_WIDE).await, json!([]), "{name} in {word}");
            assert_eq!(self.ask(TOO_SMALL).await, json!([]), "{name} in {word}");
            if let Some(folder) = pictures() {
                self.browser.picture(&folder, &format!("{name}-{word}")).await.unwrap();
            }
        }
        self.browser.scheme(Scheme::Light).await.unwrap();
    }
}

/// Elements that reach out of the page sideways.
const TOO_WIDE: &str = "
    const wide = document.documentElement.clientWidth;
    return [...document.querySelectorAll('body *')]
        .filter((it) => it.getClientRects().length && getComputedStyle(it).position !== 'absolute')
        .filter((it) => it.getBoundingClientRect().right > wide + 1 || it.getBoundingClientRect().left < -1)
        .map((it) => it.outerHTML.slice(0, 120));";

/// Targets under 24 px (WCAG 2.2, 2.5.8) that are no link inside a sentence.
const TOO_SMALL: &str = "
    return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary')]
        .filter((it) => it.getClientRects().length)
        .filter((it) => {
            const box = (it.closest('label.choice') ?? it).getBoundingClientRect();
            return box.width < 24 || box.height < 24;
        })
        .map((it) => it.outerHTML.slice(0, 120));";

/// Where pictures of what was inspected go, if anybody wants them.
fn pictures() -> Option<PathBuf> {
    std::env::var_os("VESTIBULE_PICTURES").map(PathBuf::from)
}

fn harbor_definition(base: &str) -> String {
    format!(
        r#"id = "harbor"
name = "Harbor"

[auth]
kind = "oauth2"
account = "{{capture.email}}"

[authorize]
url = "{base}/auth"
issuer = "{base}"
pkce = "s256"
params = {{ prompt = "consent" }}
scope = {{ default = ["openid", "email", "offline_access"] }}

[token]
url = "{base}/token"
client_auth = "basic"

[refresh]
rotates = true

[verify]
request = {{ url = "{base}/me" }}
save = {{ "/email" = "email" }}

[revoke]
request = {{ method = "POST", url = "{base}/token/revocation", basic = {{ user = "{{app.client_id}}", password = "{{app.client_secret}}" }}, form = {{ token = "{{token.refresh}}" }}, credential = false }}

[api]
base_url = "{base}"
headers = {{ Authorization = "Bearer {{token.access}}" }}
"#
    )
}
