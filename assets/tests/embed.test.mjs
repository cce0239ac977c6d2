// The embed script: whom it believes, what it tells, and that it tells it once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage, el, settled } from './stage.mjs';

const GATEWAY = 'https://connect.example';
const URL_OF_PAGE = `${GATEWAY}/acme/hubspot/auth`;
const TENANT = { id: 7, name: 'anna-orders' };
const SUCCESS = { message: 'vestibule-success', tenant: TENANT, webhook_url: `${GATEWAY}/v1/webhooks/x` };

/** A company's page with the script and a place for the frame. */
const page = async () => {
  const stage = new Stage({ origin: 'https://app.acme.example' });
  stage.container = el('div', { id: 'here' });
  stage.body.append(stage.container);
  stage.document.currentScript = { src: `${GATEWAY}/embed/v1.js` };
  await stage.run('embed/v1.js');
  stage.submitted = [];
  const append = stage.body.append.bind(stage.body);
  stage.body.append = (...children) => {
    for (const child of children.filter(({ localName }) => localName === 'form')) {
      child.submit = () => stage.submitted.push({ form: child, action: child.action, fields: [...child.children] });
    }
    append(...children);
  };
  return stage;
};

/** Opens a frame and writes down what is told. */
const opened = async (options = {}) => {
  const stage = await page();
  const told = [];
  const note = (name) => (what) => told.push([name, what]);
  const connection = stage.window.Vestibule.open({
    url: URL_OF_PAGE,
    token: 'a.b.c',
    container: stage.container,
    onSuccess: note('success'),
    onError: note('error'),
    onCancel: note('cancel'),
    onSave: note('save'),
    onResize: note('resize'),
    ...options,
  });
  const says = (data, origin = GATEWAY, from = connection.frame.contentWindow) => stage.hears(origin, from, data);
  return { stage, told, connection, frame: connection.frame, says };
};

const outcome = (connection) => Promise.race([
  connection.then((value) => ({ value }), (error) => ({ error })),
  settled().then(() => 'pending'),
]);

test('the token goes in a form field and into no address', async () => {
  const { stage, frame } = await opened();
  assert.equal(frame.src, undefined);
  assert.equal(frame.parent, stage.container);
  const [{ form, action, fields }] = stage.submitted;
  assert.equal(action, URL_OF_PAGE);
  assert.equal(form.method, 'post');
  assert.equal(form.target, frame.name);
  assert.deepEqual(fields.map(({ name, value, type }) => [name, value, type]), [['tenant', 'a.b.c', 'hidden']]);
  assert.equal(form.parent, null, 'nothing of it stays in the page');
  assert.equal(frame.referrerPolicy, 'origin');
});

test('without a token the address is opened as it is, relative to the gateway', async () => {
  const { stage, frame } = await opened({ url: '/acme/hubspot/auth?tenant=a.b.c', token: undefined });
  assert.equal(frame.src, `${URL_OF_PAGE}?tenant=a.b.c`);
  assert.equal(stage.submitted.length, 0);
});

test('success is told to the callback and to the promise', async () => {
  const { told, connection, says } = await opened();
  await says(SUCCESS);
  const expected = { tenant: TENANT, webhook_url: SUCCESS.webhook_url };
  assert.deepEqual(JSON.parse(JSON.stringify(told)), [['success', expected]]);
  assert.deepEqual(JSON.parse(JSON.stringify(await connection)), expected);
});

test('success is told once, and the first one counts', async () => {
  const { told, connection, says } = await opened();
  await says(SUCCESS);
  await says({ ...SUCCESS, tenant: { id: 8 } });
  await says({ message: 'vestibule-install-cancel' });
  await says({ message: 'vestibule-error', code: 'token_expired', detail: 'late' });
  assert.equal(told.filter(([name]) => name === 'success').length, 1);
  assert.equal((await connection).tenant.id, 7);
});

test('another origin, another window, another brand and another shape are nobody', async () => {
  const { stage, told, connection, frame, says } = await opened();
  await says(SUCCESS, 'https://evil.example');
  await says(SUCCESS, `${GATEWAY}.evil.example`);
  await says(SUCCESS, 'http://connect.example');
  await says(SUCCESS, `${GATEWAY}:8443`);
  await says(SUCCESS, 'null');
  await says(SUCCESS, GATEWAY, stage.window);
  await says(SUCCESS, GATEWAY, {});
  await says(SUCCESS, GATEWAY, null);
  for (const data of [null, undefined, 'vestibule-success', 7, [], {}, { message: 7 }, { message: 'success' },
    { ...SUCCESS, message: 'elsewhere-success' }, { message: 'vestibule-' }, { message: 'vestibule-toString' },
    { message: 'vestibule-constructor' }, { message: 'vestibule-__proto__' }, { message: 'vestibulesuccess' }]) {
    await says(data);
  }
  assert.deepEqual(told, []);
  assert.equal(await outcome(connection), 'pending');
  assert.equal(frame.style.height, '320px');
});

test('the names of messages begin with the brand', async () => {
  const { told, says } = await opened({ brand: 'pandium' });
  await says(SUCCESS);
  assert.deepEqual(told, []);
  await says({ ...SUCCESS, message: 'pandium-success' });
  assert.equal(told.length, 1);
});

