//! What is over goes, at its time and not before, and what hangs from something else goes first.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World};
use enter::ids::sortable;
use kernel::Time;
use store::retention::{ENTRIES_S, GRANTS_S, LOGOUT_NOTICES_S, SESSIONS_S, Swept, SweptAtSecondDoor, sweep};
use store::*;

on_both!(each_table_is_swept_at_its_time, a_session_stays_while_something_hangs_from_it);

/// Someone with a session that expires at [`NOW`], and the ids of everything around it: person, app, client.
async fn signed_in(world: &World) -> [String; 3] {
    let partner = world.partner("PT-1").await;
    let person = world.person(&partner, "anna").await.id.to_string();
    let app = world.app(&partner.organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client.id.to_string();
    let insert = "INSERT INTO sessions (id, hash, environment, partner_id, person_id, partner_session,
        authenticated_at, detail, created_at, touched_at, expires_at)
        VALUES ('S-1', 'h', $1, 'PT-1', $2, 's', $3, '{}', $3, $3, $3)";
    put(world, sql(insert).bind(SANDBOX).bind(&person).bind(NOW)).await;
    [person, app.id.to_string(), client]
}

async fn put(world: &World, query: Query) {
    assert!(world.write(move |tx| Box::pin(query.wrote(tx))).await);
}

async fn grant(world: &World, person: &str, client: &str, expires: Time) {
    let insert = "INSERT INTO grants (id, client_id, person_id, session_id, scopes, code_hash, redirect_uri, created_at,
        expires_at) VALUES ('grant-1', $1, $2, 'S-1', '[]', 'a', 'https://a.example', $3, $3)";
    put(world, sql(insert).bind(client).bind(person).bind(expires)).await;
}

async fn swept(world: &World, after_s: i64) -> SweptAtSecondDoor {
    sweep(&world.db, NOW.plus_seconds(after_s)).await.unwrap().second_door
}

async fn each_table_is_swept_at_its_time(world: World) {
    let [person, app, client] = signed_in(&world).await;
    grant(&world, &person, &client, NOW).await;
    let code =
        "INSERT INTO entry_codes (hash, environment, partner_id, app_id, partner_user, ordered, issued_at)
        VALUES ($4, $1, 'PT-1', $2, 'anna', '{}', $3)";
    let key = format!("{}e", sortable(NOW));
    put(&world, sql(code).bind(SANDBOX).bind(&app).bind(NOW).bind(&key)).await;
    let held = "INSERT INTO held_entries (token_hash, cookie_hash, environment, code_hash, since)
        VALUES ('t', 'c', $1, $3, $2)";
    put(&world, sql(held).bind(SANDBOX).bind(NOW).bind(&key)).await;
    let pending =
        "INSERT INTO pending_requests (nonce_hash, environment, app_id, client_id, query, since, consented)
        VALUES ('n', $1, $2, $3, '', $4, $5)";
    put(&world, sql(pending).bind(SANDBOX).bind(&app).bind(&client).bind(NOW).bind(false)).await;
    let pushed =
        "INSERT INTO pushed_requests (hash, client_id, parameters, expires_at) VALUES ('p', $1, '[]', $2)";
    put(&world, sql(pushed).bind(&client).bind(NOW)).await;
    put(&world, sql("INSERT INTO revoked_tokens (jti, until_at) VALUES ('j', $1)").bind(NOW)).await;
    let used = "INSERT INTO used_assertions (principal, jti_hash, until_at) VALUES ('x', 'j', $1)";
    put(&world, sql(used).bind(NOW)).await;
    let notice = "INSERT INTO logout_notices (id, session_id, app_id, uri, attempts, next_at, created_at, environment,
        person_id, partner_id) VALUES ($1, 'S-1', $2, 'https://a.example', 1, $3, $4, 'sandbox', 'U-1', 'PT-1')";
    put(&world, sql(notice).bind("told").bind(&app).bind(None::<i64>).bind(NOW)).await;

    let nothing = SweptAtSecondDoor::default();
    assert_eq!(swept(&world, 0).await, nothing, "nothing at the very moment");
    let expired = SweptAtSecondDoor { pushed_requests: 1, revoked_tokens: 1, used_assertions: 1, ..nothing };
    assert_eq!(swept(&world, 1).await, expired);
    assert_eq!(ENTRIES_S, GRANTS_S, "or the next two lines have to be told apart");
    assert_eq!(swept(&world, ENTRIES_S).await, nothing);
    let day =
        SweptAtSecondDoor { entry_codes: 1, held_entries: 1, pending_requests: 1, grants: 1, ..nothing };
    assert_eq!(swept(&world, ENTRIES_S + 1).await, day);
    assert_eq!(LOGOUT_NOTICES_S, SESSIONS_S, "or the next two lines have to be told apart");
    assert_eq!(swept(&world, SESSIONS_S).await, nothing);
    let month = SweptAtSecondDoor { logout_notices: 1, sessions: 1, ..nothing };
    assert_eq!(swept(&world, SESSIONS_S + 1).await, month);
    let all = Swept { second_door: day, refusals: 7, ..Swept::default() }.tables();
    assert_eq!(all.iter().map(|(_, rows)| rows).sum::<u64>(), 11, "each table is told once");
}

async fn a_session_stays_while_something_hangs_from_it(world: World) {
    let [person, app, client] = signed_in(&world).await;
    grant(&world, &person, &client, NOW.plus_seconds(2 * SESSIONS_S)).await;
    let notice = "INSERT INTO logout_notices (id, session_id, app_id, uri, attempts, next_at, created_at, environment,
        person_id, partner_id) VALUES ('waits', 'S-1', $1, 'https://a.example', 1, $2, $2, 'sandbox', 'U-1', 'PT-1')";
    put(&world, sql(notice).bind(&app).bind(NOW)).await;
    let late = SESSIONS_S + 1;
    assert_eq!(swept(&world, late).await, SweptAtSecondDoor::default(), "a grant lives, a notice waits");
    put(&world, sql("UPDATE logout_notices SET next_at = $1").bind(None::<i64>)).await;
    assert_eq!(
        swept(&world, late).await,
        SweptAtSecondDoor { logout_notices: 1, ..SweptAtSecondDoor::default() }
    );
    let after = SweptAtSecondDoor { grants: 1, sessions: 1, ..SweptAtSecondDoor::default() };
    assert_eq!(swept(&world, 2 * SESSIONS_S + GRANTS_S + 1).await, after);
}
