//! The gateway's own keys: made once however many ask, changed without anybody noticing, sealed at rest.

use super::scene::{SANDBOX, Scene, opened, text};
use serde_json::Value;
use std::collections::BTreeSet;
use testkit::on_both;

const DAY_S: i64 = 24 * 3600;

async fn published(scene: &Scene) -> BTreeSet<String> {
    let set = scene.caller.get("/oauth2/v1/certs").await.json();
    set["keys"].as_array().unwrap().iter().map(|key| text(key, "kid").to_owned()).collect()
}

fn kid(tokens: &Value) -> String {
    opened(text(tokens, "id_token")).0["kid"].as_str().unwrap().to_owned()
}

on_both! {
    async fn two_nodes_at_once_make_one_set_of_keys(world: World) {
        let nodes = [world.another_node().await, world.another_node().await];
        let mut asked = Vec::new();
        for node in nodes.iter().chain(nodes.iter()) {
            let caller = world.person_at(node);
            asked.push(tokio::spawn(async move { caller.get("/oauth2/v1/certs").await.text() }));
        }
        let mut sets = BTreeSet::new();
        for one in asked {
            sets.insert(one.await.unwrap());
        }
        assert_eq!(sets.len(), 1, "{sets:?}");
        assert_eq!(world.count("issuer_keys").await, 3);
        assert_eq!(world.count("audit WHERE action = 'issuer_key.created'").await, 3);
    }

    async fn each_environment_has_its_own(world: World) {
        let (here, there) = (world.person(), world.person_in_production());
        let of = async |caller: &testkit::world::Person| caller.get("/oauth2/v1/certs").await.text();
        assert_ne!(of(&here).await, of(&there).await);
        assert_eq!(world.count("issuer_keys WHERE environment = 'sandbox'").await, 3);
        assert_eq!(world.count("issuer_keys WHERE environment = 'production'").await, 3);
    }

    async fn private_halves_are_sealed(world: World) {
        let scene = Scene::of(&world).await;
        published(&scene).await;
        assert_eq!(world.count("issuer_keys WHERE private_key LIKE 'v1.%'").await, 3);
        assert_eq!(world.count("issuer_keys WHERE public_jwk LIKE '%\"d\"%'").await, 0);
        // Copied to another key's row, one does not open.
        world.change("UPDATE issuer_keys SET private_key = (SELECT MAX(private_key) FROM issuer_keys)").await;
        let node = world.another_node().await;
        let answer = world.person_at(&node).get("/oauth2/v1/certs").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
    }

    async fn keys_change_by_plan_and_apps_survive_it(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let first = published(&scene).await;
        let before = scene.tokens(&rp).await;
        let keep = async || world.service().keep_issuer_keys(SANDBOX).await.unwrap();
        assert_eq!(keep().await, 0, "nothing is due on the first day");

        // A day before its time, the next set is published, and the old one goes on signing.
        world.pass_seconds(89 * DAY_S);
        assert_eq!(keep().await, 3);
        let both = published(&scene).await;
        assert_eq!((both.len(), both.is_superset(&first)), (6, true));
        assert_eq!(keep().await, 0);
        let scene = Scene { session: enter::session::Session { expires: world.now().plus_seconds(10 * DAY_S), ..scene.session.clone() }, ..scene };
        world.change("UPDATE sessions SET expires_at = expires_at * 2").await;
        let during = scene.tokens(&rp).await;
        assert_eq!(kid(&during), kid(&before));

        // Its time comes by the clock, whether or not somebody keeps the keys.
        world.pass_seconds(DAY_S - 60);
        let last = scene.tokens(&rp).await;
        assert_eq!(kid(&last), kid(&before));
        world.pass_seconds(60);
        let after = scene.tokens(&rp).await;
        assert!(both.contains(&kid(&after)) && !first.contains(&kid(&after)));
        assert_eq!(keep().await, 3, "the older ones are retired");
        assert_eq!(published(&scene).await, both, "and stay published: what they signed is still about");
        assert_eq!(scene.user_info(text(&last, "access_token")).await.status, 200);

        // Until nothing that they signed is worth anything.
        world.pass_seconds(3600);
        assert_eq!(keep().await, 3);
        let second = published(&scene).await;
        assert_eq!((second.len(), second.is_disjoint(&first)), (3, true));
        assert_eq!(world.count("issuer_keys WHERE removed_at IS NOT NULL AND private_key = ''").await, 3);
    }

    async fn two_nodes_keep_the_keys_together(world: World) {
        let scene = Scene::of(&world).await;
        published(&scene).await;
        world.pass_seconds(89 * DAY_S);
        let node = world.another_node().await;
        let (here, there) = (world.service(), node.service());
        let (one, other) = tokio::join!(here.keep_issuer_keys(SANDBOX), there.keep_issuer_keys(SANDBOX));
        assert_eq!(one.unwrap() + other.unwrap(), 3);
        assert_eq!(world.count("issuer_keys").await, 6);
    }

    async fn a_node_learns_of_a_key_that_another_made(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let node = world.another_node().await;
        published(&scene).await;
        let there = Scene { caller: world.person_at(&node), ..scene.clone() };
        published(&there).await;
        // Taken away by hand: the next one signs at once, and the other node reads it when it meets it.
        world.change("UPDATE issuer_keys SET removed_at = 1").await;
        world.pass_seconds(31);
        let tokens = scene.tokens(&rp).await;
        assert_eq!(world.count("issuer_keys").await, 6);
        assert_eq!(there.user_info(text(&tokens, "access_token")).await.status, 200);
        assert_eq!(published(&scene).await, published(&there).await);
    }
}
