//! Debian's Chromium, driven over WebDriver, as strict with third-party cookies as browsers have become.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{BrowserLogEntry, ChromeCapabilities, LoggingPrefsLogLevel, WindowHandle};

use crate::node;
use crate::process::{Launch, NotReady, Supervised};

const START: Duration = Duration::from_secs(60);

/// A new window is awaited for ten seconds.
const APPEAR_TRIES: u32 = 200;
const APPEAR_PAUSE: Duration = Duration::from_millis(50);

/// Chromium asks nobody outside for anything: tests run where no other host answers, and a refused look-up costs
/// time at every start. `*.localhost` and the loopback address stay reachable.
const ARGUMENTS: [&str; 15] = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--metrics-recording-only",
    "--force-color-profile=srgb",
    "--disable-features=OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider,InterestFeedContentSuggestions",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
];

/// The rules of WCAG 2.2 at levels A and AA, by axe's names.
pub const WCAG: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/// How the browser is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// CSS pixels.
    pub width: u32,
    /// CSS pixels.
    pub height: u32,
    /// Whether windows that no click opened are blocked, as people's browsers do. WebDriver switches this off
    /// unless told otherwise.
    pub block_popups: bool,
    /// Blocked unless a test shows what would be different.
    pub third_party_cookies: bool,
    /// `Accept-Language`, such as `de,en`.
    pub languages: String,
    /// Whether pages may run scripts. The driver's own still run.
    pub scripts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 900,
            block_popups: false,
            third_party_cookies: false,
            languages: "en".to_owned(),
            scripts: true,
        }
    }
}

/// What `prefers-color-scheme` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// Something on a page that keeps people out, found by axe.
#[derive(Clone, Debug, Deserialize)]
pub struct Violation {
    /// The rule, such as `color-contrast`.
    pub id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub impact: Option<String>,
    pub help: String,
    pub nodes: Vec<Offender>,
}

/// An element that breaks a rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Offender {
    pub html: String,
    #[serde(rename = "failureSummary")]
    pub summary: Option<String>,
}

/// A browser of one test. All of [`WebDriver`]'s methods are there by dereference.
#[derive(Debug)]
pub struct Browser {
    driver: Option<WebDriver>,
    process: Supervised,
}

impl Browser {
    /// # Panics
    /// When Chromium or its driver is not there or does not start.
    pub async fn start(options: &Options) -> Self {
        let process = tokio::task::spawn_blocking(start_driver).await.expect("the start ends");
        let (process, port) = process;
        let profile = process.folder().join("profile");
        let capabilities = capabilities(options, &profile).expect("capabilities become JSON");
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities)
            .await
            .unwrap_or_else(|error| panic!("Chromium: {error}\n{}", process.output()));
        let browser = Self { driver: Some(driver), process };
        browser.resize(options.width, options.height).await.expect("the window has a size");
        browser
    }

    /// The temporary folder of this browser: its profile and its home. Gone after the drop.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("only the drop takes the driver away")
    }

    /// Lays the page out for a screen of that many CSS pixels; a window cannot be as narrow as a telephone.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn resize(&self, width: u32, height: u32) -> WebDriverResult<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.set_window_rect(0, 0, width.max(500), height).await?;
        self.devtools("Emulation.setDeviceMetricsOverride", size).await
    }

    /// Light or dark, from now on and for this window.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn scheme(&self, scheme: Scheme) -> WebDriverResult<()> {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        self.media("prefers-color-scheme", value).await
    }

    /// Sets a feature that CSS asks for, such as `forced-colors: active` or `prefers-reduced-motion: reduce`.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn media(&self, feature: &str, value: &str) -> WebDriverResult<()> {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", features).await
    }

    async fn devtools(&self, command: &str, parameters: Value) -> WebDriverResult<()> {
        self.driver().cdp().send_raw(command, parameters).await.map(drop)
    }

    /// A picture of what the window shows, as `folder/name.png`; the folder is made.
    ///
    /// # Errors
    /// When the picture cannot be taken or written.
    pub async fn picture(&self, folder: &Path, name: &str) -> WebDriverResult<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join(format!("{name}.png"));
        self.screenshot(&file).await?;
        Ok(file)
    }

    /// What axe finds in the page, or in the frame that the driver is in; frames below it are not looked into.
    ///
    /// # Errors
    /// When axe cannot run there.
    ///
    /// # Panics
    /// When npm's `axe-core` is not installed.
    pub async fn axe(&self) -> WebDriverResult<Vec<Violation>> {
        let source = std::fs::read_to_string(node::package_file("axe-core/axe.min.js"))?;
        self.execute(source, Vec::new()).await?;
        // A colour on its way from one scheme to the other is neither's.
        let run = "const [tags, done] = arguments; \
            const turning = document.getAnimations().filter((it) => it instanceof CSSTransition); \
            Promise.allSettled(turning.map((it) => it.finished)) \
               .then(() => axe.run(document, {runOnly: tags, iframes: false, resultTypes: ['violations']})) \
               .then((found) => done(found.violations), (error) => done(String(error)));";
        let found = self.execute_async(run, vec![json!(WCAG)]).await?;
        found.convert()
    }

    /// [`axe`](Self::axe) inside the frame that `selector` (CSS) finds; the driver is at the top afterwards.
    ///
    /// # Errors
    /// When there is no such frame or axe cannot run there.
    ///
    /// # Panics
    /// When npm's `axe-core` is not installed.
    pub async fn axe_in_frame(&self, selector: &str) -> WebDriverResult<Vec<Violation>> {
        self.enter(selector).await?;
        let found = self.axe().await;
        self.enter_default_frame().await?;
        found
    }

    /// Puts the driver into the frame that `selector` (CSS) finds from where it is.
    ///
    /// # Errors
    /// When there is no such frame.
    pub async fn enter(&self, selector: &str) -> WebDriverResult<()> {
        self.find(By::Css(selector)).await?.enter_frame().await
    }

    /// Puts the driver into the window that was opened since [`windows`](thirtyfour::session::handle::SessionHandle::windows) answered `before`,
    /// waiting for it where the page takes a moment. Its size and scheme are its own: set them again if they matter.
    ///
    /// # Errors
    /// When the browser refuses.
    ///
    /// # Panics
    /// When no window comes.
    pub async fn enter_new_window(&self, before: &[WindowHandle]) -> WebDriverResult<WindowHandle> {
        for _ in 0..APPEAR_TRIES {
            if let Some(new) = self.windows().await?.into_iter().find(|window| !before.contains(window)) {
                self.switch_to_window(new.clone()).await?;
                return Ok(new);
            }
            tokio::time::sleep(APPEAR_PAUSE).await;
        }
        panic!("no window was opened");
    }

    /// What pages have complained about in the console since the last call: failed requests, refusals by their
    /// own policy, exceptions and `console.error`.
    ///
    /// # Errors
    /// When the browser does not tell.
    pub async fn console_errors(&self) -> WebDriverResult<Vec<String>> {
        let log = self.browser_log().await?;
        Ok(log
            .into_iter()
            .filter(|entry| entry.level == "SEVERE")
            .map(|entry: BrowserLogEntry| entry.message)
            .collect())
    }
}

