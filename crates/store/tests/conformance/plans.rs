//! On PostgreSQL no statement of an installation that is still empty reads an index, or a table, from one end to the
//! other: its plan is kept for a while, and what is read for nothing then grows with everything there is.

use crate::world::World;
use store::sql;

/// Those that are about everything there is, or about a list that stays short.
const READ_ALL: &[&str] = &[
    "migrate::APPLIED",
    // The doctor's and the operator's looks.
    "notice_endpoints::FAILING",
    "service_accounts::LENIENT",
    "triggers::UNCLAIMED",
    "organizations::LIST",
    // Among open runs alone, of which a node has only so many, and seldom.
    "releases::DELETE",
];

fn depth(line: &str) -> usize {
    line.chars().take_while(|letter| *letter == ' ').count()
}

/// The steps of a plan that read all of something. Under a LIMIT one stops early, where it goes row by row.
fn reads_all(plan: &[String]) -> Vec<&str> {
    let is_step = |line: &str| line.contains("->") || depth(line) == 0;
    let mut limits: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for (at, line) in plan.iter().enumerate().filter(|(_, line)| is_step(line)) {
        limits.retain(|limit| *limit < depth(line));
        let step = line.trim_start().trim_start_matches("->").trim_start();
        if step.starts_with("Limit") {
            limits.push(depth(line));
        }
        let own = plan.iter().skip(at + 1).take_while(|line| !is_step(line));
        let has_condition = || own.clone().any(|line| line.trim_start().starts_with("Index Cond:"));
        let reads = step.starts_with("Seq Scan")
            || step.starts_with("Bitmap Index Scan") && !has_condition()
            || step.starts_with("Index") && limits.is_empty() && !has_condition();
        if reads {
            found.push(line.as_str());
        }
    }
    found
}

#[test]
fn a_step_without_a_condition_is_found_and_one_under_a_limit_is_not() {
    let plan = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let good = plan("Index Scan using a_pkey on a  (cost=1)\n  Index Cond: (id = $1)\n  Filter: (x)");
    assert!(reads_all(&good).is_empty());
    let all = plan(
        "Update on a  (cost=1)\n  ->  Index Scan using a_open on a  (cost=1)\n        Filter: (id = $1)",
    );
    assert_eq!(reads_all(&all).len(), 1);
    let few = plan("Limit  (cost=1)\n  ->  Index Scan using a_pkey on a  (cost=1)\n        Filter: (x)");
    assert!(reads_all(&few).is_empty());
    let beside =
        plan("Nested Loop\n  ->  Limit\n        ->  Index Scan using a on a\n  ->  Index Scan using b on b");
    assert_eq!(reads_all(&beside), ["  ->  Index Scan using b on b"]);
    assert_eq!(reads_all(&plan("Limit\n  ->  Seq Scan on a")).len(), 1);
    assert_eq!(reads_all(&plan("Limit\n  ->  Bitmap Index Scan on a_open")).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_statement_reads_everything_while_the_tables_are_empty() {
    let world = World::on_postgres().await;
    let statements = store::statements_of(&world.db);
    let plans = world.db.write(move |tx| {
        Box::pin(async move {
            let mut plans = Vec::with_capacity(statements.len());
            for (at, (place, text)) in statements.into_iter().enumerate() {
                let highest = (1..400).rev().find(|number| text.contains(&format!("${number}"))).unwrap_or(0);
                sql(format!("PREPARE looked_at_{at} AS {text}")).execute(tx).await?;
                let values = if highest > 0 {
                    format!("({})", vec!["NULL"; highest].join(", "))
                } else {
                    String::new()
                };
                let rows = sql(format!("EXPLAIN EXECUTE looked_at_{at}{values}")).all(tx).await?;
                let lines = rows.into_iter().map(|mut row| row.take::<String>());
                plans.push((place, lines.collect::<Result<Vec<_>, _>>()?));
            }
            Ok::<_, store::DbError>(plans)
        })
    });
    let plans = plans.await.unwrap();
    assert!(plans.len() > 500, "only {} were looked at", plans.len());
    let reading =
        plans.iter().map(|(place, plan)| (place, reads_all(plan))).filter(|(_, all)| !all.is_empty());
    let (meant, bad): (Vec<_>, Vec<_>) = reading.partition(|(place, _)| READ_ALL.contains(&place.as_str()));
    assert!(bad.is_empty(), "these read everything: {bad:#?}");
    assert_eq!(meant.len(), READ_ALL.len(), "one of these does not any more: {meant:#?}");
}
