// What every page of ours does: telling the parent window, its height, the end of a popup.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage, el } from './stage.mjs';

const APP = 'https://app.acme.example';
const messages = (...targets) => targets.map((targetOrigin) => ({ targetOrigin, data: { message: 'vestibule-success' } }));

const page = async (more) => {
  const stage = new Stage(more);
  await stage.run('page.js');
  return stage;
};

test('messages go to exactly the origins that were named', async () => {
  const { window, posted } = await page();
  window.page.tell(messages(APP, 'https://other.example'));
  assert.deepEqual(posted.map(({ target }) => target), [APP, 'https://other.example']);
});

test('where the browser tells who the parent is, nobody else is written to', async () => {
  const known = await page({ ancestor: APP });
  known.window.page.tell(messages('https://other.example', APP));
  assert.deepEqual(known.posted.map(({ target }) => target), [APP]);
  const stranger = await page({ ancestor: 'https://evil.example' });
  stranger.window.page.tell(messages(APP));
  assert.deepEqual(stranger.posted, []);
  // A sandbox without registered origins: the server says so by `*`.
  const sandbox = await page({ ancestor: 'http://localhost:3000' });
  sandbox.window.page.tell(messages('*'));
  assert.deepEqual(sandbox.posted.map(({ target }) => target), ['*']);
});

test('a page that stands alone tells nobody, its opener least of all', async () => {
  const stage = await page({ isFramed: false });
  stage.window.opener = { postMessage: () => assert.fail('an opener was told') };
  stage.window.page.tell(messages(APP, '*'));
  stage.window.page.tellHeight('vestibule', [APP]);
  assert.deepEqual(stage.posted, []);
});

test('the height is told when it changes, to the named origins, under the brand\'s name', async () => {
  const stage = await page();
  stage.root.height = 300.4;
  stage.window.page.tellHeight('pandium', [APP]);
  stage.resized();
  stage.root.height = 420;
  stage.resized();
  assert.deepEqual(JSON.parse(JSON.stringify(stage.posted)), [
    { target: APP, data: { message: 'pandium-content-height-change', height: 301 } },
    { target: APP, data: { message: 'pandium-content-height-change', height: 420 } },
  ]);
});

test('a refused landing tells the parent why', async () => {
  const stage = new Stage();
  const script = el('script', { id: 'messages' });
  const refused = [{ targetOrigin: APP, data: { message: 'pandium-error', code: 'token_expired', detail: 'late' } }];
  script.textContent = JSON.stringify(refused);
  stage.body.append(script);
  stage.root.height = 200;
  await stage.run('page.js');
  assert.deepEqual(JSON.parse(JSON.stringify(stage.posted)), [
    { target: APP, data: refused[0].data },
    { target: APP, data: { message: 'pandium-content-height-change', height: 200 } },
  ]);
});

/** The callback's page in a popup. */
const popup = async ({ opener, closes = false }) => {
  const stage = new Stage({ isFramed: false });
  stage.body.setAttribute('data-callback', '');
  if (closes) stage.body.setAttribute('data-closes', '');
  const button = el('button', { 'data-close': '' });
  button.hidden = true;
  stage.body.append(button);
  stage.window.opener = opener;
  await stage.run('page.js');
  return { stage, button };
};

test('the end of a popup is a word to our own origin, without any content', async () => {
  const heard = [];
  const { stage, button } = await popup({ opener: { postMessage: (...all) => heard.push(all) }, closes: true });
  assert.deepEqual(heard, [['returned', 'https://connect.example']]);
  assert.deepEqual([stage.replaced, button.hidden], [['closed'], false]);
});

test('a popup that was cut off from its opener ends all the same', async () => {
  const cut = { postMessage: () => { throw new Error('cut'); } };
  assert.deepEqual((await popup({ opener: cut, closes: true })).stage.replaced, ['closed']);
  const alone = await popup({ opener: null });
  assert.deepEqual([alone.stage.replaced, alone.button.hidden], [[], true]);
});

const click = (stage, button) => {
  const event = new Event('click');
  Object.defineProperty(event, 'target', { value: button });
  stage.document.dispatchEvent(event);
};

test('a secret is shown and hidden, and the button says what it does', async () => {
  const stage = new Stage();
  const field = Object.assign(el('input', { id: 'key' }), { type: 'password' });
  const button = el('button', { 'data-reveal': 'key', 'data-show': 'Show', 'data-hide': 'Hide', 'data-field': 'API key' });
  stage.body.append(field, button);
  await stage.run('page.js');
  click(stage, button);
  assert.deepEqual([field.type, button.textContent, button.attributes.get('aria-label')], ['text', 'Hide', 'Hide: API key']);
  click(stage, button);
  assert.deepEqual([field.type, button.textContent, button.attributes.get('aria-label')], ['password', 'Show', 'Show: API key']);
});
