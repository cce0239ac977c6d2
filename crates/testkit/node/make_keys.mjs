// Makes key pairs with jose. Standard input: a JSON array of algorithms, such as ["RS256", "ES256", "EdDSA"].
// Standard output: a JSON array of {alg, private_pem, public_pem, public_jwk}.
import { text } from 'node:stream/consumers';
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair } from 'jose';

async function make(alg) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    alg,
    private_pem: await exportPKCS8(privateKey),
    public_pem: await exportSPKI(publicKey),
    public_jwk: await exportJWK(publicKey),
  };
}

const algorithms = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await Promise.all(algorithms.map(make))));
