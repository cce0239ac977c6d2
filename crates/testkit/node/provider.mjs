// A real OAuth 2.0 / OpenID Connect server that this project did not write: npm `oidc-provider`.
//
// One argument: JSON {host, port, clients, access_token_seconds, rotate_refresh_tokens, require_pkce}. Port 0
// takes a free one. Prints `ready <issuer>`, then one line `event {"name", "client_id"}` for each thing that
// happens to a token or a grant, so that a test can see a revocation arrive.
//
// Its pages: a login form (any name and any password are right), a consent form, and a link that cancels. The
// name typed in becomes the account, with the claims sub, name and email.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);

const server = createServer();
await new Promise((resolve, reject) => {
  server.once('error', reject);
  server.listen(settings.port, '127.0.0.1', resolve);
});
const issuer = `http://${settings.host}:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: settings.clients.map((client) => ({
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...client,
  })),
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  scopes: ['openid', 'offline_access', ...settings.scopes],
  cookies: { keys: [crypto.randomUUID()] },
  features: { devInteractions: { enabled: true }, revocation: { enabled: true }, introspection: { enabled: true } },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, email: id.includes('@') ? id : `${id}@example.com` }),
  }),
  // Every code brings a refresh token, as at the providers that ask for offline access by scope alone.
  issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
  pkce: { required: () => settings.require_pkce },
  rotateRefreshToken: settings.rotate_refresh_tokens,
  ttl: {
    AccessToken: settings.access_token_seconds,
    AuthorizationCode: 60,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 86400,
    Session: 86400,
  },
});

const told = [
  'access_token.issued',
  'access_token.destroyed',
  'authorization_code.consumed',
  'refresh_token.saved',
  'refresh_token.consumed',
  'refresh_token.destroyed',
  'grant.revoked',
  'grant.error',
  'revocation.error',
];
for (const name of told) {
  provider.on(name, (first, second) => {
    const client_id = first?.clientId ?? first?.oidc?.client?.clientId ?? null;
    const error = second instanceof Error ? second.message : null;
    console.log(`event ${JSON.stringify({ name, client_id, error })}`);
  });
}

// The pages ask for a web font at another host; tests run where no other host answers.
provider.use(async (context, next) => {
  await next();
  if (typeof context.body === 'string') {
    context.body = context.body.replaceAll(/@import url\([^)]*\);/g, '');
  }
});

server.on('request', provider.callback());
console.log(`ready ${issuer}`);