test('the frame is as high as its content, and no nonsense makes it otherwise', async () => {
  const { told, frame, says } = await opened();
  const message = 'vestibule-content-height-change';
  await says({ message, height: 411.2 });
  assert.equal(frame.style.height, '412px');
  for (const height of [-1, NaN, Infinity, 'tall', undefined, '1px;position:fixed']) await says({ message, height });
  assert.equal(frame.style.height, '412px');
  assert.deepEqual(told, [['resize', 411.2]]);
});

test('an error that can be mended leaves the promise open', async () => {
  const { told, connection, says } = await opened();
  await says({ message: 'vestibule-error', code: 'user_denied', detail: 'The person said no.' });
  assert.deepEqual([told[0][0], told[0][1].name, told[0][1].code, told[0][1].message],
    ['error', 'VestibuleError', 'user_denied', 'The person said no.']);
  assert.equal(await outcome(connection), 'pending');
  await says(SUCCESS);
  assert.equal((await connection).tenant.id, 7);
});

for (const code of ['token_expired', 'claim_missing', 'organization_unknown', 'connector_unknown', 'integration_unknown', 'frame_origin_forbidden']) {
  test(`${code} ends the matter`, async () => {
    const { connection, says } = await opened();
    await says({ message: 'vestibule-error', code, detail: 'no' });
    await assert.rejects(connection, { name: 'VestibuleError', code, message: 'no' });
  });
}

test('whoever cancels is told so, and a modal closes', async () => {
  const { stage, told, connection, frame, says } = await opened({ modal: true, container: undefined });
  const modal = frame.parent;
  assert.deepEqual([modal.localName, modal.attributes.get('aria-label'), modal.log], ['dialog', 'Connect', ['showModal']]);
  await says({ message: 'vestibule-install-cancel' });
  assert.deepEqual(told, [['cancel', undefined]]);
  await assert.rejects(connection, { code: 'install_cancelled' });
  assert.deepEqual([modal.log, modal.parent], [['showModal', 'close'], null]);
  assert.equal(stage.body.children.includes(modal), false);
});

test('Escape and the button close a modal', async () => {
  for (const way of ['cancel', 'click']) {
    const { connection, frame } = await opened({ modal: true, container: undefined });
    const modal = frame.parent;
    const event = new Event(way, { cancelable: true });
    (way === 'cancel' ? modal : modal.children[0]).dispatchEvent(event);
    await assert.rejects(connection, { code: 'closed' });
    assert.equal(modal.parent, null, way);
    assert.equal(event.defaultPrevented, way === 'cancel', 'the script closes it, not the browser');
  }
});

test('a closed frame is gone and deaf', async () => {
  const { told, connection, frame, says } = await opened();
  const before = frame.contentWindow;
  connection.close();
  assert.equal(frame.parent, null);
  await assert.rejects(connection, { code: 'closed' });
  await says(SUCCESS, GATEWAY, before);
  assert.deepEqual(told, []);
});

test('closing after success takes nothing back', async () => {
  const { connection, frame, says } = await opened();
  await says(SUCCESS);
  connection.close();
  assert.equal((await connection).tenant.id, 7);
  assert.equal(frame.parent, null);
});

test('an abort closes, with its reason; one that was before opens nothing', async () => {
  const later = new AbortController();
  const { connection, frame } = await opened({ signal: later.signal });
  later.abort(new Error('logged out'));
  await assert.rejects(connection, { message: 'logged out' });
  assert.equal(frame.parent, null);

  const before = new AbortController();
  before.abort(new Error('too late'));
  const second = await opened({ signal: before.signal });
  await assert.rejects(second.connection, { message: 'too late' });
  assert.deepEqual([second.frame.parent, second.stage.submitted.length], [null, 0]);
  second.connection.close();
});

test('a missing address or container is told at once, and leaves nothing behind', async () => {
  const stage = await page();
  const listeners = [];
  stage.window.addEventListener = (name) => listeners.push(name);
  const { open } = stage.window.Vestibule;
  assert.throws(() => open({ container: stage.container }), { message: /url is missing/ });
  assert.throws(() => open({ url: URL_OF_PAGE, token: 't' }), { message: /container is no element/ });
  assert.throws(() => open({ url: URL_OF_PAGE, token: 't', container: '[id=nowhere]' }), { message: /container is no element/ });
  assert.deepEqual([listeners, stage.submitted], [[], []]);
  assert.doesNotThrow(() => open({ url: URL_OF_PAGE, token: 't', container: '[id=here]' }));
});

test('a rejection that nobody waits for troubles nobody', async () => {
  const { told, says } = await opened();
  const unhandled = [];
  const note = (error) => unhandled.push(error);
  process.on('unhandledRejection', note);
  await says({ message: 'vestibule-error', code: 'token_expired', detail: 'no' });
  await settled();
  process.off('unhandledRejection', note);
  assert.deepEqual([told.length, unhandled], [1, []]);
});

test('what the page may call cannot be changed under it', async () => {
  const stage = await page();
  assert.equal(Object.isFrozen(stage.window.Vestibule), true);
});
