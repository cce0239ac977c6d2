//! Lessons from advisories of this class of software, as far as codes and tokens go.

use super::scene::{LIVING, REDIRECT, SANDBOX, Scene, VERIFIER, opened, refusal, refused, text, with};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enter::ids::ServiceKeyId;
use enter::oidc::{Place, TokenKind};
use enter::service_account::{AccessClaims, ServiceAccount, ServiceKey};
use kernel::jose::{Algorithm, SigningKey};
use kernel::{Plain, SystemChance};
use serde_json::{Value, json};
use store::service_accounts::{self, ServiceAccountRecord};
use testkit::on_both;

const EMAIL: &str = "backend@acme.example";

/// A partner's backend with a key of its own.
struct Backend {
    key: SigningKey,
    id: ServiceKeyId,
}

impl Backend {
    async fn of(scene: &Scene) -> Self {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let id = ServiceKeyId::new(&SystemChance);
        let account = ServiceAccount {
            email: EMAIL.to_owned(),
            partner: scene.partner.id.clone(),
            scopes: vec!["entry".to_owned()],
            disabled: None,
        };
        let now = scene.world.now();
        let record = ServiceAccountRecord { account, name: "backend".to_owned(), created: now };
        let jwk = key.public().to_jwk().to_string();
        let row = ServiceKey::new(id.clone(), EMAIL.to_owned(), Algorithm::Es256, jwk, false);
        scene
            .write(move |tx| {
                Box::pin(async move {
                    assert!(service_accounts::insert(tx, &record).await?);
                    assert!(service_accounts::insert_key(tx, &row, now).await?);
                    Ok(())
                })
            })
            .await;
        Self { key, id }
    }

    fn assertion(&self, scene: &Scene) -> String {
        let now = scene.world.now().seconds();
        let jti = Plain::new(&SystemChance);
        let claims = json!({ "iss": EMAIL, "sub": EMAIL, "aud": scene.url(), "iat": now, "exp": now + 60, "jti": jti.reveal() });
        self.key.jws(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.id }), &claims.to_string()).unwrap()
    }

    async fn token(&self, scene: &Scene) -> String {
        let jti = Plain::new(&SystemChance);
        let claims = AccessClaims {
            issuer: scene.url(),
            subject: EMAIL,
            partner: &scene.partner.id,
            scopes: &["entry".to_owned()],
            key: &self.id,
            jti: jti.reveal(),
            now: scene.world.now(),
        };
        scene.world.service().sign(SANDBOX, Algorithm::Es256, "at+jwt", claims.payload()).await.unwrap()
    }
}

