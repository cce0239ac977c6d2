//! A disk that is full: what cannot be kept is refused, what was promised stays, and it goes on when there is room.

use super::workshop::{MANIFEST, PROGRAM};
use super::{Outside, Workshop};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::world::{Ask, Engine, World};

/// A file system of a few megabytes, gone with this value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this account may not mount one.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m", "none"]).arg(at);
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        for size in [65_536, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn copy_database(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        if name(from).exists() {
            fs::copy(name(from), name(to)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_cleanly_and_recovers() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&place.path().join("disk")) else {
        eprintln!("skipped: this account may not mount a small file system, so that no disk is full");
        return;
    };
    let outside = Outside::start().await;
    let world = World::build(Engine::Sqlite).system_clock().reaching(outside.address()).start().await;
    let workshop = Workshop::open(world, outside, 2, (MANIFEST, PROGRAM)).await;
    // Nobody works yet, so that the files stand still.
    let file = disk.0.join("gateway.db");
    copy_database(Path::new(workshop.world.database_url().trim_start_matches("sqlite:")), &file);
    let nodes = workshop.nodes.clone().set(format!("database.url=sqlite:{}", file.display()));
    let served = nodes.clone();
    let node = tokio::task::spawn_blocking(move || served.serve()).await.unwrap();
    let person = workshop.person.moved_to(node.address.parse().unwrap());
    let delivery = |number: usize| -> Ask {
        let delivery = person.post(&workshop.webhooks[0]).header("webhook-id", &format!("msg_{number}"));
        delivery.body("text/plain", "x".repeat(50_000))
    };
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for number in 0..4 {
        let answer = delivery(number).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        accepted.push(number);
    }
    disk.fill();
    for number in 4..40 {
        let answer = delivery(number).await;
        match answer.status {
            202 => accepted.push(number),
            500 | 503 | 507 => {
                assert!(
                    !answer.text().contains("sqlite") && !answer.text().contains('/'),
                    "{}",
                    answer.text()
                );
                refused.push(number);
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert!(refused.len() > 20, "{accepted:?} were accepted by a disk that is full");
    let live = person.get("/health/live").await;
    assert_eq!(live.status, 200, "{}", live.text());
    disk.make_room();
    // Whoever was refused sends again.
    for number in refused {
        let answer = delivery(number).await;
        assert_eq!(answer.status, 202, "{}\n{}", answer.text(), node.output());
        accepted.push(number);
    }
    let output = tokio::task::spawn_blocking(move || node.stop()).await.unwrap();
    assert!(!output.contains("panicked"), "{output}");
    // Every delivery that was accepted is there, exactly once, and nothing of the file is broken.
    let db = store::Db::open(&store::Config::new(format!("sqlite:{}", file.display()))).await.unwrap();
    let read = db.read(|tx| {
        Box::pin(async move {
            let mut whole: store::Row = store::sql("PRAGMA integrity_check").one(tx).await?;
            let mut kept: store::Row = store::sql("SELECT COUNT(*) FROM deliveries").one(tx).await?;
            Ok::<_, store::DbError>((whole.take::<String>()?, kept.take::<i64>()?))
        })
    });
    let (whole, kept) = read.await.unwrap();
    db.close().await;
    assert_eq!((whole.as_str(), kept), ("ok", i64::try_from(accepted.len()).unwrap()));
}
