// Verifies tokens with jose against a published key set, as a relying party would.
//
// Standard input: a JSON array of {"token", "keys" (a JWK set), "issuer", "audience", "typ"}. Standard output: a JSON
// array of {"header", "claims"}; a token that does not verify ends the program.

import { createLocalJWKSet, jwtVerify } from "jose";

let input = "";
for await (const piece of process.stdin) input += piece;
const verified = [];
for (const { token, keys, issuer, audience, typ, now } of JSON.parse(input)) {
  const options = { issuer, audience, typ, currentDate: new Date(now * 1000) };
  const { protectedHeader, payload } = await jwtVerify(token, createLocalJWKSet(keys), options);
  verified.push({ header: protectedHeader, claims: payload });
}
process.stdout.write(JSON.stringify(verified));