impl Deref for Browser {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        self.driver()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The guard ends driver and browser; a farewell over HTTP would block the runtime of the test.
        if let Some(driver) = self.driver.take() {
            let _ = driver.leak();
        }
    }
}

/// The driver takes a free port of IPv6 and wants the same of IPv4, which another test may have at that moment.
const PORT_TRIES: usize = 5;

/// The driver and the port that it chose.
fn start_driver() -> (Supervised, u16) {
    let mut tries = (0..PORT_TRIES).map(|_| try_driver());
    let is_taken = |error: &NotReady| error.to_string().contains("Address already in use");
    let started = tries.find(|started| !started.as_ref().is_err_and(is_taken));
    let started = started.unwrap_or_else(|| panic!("chromedriver found no port in {PORT_TRIES} tries"));
    started.unwrap_or_else(|error| panic!("chromedriver {error}\nIs it installed? Run `cargo xtask setup`"))
}

fn try_driver() -> Result<(Supervised, u16), NotReady> {
    let launch = Launch::new("chromedriver").expect("a temporary folder");
    let folder = launch.folder().to_path_buf();
    let process = launch
        .argument("--port=0")
        // What Chromium leaves in its temporary and home folders goes with the folder of this process.
        .environment("TMPDIR", &folder)
        .environment("HOME", &folder)
        .environment("XDG_CONFIG_HOME", folder.join("config"))
        .environment("XDG_CACHE_HOME", folder.join("cache"))
        .start()
        .expect("the guard starts");
    let ready = process.wait_for_line(|line| port(line).is_some(), START)?;
    let port = port(&ready).expect("the line was chosen for its port");
    Ok((process, port))
}

/// `ChromeDriver was started successfully on port 41653.`
fn port(line: &str) -> Option<u16> {
    line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').parse().ok()
}

fn capabilities(options: &Options, profile: &Path) -> WebDriverResult<ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    for argument in ARGUMENTS {
        capabilities.add_arg(argument)?;
    }
    if crate::process::is_root()? {
        // The sandbox refuses root. What is loaded here comes from the tests themselves.
        capabilities.add_arg("--no-sandbox")?;
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    capabilities.add_arg(&format!("--lang={}", options.languages))?;
    if options.block_popups {
        capabilities.add_exclude_switch("disable-popup-blocking")?;
    }
    // 1 blocks third-party cookies everywhere, 0 nowhere.
    let mode = u8::from(!options.third_party_cookies);
    // 1 lets scripts run everywhere, 2 nowhere.
    let scripts = if options.scripts { 1 } else { 2 };
    let preferences = json!({
        "profile.cookie_controls_mode": mode,
        "profile.block_third_party_cookies": !options.third_party_cookies,
        "profile.default_content_setting_values.javascript": scripts,
        "intl.accept_languages": options.languages,
        "credentials_enable_service": false,
        "profile.password_manager_enabled": false,
    });
    capabilities.add_experimental_option("prefs", preferences)?;
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    Ok(capabilities)
}
