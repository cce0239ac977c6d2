// npm `oidc-provider` as it is measured beside the gateway: in memory only, ES256, one process. One argument: JSON
// {port, client_id, client_secret, redirect_uri, session}. `session` is the value of the cookie of somebody who is
// signed in and has consented. Prints `ready <issuer>`.
import { generateKeyPair, exportJWK } from 'jose';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${settings.port}`;
const scope = 'openid profile email';
const { privateKey } = await generateKeyPair('ES256', { extractable: true });
let granted;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: [settings.redirect_uri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'measured' }] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  features: { devInteractions: { enabled: false }, introspection: { enabled: true } },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: 'Anna Arendt', email: 'anna@example.com' }),
  }),
  issueRefreshToken: () => true,
  loadExistingGrant: () => provider.Grant.find(granted),
  interactions: { url: () => '/signed-in-is-who-is-measured' },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, RefreshToken: 86400, Session: 86400 },
});

const grant = new provider.Grant({ clientId: settings.client_id, accountId: 'anna' });
grant.addOIDCScope(scope);
granted = await grant.save();
const session = new provider.Session({ jti: settings.session });
session.loginAccount({ accountId: 'anna' });
session.ensureClientContainer?.(settings.client_id);
session.grantIdFor(settings.client_id, granted);
await session.save(86400);

provider.listen(settings.port, '127.0.0.1', () => console.log(`ready ${issuer}`));
