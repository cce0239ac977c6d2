// Signs a batch of tokens with jose.
//
// Standard input: a JSON array of {alg, key, header, claims}; `key` is the secret's text for HS256 and a PEM
// private key (PKCS #8) otherwise, `header` is added to alg and typ. Standard output: a JSON array of tokens.
import { text } from 'node:stream/consumers';
import { SignJWT, importPKCS8 } from 'jose';

async function keyOf({ alg, key }) {
  return alg.startsWith('HS') ? new TextEncoder().encode(key) : importPKCS8(key, alg);
}

async function sign(order) {
  const header = { alg: order.alg, typ: 'JWT', ...order.header };
  return new SignJWT(order.claims).setProtectedHeader(header).sign(await keyOf(order));
}

const orders = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await Promise.all(orders.map(sign))));