/// Whether the endpoint takes this text for what it wants there.
async fn takes(scene: &Scene, rp: &super::scene::Rp, place: Place, token: &str) -> bool {
    let form = |fields: &[(&str, &str)]| scene.asks_token(rp, fields);
    match place {
        Place::CodeGrant => {
            let fields = [
                ("grant_type", "authorization_code"),
                ("code", token),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
            ];
            form(&fields).await.status == 200
        }
        Place::RefreshGrant => {
            form(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await.status == 200
        }
        Place::AssertionGrant => {
            let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            form(&[("grant_type", grant), ("assertion", token)]).await.status == 200
        }
        Place::Bearer => scene.user_info(token).await.status == 200,
        Place::Introspect => {
            let answer = scene.posts("/oauth2/introspect", &with(rp, &[("token", token)])).await;
            answer.json()["active"] == true
        }
        Place::Revoke => {
            let before = (
                scene.world.count("revoked_tokens").await,
                scene.world.count("grants WHERE revoked_at IS NOT NULL").await,
            );
            scene.posts("/oauth2/revoke", &with(rp, &[("token", token)])).await;
            let after = (
                scene.world.count("revoked_tokens").await,
                scene.world.count("grants WHERE revoked_at IS NOT NULL").await,
            );
            before != after
        }
        Place::Authorize => {
            let query = [("client_id", rp.id()), ("request_uri", token)];
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            let answer = scene.caller.get(&format!("/oauth2/auth?{query}")).await;
            (300..400).contains(&answer.status) || answer.status == 200
        }
        Place::Logout => {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("id_token_hint", token)
                .finish();
            // Without a session there is nothing to end, and the hint is still read.
            scene.caller.get(&format!("/oauth2/logout?{query}")).await.status < 400
        }
        Place::Enter => {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("code", token).finish();
            (300..400).contains(&scene.caller.get(&format!("/enter?{query}")).await.status)
        }
    }
}

/// A fresh token of each kind; both kinds of access tokens, and secrets of other places.
async fn fresh(scene: &Scene, rp: &super::scene::Rp, backend: &Backend, kind: TokenKind) -> Option<String> {
    Some(match kind {
        TokenKind::AuthorizationCode => scene.code(rp).await,
        TokenKind::AccessToken => text(&scene.tokens(rp).await, "access_token").to_owned(),
        TokenKind::RefreshToken => text(&scene.tokens(rp).await, "refresh_token").to_owned(),
        TokenKind::IdToken => text(&scene.tokens(rp).await, "id_token").to_owned(),
        TokenKind::RequestUri => {
            let fields = [("response_type", "code"), ("redirect_uri", REDIRECT), ("scope", "openid")];
            let answer = scene.posts("/oauth2/par", &with(rp, &fields)).await;
            text(&answer.json(), "request_uri").to_owned()
        }
        TokenKind::LogoutToken => {
            let now = scene.world.now();
            let claims = enter::oidc::logout_claims(
                scene.url(),
                &rp.client.id,
                &scene.person.id,
                &scene.session.id,
                "j",
                now,
            );
            scene
                .world
                .service()
                .sign(SANDBOX, Algorithm::Es256, "logout+jwt", claims.to_string())
                .await
                .unwrap()
        }
        TokenKind::Assertion => backend.assertion(scene),
        // Made where entries are tested.
        TokenKind::EntryCode => return None,
    })
}

/// Another digit of base64url, which differs in the last of its six bits.
fn neighbour(digit: u8) -> u8 {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = DIGITS.iter().position(|one| *one == digit).unwrap();
    DIGITS[at ^ 1]
}

on_both! {
    async fn lesson_7_another_clients_attempt_burns_a_code_and_opens_no_refresh_token(world: World) {
        let scene = Scene::of(&world).await;
        let (rp, thief) = (scene.web().await, scene.web().await);
        let code = scene.code(&rp).await;
        assert_eq!(refusal(&scene.redeeming(&thief, &code).await), refused(400, "invalid_grant"));
        assert_eq!(refusal(&scene.redeeming(&rp, &code).await), refused(400, "invalid_grant"), "burnt");
        let tokens = scene.tokens(&rp).await;
        let refresh = text(&tokens, "refresh_token");
        assert_eq!(refusal(&scene.refreshing(&thief, refresh).await), refused(400, "invalid_grant"));
        assert_eq!(scene.refreshing(&rp, refresh).await.status, 200, "its owner is not harmed");
    }

    async fn lesson_8_every_kind_of_token_is_taken_only_where_it_belongs(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let backend = Backend::of(&scene).await;
        let places = [
            Place::CodeGrant, Place::RefreshGrant, Place::AssertionGrant, Place::Bearer, Place::Revoke,
            Place::Introspect, Place::Authorize, Place::Logout, Place::Enter,
        ];
        for kind in TokenKind::ALL {
            for place in places {
                let Some(token) = fresh(&scene, &rp, &backend, kind).await else { continue };
                assert_eq!(takes(&scene, &rp, place, &token).await, kind.belongs(place), "{kind:?} at {place:?}");
            }
        }
        // A program's access token is no user's, and a secret of the other door is nothing here.
        let secrets = [backend.token(&scene).await, rp.secret.clone(), scene.session.secret.as_str().to_owned()];
        for token in &secrets {
            for place in places {
                assert!(!takes(&scene, &rp, place, token).await, "{token} at {place:?}");
            }
        }
        // Nor does the prefix of one kind make another of it.
        let code = scene.code(&rp).await;
        for prefix in ["vst_rt_", "vst_ac_", "vst_ec_", ""] {
            let dressed = format!("{prefix}{}", code.trim_start_matches("vst_ac_"));
            assert!(!takes(&scene, &rp, Place::RefreshGrant, &dressed).await, "{dressed}");
        }
    }

    async fn lesson_9_of_a_hundred_redemptions_one_wins_and_the_replay_revokes_it(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        scene.tokens(&rp).await;
        let code = scene.code(&rp).await;
        let asked: Vec<_> = (0..100).map(|_| {
            let redeeming = scene.redeeming(&rp, &code);
            tokio::spawn(async move { redeeming.await })
        }).collect();
        let mut won = Vec::new();
        for one in asked {
            let answer = one.await.unwrap();
            if answer.status == 200 { won.push(answer.json()) } else {
                assert_eq!(refusal(&answer), refused(400, "invalid_grant"));
            }
        }
        assert_eq!(won.len(), 1);
        assert_eq!(scene.user_info(text(&won[0], "access_token")).await.status, 401);
        assert_eq!(refusal(&scene.refreshing(&rp, text(&won[0], "refresh_token")).await), refused(400, "invalid_grant"));
    }

    async fn lesson_10_of_64_refreshes_at_once_one_successor_lives(world: World) {
        let scene = Scene::of(&world).await;
        let node = world.another_node().await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let asked: Vec<_> = (0..64).map(|at| {
            let caller = if at % 2 == 0 { world.person() } else { world.person_at(&node) };
            let there = Scene { caller, ..scene.clone() };
            let refreshing = there.refreshing(&rp, text(&tokens, "refresh_token"));
            tokio::spawn(async move { refreshing.await })
        }).collect();
        let mut won = Vec::new();
        for one in asked {
            let answer = one.await.unwrap();
            match answer.status {
                200 => won.push(answer.json()),
                _ => assert_eq!(refusal(&answer), refused(400, "invalid_grant")),
            }
        }
        // The first, and the one that counts as a lost answer.
        assert!((1..=2).contains(&won.len()), "{}", won.len());
        assert_eq!(world.count(LIVING).await, 1);
        let mut alive = 0;
        for tokens in &won {
            let answer = scene.refreshing(&rp, text(tokens, "refresh_token")).await;
            alive += usize::from(answer.status == 200);
        }
        assert_eq!(alive, 1);
    }

    async fn lesson_10_a_public_clients_token_used_64_times_at_once_leaves_one_successor(world: World) {
        let scene = Scene::of(&world).await;
        let spa = scene.browser().await;
        let tokens = scene.tokens(&spa).await;
        let asked: Vec<_> = (0..64).map(|_| {
            let refreshing = scene.refreshing(&spa, text(&tokens, "refresh_token"));
            tokio::spawn(async move { refreshing.await.status })
        }).collect();
        let mut won = 0;
        for one in asked {
            won += usize::from(one.await.unwrap() == 200);
        }
        assert_eq!(won, 1);
        assert_eq!(world.count(LIVING).await, 1);
    }

    async fn lesson_14_whatever_is_switched_off_ends_code_token_refresh_and_introspection_at_once(world: World) {
        let scene = Scene::of(&world).await;
        let (rp, sister) = (scene.web().await, scene.web().await);
        for (off, on) in [
            ("UPDATE partners SET disabled_at = 1", "UPDATE partners SET disabled_at = NULL"),
            ("UPDATE people SET disabled_at = 1", "UPDATE people SET disabled_at = NULL"),
            ("UPDATE accounts SET disabled_at = 1", "UPDATE accounts SET disabled_at = NULL"),
            ("UPDATE apps SET disabled_at = 1", "UPDATE apps SET disabled_at = NULL"),
            ("UPDATE clients SET disabled_at = 1", "UPDATE clients SET disabled_at = NULL"),
            ("UPDATE sessions SET ended_at = 1", "UPDATE sessions SET ended_at = NULL"),
            ("UPDATE grants SET revoked_at = 1", "UPDATE grants SET revoked_at = NULL"),
        ] {
            let tokens = scene.tokens(&rp).await;
            let code = scene.code(&rp).await;
            let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
            assert_eq!(scene.user_info(access).await.status, 200, "{on}");
            world.change(off).await;
            assert_eq!(scene.user_info(access).await.status, 401, "{off}");
            assert_ne!(scene.refreshing(&rp, refresh).await.status, 200, "{off}");
            assert_ne!(scene.redeeming(&rp, &code).await.status, 200, "{off}");
            if !off.contains("clients") {
                for token in [access, refresh] {
                    let told = scene.posts("/oauth2/introspect", &with(&sister, &[("token", token)])).await;
                    assert_eq!(told.json()["active"], false, "{off}");
                }
            }
            world.change(on).await;
            // The code was used up by the attempt; what else there was holds again.
            assert_eq!(scene.user_info(access).await.status, 200, "{on}");
            assert_eq!(scene.refreshing(&rp, refresh).await.status, 200, "{on}");
        }
    }

    async fn lesson_14_who_loses_access_to_the_account_loses_the_tokens(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        world.change("DELETE FROM activations").await;
        assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 401);
        world.change("UPDATE apps SET open_to_all = TRUE, modified_at = modified_at + 1").await;
        assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 200);
        world.change("DELETE FROM associations").await;
        assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 401);
        assert_eq!(refusal(&scene.refreshing(&rp, text(&tokens, "refresh_token")).await), refused(400, "invalid_grant"));
    }

    async fn lesson_17_only_our_own_keys_prove_an_access_token(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let good = text(&tokens, "access_token");
        let (header, claims) = opened(good);
        let payload = good.split('.').nth(1).unwrap();
        let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
        let set = scene.caller.get("/oauth2/v1/certs").await.json();
        let own = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap().clone();
        let headers = [
            json!({ "alg": "ES256", "typ": "at+jwt", "kid": header["kid"] }),
            json!({ "alg": "ES256", "typ": "at+jwt", "kid": header["kid"], "jwk": stranger.public().to_jwk() }),
            json!({ "alg": "ES256", "typ": "at+jwt", "jwk": stranger.public().to_jwk() }),
            json!({ "alg": "ES256", "typ": "at+jwt", "kid": "../../etc/passwd" }),
            json!({ "alg": "ES256", "typ": "at+jwt", "kid": "' UNION SELECT private_key FROM issuer_keys --" }),
            json!({ "alg": "ES256", "typ": "at+jwt", "kid": header["kid"], "crit": ["x"], "x": 1 }),
        ];
        let mut forged: Vec<String> = headers.iter().map(|header| stranger.jws(header, &claims.to_string()).unwrap()).collect();
        let encoded = |header: Value| URL_SAFE_NO_PAD.encode(header.to_string());
        for alg in ["none", "None", "NONE", ""] {
            forged.push(format!("{}.{payload}.", encoded(json!({ "alg": alg, "typ": "at+jwt", "kid": header["kid"] }))));
        }
        // HMAC with the public key as its secret.
        for secret in [own.to_string(), text(&own, "x").to_owned()] {
            let head = encoded(json!({ "alg": "HS256", "typ": "at+jwt", "kid": header["kid"] }));
            let tag = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes()), format!("{head}.{payload}").as_bytes());
            forged.push(format!("{head}.{payload}.{}", URL_SAFE_NO_PAD.encode(tag)));
        }
        let first = good.rsplit_once('.').unwrap().0;
        forged.push(format!("{first}.{}", "A".repeat(86)));
        for token in &forged {
            assert_eq!(scene.user_info(token).await.status, 401, "{token}");
        }
        assert_eq!(scene.user_info(good).await.status, 200);
    }

    async fn lesson_18_no_shortened_or_changed_token_is_taken(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let code = scene.code(&rp).await;
        // Proven once, so that what is remembered of it would show.
        assert_eq!(scene.user_info(access).await.status, 200);
        let mut asked: Vec<String> = (0..access.len()).map(|end| access[..end].to_owned()).collect();
        // Every position, three ways: the bit that base64url leaves unused at a part's end must count as well.
        for at in 0..access.len() {
            let old = access.as_bytes()[at];
            for new in [b'A', b'B', if old == b'.' { b'_' } else { neighbour(old) }] {
                let mut bytes = access.as_bytes().to_vec();
                bytes[at] = new;
                if new != old {
                    asked.push(String::from_utf8(bytes).unwrap());
                }
            }
        }
        asked.extend([format!("{access}="), format!("{access}."), format!("{access}A"), access.to_uppercase()]);
        let parts: Vec<&str> = access.split('.').collect();
        let id_parts: Vec<&str> = text(&tokens, "id_token").split('.').collect();
        for at in 0..3 {
            let mut mixed = parts.clone();
            mixed[at] = id_parts[at];
            asked.push(mixed.join("."));
            mixed[at] = "";
            asked.push(mixed.join("."));
        }
        let service = world.service();
        let place = service.places.of(SANDBOX).unwrap();
        for token in &asked {
            let verified = service.verify_access_token(place, token).await.unwrap();
            assert!(verified.is_err(), "{token}");
        }
        // And as the endpoint sees them.
        for token in asked.iter().step_by(97) {
            assert_eq!(scene.user_info(token).await.status, 401, "{token}");
        }
        let changes = |secret: &str| {
            let prefixes = (0..secret.len()).map(|end| secret[..end].to_owned());
            let changed = (0..secret.len()).map(|at| {
                let mut bytes = secret.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                String::from_utf8(bytes).unwrap()
            });
            prefixes.chain(changed).chain([format!("{secret}A"), format!("{secret}=")]).collect::<Vec<_>>()
        };
        for wrong in changes(refresh) {
            assert_eq!(scene.refreshing(&rp, &wrong).await.status, 400, "{wrong}");
        }
        for wrong in changes(&code) {
            assert_eq!(scene.redeeming(&rp, &wrong).await.status, 400, "{wrong}");
        }
        assert_eq!(scene.user_info(access).await.status, 200);
        assert_eq!(scene.refreshing(&rp, refresh).await.status, 200);
        assert_eq!(scene.redeeming(&rp, &code).await.status, 200);
    }

    async fn a_token_of_one_environment_is_nothing_in_the_other(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let there = Scene { caller: world.person_in_production(), ..scene.clone() };
        assert_eq!(there.user_info(text(&tokens, "access_token")).await.status, 401);
        assert_eq!(refusal(&there.refreshing(&rp, text(&tokens, "refresh_token")).await), refused(401, "invalid_client"));
        assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 200);
    }
}
