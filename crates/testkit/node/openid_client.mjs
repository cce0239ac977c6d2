// An app's server by openid-client, with every check that it has switched on: signatures of ID tokens by the published
// keys, `iss` of the answer, state, nonce, PKCE.
//
// Reads one JSON object: {issuer, client_id, proof, redirect_uri, scope, alg, par, more} and, for the second step,
// {callback, verifier, state, nonce} as the first one printed them. `proof` is {secret} by basic, {secret, post: true},
// {private_key, kid, alg}, or {} for a public client. Prints one JSON object.

import dns from "node:dns";
import { readFileSync } from "node:fs";
import { importPKCS8 } from "jose";
import * as client from "openid-client";

// Browsers take every name below `localhost` for this machine; Node asks the resolver.
const lookup = dns.lookup;
dns.lookup = (name, options, callback) => {
  const local = name === "localhost" || name.endsWith(".localhost");
  return lookup(local ? "127.0.0.1" : name, options, callback);
};

const asked = JSON.parse(readFileSync(0, "utf8"));

async function proof({ secret, post, private_key: key, kid, alg }) {
  if (secret) return post ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
  if (key) return client.PrivateKeyJwt({ key: await importPKCS8(key, alg), kid });
  return client.None();
}

const config = await client.discovery(
  new URL(asked.issuer),
  asked.client_id,
  { id_token_signed_response_alg: asked.alg },
  await proof(asked.proof),
  { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
);

async function begin() {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const parameters = {
    redirect_uri: asked.redirect_uri,
    scope: asked.scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
    ...asked.more,
  };
  const build = asked.par ? client.buildAuthorizationUrlWithPAR : client.buildAuthorizationUrl;
  const url = await build(config, parameters);
  return { url: url.href, verifier, state, nonce };
}

async function finish() {
  const tokens = await client.authorizationCodeGrant(config, new URL(asked.callback), {
    pkceCodeVerifier: asked.verifier,
    expectedState: asked.state,
    expectedNonce: asked.nonce,
    idTokenExpected: true,
    ...(asked.max_age === undefined ? {} : { maxAge: asked.max_age }),
  });
  const claims = tokens.claims();
  const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  const again = await client.fetchUserInfo(config, refreshed.access_token, claims.sub);
  const told = { claims, info, again, id_token: tokens.id_token };
  if (asked.proof.secret || asked.proof.private_key) {
    told.live = await client.tokenIntrospection(config, refreshed.access_token);
    await client.tokenRevocation(config, refreshed.refresh_token);
    told.dead = await client.tokenIntrospection(config, refreshed.access_token);
  } else {
    await client.tokenRevocation(config, refreshed.refresh_token);
  }
  try {
    await client.refreshTokenGrant(config, refreshed.refresh_token);
    told.revoked = "still good";
  } catch (error) {
    told.revoked = error.error ?? error.message;
  }
  return told;
}

let answer;
try {
  answer = asked.callback ? await finish() : await begin();
} catch (error) {
  answer = { error: error.message, cause: error.cause?.message ?? error.cause };
}
console.log(JSON.stringify(answer));
