//! A token, a start link and a state are each used once, whatever arrives at the same time and wherever.

use std::collections::BTreeMap;
use testkit::on_both;
use testkit::world::{Answer, Company, Person};

async fn posted(person: &Person, company: &Company, token: &str) -> Answer {
    person
        .ask(reqwest::Method::POST, &company.page("hubspot"))
        .framed()
        .json()
        .form(&[("tenant", token)])
        .await
}

fn counted(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let what = match answer.status {
            303 => "open".to_owned(),
            _ => answer.json()["code"].as_str().unwrap_or_default().to_owned(),
        };
        *counts.entry(what).or_default() += 1;
    }
    counts
}

on_both! {
    async fn a_token_opens_one_dialog(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let token = acme.token("hubspot").claim("jti", "once");
        assert_eq!(posted(&anna, &acme, &token.sign()).await.status, 303);
        let again = posted(&anna, &acme, &token.sign()).await;
        assert_eq!((again.status, again.json()["code"].as_str()), (401, Some("token_replayed")));
        assert_eq!(again.json()["claim"], "jti");
        // Another token with the same jti is a replay too, also at another page and by GET.
        let other = acme.token("notion").claim("jti", "once").sub("ben@example.com");
        let answer = anna.get(&format!("{}?tenant={}", acme.page("notion"), other.sign())).json().framed().await;
        assert_eq!(answer.json()["code"], "token_replayed");
        // Another organization has its own.
        let else_where = world.organization("other").await;
        assert_eq!(posted(&anna, &else_where, &else_where.token("hubspot").claim("jti", "once").sign()).await.status, 303);
        assert_eq!(world.count("dialogs").await, 2);
    }

    async fn a_token_is_remembered_as_long_as_it_could_be_accepted(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let token = acme.token("hubspot").claim("iat", world.now().seconds() + 60).sign();
        assert_eq!(posted(&anna, &acme, &token).await.status, 303);
        for _ in 0..8 {
            world.pass_seconds(60);
            store::retention::sweep(world.db(), world.now()).await.unwrap();
            let code = posted(&anna, &acme, &token).await.json()["code"].clone();
            assert!(code == "token_replayed" || code == "token_stale", "{code}");
        }
        assert_eq!(world.count("dialogs").await, 1);
    }

    async fn a_hundred_arrivals_at_once_open_one_dialog(world: World) {
        let acme = world.organization("acme").await;
        let node = world.another_node().await;
        let (here, there) = (world.person(), world.person_at(&node));
        let token = acme.token("hubspot").sign();
        let arrivals = (0..100).map(|at| posted(if at % 2 == 0 { &here } else { &there }, &acme, &token));
        let answers = futures_util::future::join_all(arrivals).await;
        let expected = BTreeMap::from([("open".to_owned(), 1), ("token_replayed".to_owned(), 99)]);
        assert_eq!(counted(&answers), expected);
        assert_eq!(world.count("dialogs").await, 1);
    }

    async fn a_start_link_starts_once(world: World) {
        let acme = world.organization("acme").await;
        let node = world.another_node().await;
        let (here, there) = (world.person(), world.person_at(&node));
        let dialog = here.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let link = dialog.start_link().await;
        let opened = (0..20).map(|at| {
            let person = if at % 2 == 0 { &here } else { &there };
            async { person.get(&link).same_origin().await.status }
        });
        let statuses = futures_util::future::join_all(opened).await;
        assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
        assert_eq!(world.count("attempts").await, 1);
        // Late: two minutes.
        let link = dialog.start_link().await;
        world.pass_seconds(121);
        assert_eq!(here.get(&link).same_origin().await.status, 410);
        // A fresh one works, and replaces the attempt that was begun.
        let link = dialog.start_link().await;
        assert_eq!(here.get(&link).same_origin().await.status, 303);
    }

    async fn a_callback_is_taken_once_of_many_at_once(world: World) {
        let acme = world.organization("acme").await;
        let node = world.another_node().await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let callback = dialog.signs_in().await;
        let there = anna.moved_to(node.address());
        let cookies = anna.cookie_line("/oauth2/callback");
        let asked = (0..20).map(|at| {
            let person = if at % 2 == 0 { &anna } else { &there };
            let ask = person.get(&callback).header("cookie", &cookies);
            async move { ask.await.status }
        });
        let statuses = futures_util::future::join_all(asked).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(dialog.confirms().await["stage"], "success");
    }

    async fn many_confirmations_at_once_install_once(world: World) {
        let acme = world.organization("acme").await;
        let node = world.another_node().await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        dialog.goes_and_comes_back().await;
        let there = dialog.seen_by(&anna.moved_to(node.address()));
        let confirms = (0..20).map(|at| if at % 2 == 0 { dialog.confirms() } else { there.confirms() });
        for state in futures_util::future::join_all(confirms).await {
            let stage = state["stage"].as_str().unwrap();
            assert!(matches!(stage, "installing" | "success"), "{state}");
        }
        assert_eq!(dialog.stage().await, "success");
        assert_eq!((world.count("tenants").await, world.count("triggers").await), (1, 1));
        assert_eq!(world.own_system.tokens().len(), 1);
    }
}
