//! How many durable dialogs per second: `cargo run --release -p store --example insert_rate -- [url] [writers]
//! [full|normal] [dialogs|smallest]`. Prints the rate, the time of one insert as a caller sees it, and the processor time per insert.
//! `smallest` inserts a small row with a key that grows, which is the floor of what one durable insert costs; a
//! dialog has one more index, with random keys. Not part of any test.

use connect::dialog::{Dialog, Stage, Visitor, id_of, new_bearer, token_name};
use kernel::ids::{IntegrationId, OrganizationId};
use kernel::{Brand, Clock as _, Environment, Organization, Plain, Slug, SystemChance, SystemClock, Time};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use store::organizations::OrganizationRecord;
use store::{Config, Db, DbError, Synchronous, dialogs, organizations, sql};
use tokio::time::Instant;

const NOW: Time = Time::from_seconds(1_800_000_000);
const SECONDS: u64 = 5;
const SMALLEST: &str =
    "INSERT INTO audit (id, at, actor, action, subject, detail) VALUES ($1, 1, '', '', '', '')";

fn dialog(organization: &OrganizationId) -> Dialog {
    Dialog {
        id: id_of(&new_bearer(SystemClock.now(), &SystemChance)),
        organization: organization.clone(),
        environment: Environment::Sandbox,
        jti: token_name(organization, Environment::Sandbox, Plain::new(&SystemChance).reveal()),
        integration: IntegrationId::new(1).unwrap_or_else(|_| unreachable!()),
        connector: Slug::parse("hubspot").unwrap_or_else(|_| unreachable!()),
        own_connector: None,
        visitor: Visitor {
            username: "anna@example.com".to_owned(),
            email: Some("anna@example.com".to_owned()),
            display_name: Some("Anna Example".to_owned()),
            full_name: None,
            external_id: None,
            meta: serde_json::Value::Null,
            external_integrations: vec![],
            acting_id: None,
            acting_name: None,
            extra: serde_json::Value::Null,
        },
        own_token: None,
        inputs: None,
        stage: Stage::Ready,
        version: 1,
        framed: true,
        parent: None,
        locale: "en".to_owned(),
        announced_to: None,
        created: NOW,
        expires: NOW.plus_seconds(900),
        replay_until: NOW.plus_seconds(420),
    }
}

async fn organization(db: &Db) -> Result<OrganizationId, Box<dyn Error>> {
    let id = OrganizationId::new(NOW, &SystemChance);
    let slug = Slug::parse(&format!("a{}", id.as_str().get(20..).unwrap_or_default()))?;
    let (name, brand, color, logo) = ("Bench".to_owned(), Brand::default(), None, None);
    let organization = Organization {
        id: id.clone(),
        slug,
        name,
        brand,
        color,
        logo,
        config_version: 0,
        created: NOW,
        disabled: false,
    };
    let record = OrganizationRecord { organization, token_max_age_s: 300, token_ahead_s: 60 };
    db.write(move |tx| Box::pin(async move { organizations::insert(tx, &record).await })).await?;
    Ok(id)
}

/// User and system time of this process, in clock ticks of 10 ms (proc(5)).
fn processor_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "sqlite:/tmp/insert-rate.db".to_owned());
    let writers: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let normal = arguments.next().as_deref() == Some("normal");
    let synchronous = if normal { Synchronous::Normal } else { Synchronous::Full };
    let db = Db::open(&Config { synchronous, ..Config::new(url) }).await?;
    store::migrate(&db, NOW).await?;
    let organization = organization(&db).await?;
    let smallest = arguments.next().as_deref() == Some("smallest");
    let numbers = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let (begun, used) = (Instant::now(), processor_ms());
    let begun_at = std::process::id();
    let mut tasks = Vec::new();
    for _ in 0..writers {
        let (db, organization, stop) = (db.clone(), organization.clone(), Arc::clone(&stop));
        let numbers = Arc::clone(&numbers);
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let dialog = dialog(&organization);
                let one = Instant::now();
                if smallest {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    let name = format!("{begun_at:>12}-{number:010}");
                    db.execute(sql(SMALLEST).bind(name)).await?;
                } else {
                    dialogs::open(&db, &dialog, 0, |tenant| Stage::Connected { tenant }).await?;
                }
                times.push(one.elapsed());
            }
            Ok::<_, DbError>(times)
        }));
    }
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let (elapsed, used) = (begun.elapsed(), processor_ms() - used);
    times.sort();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    let count = times.len();
    println!("{} {synchronous:?}, {writers} writers: {count} in {elapsed:.2?}", db.engine());
    println!(
        "{:.0}/s, {:.1} us of processor each",
        count as f64 / elapsed.as_secs_f64(),
        used as f64 * 1e3 / count as f64
    );
    println!("p50 {:.2?}, p99 {:.2?}", at(50), at(99));
    db.close().await;
    Ok(())
}
