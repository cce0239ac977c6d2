// The dialog's script: the server is the truth, whatever windows and messages say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage, el, settled } from './stage.mjs';

const PATH = '/dialogs/bearer';
const OWN = 'https://connect.example';

const main = (stage, children = []) => el('main', { id: 'main', 'data-stage': stage }, [el('h1'), ...children]);
const state = (version, stage, more = {}) => ({ version, stage, html: `<${stage}>`, auto: null, announce: false, start_url: null, ...more });

/** A dialog's page at a stage, with what its server would answer. */
const dialog = async ({ first = state(1, 'ready', { start_url: '/start/one' }), shows = [], isFramed = true, server, ...more } = {}) => {
  const stage = new Stage({ path: PATH, isFramed, ...more });
  const facts = { path: PATH, brand: 'vestibule', targetOrigins: ['https://app.acme.example'], startLifetime: 120, state: first };
  const script = el('script', { id: 'dialog' });
  script.textContent = JSON.stringify(facts);
  stage.body.append(script, main(first.stage, shows));
  stage.markup = (html) => main(html.slice(1, -1), stage.more?.() ?? []);
  stage.told = [];
  stage.window.page = { tell: (messages) => stage.told.push(...messages), tellHeight() {}, writeDays() {} };
  if (server) stage.server = server;
  await stage.run('dialog.js');
  stage.shown = () => stage.document.getElementById('main');
  stage.at = () => stage.shown().dataset.stage;
  stage.event = (data) => {
    stage.streams.at(-1).dispatchEvent(Object.assign(new Event('stage'), { data: JSON.stringify(data) }));
    return settled();
  };
  stage.drops = () => {
    stage.streams.at(-1).dispatchEvent(new Event('error'));
    return settled();
  };
  return stage;
};

const answers = (table) => (url, { method = 'GET' } = {}) => {
  const found = table[`${method} ${url.slice(PATH.length + 1)}`];
  if (found === undefined) throw new Error(`nobody answers ${method} ${url}`);
  return typeof found === 'function' ? found() : { status: 200, json: found };
};

const click = (stage, element, more = {}) => {
  const event = Object.assign(new Event('click', { cancelable: true }), { button: 0, ...more });
  Object.defineProperty(event, 'target', { value: element });
  stage.document.dispatchEvent(event);
  return event;
};

const submit = (stage, form, submitter) => {
  const event = Object.assign(new Event('submit', { cancelable: true }), { submitter });
  Object.defineProperty(event, 'target', { value: form });
  stage.document.dispatchEvent(event);
  return event;
};

const form = (what, fields = {}) => Object.assign(el('form'), { action: `${OWN}${PATH}/${what}`, fields });

test('what the server tells by events is shown, and the heading gets the focus', async () => {
  const stage = await dialog();
  assert.equal(stage.streams[0].url, `${PATH}/events`);
  await stage.event(state(2, 'waiting'));
  assert.equal(stage.at(), 'waiting');
  assert.equal(stage.body.dataset.stage, 'waiting');
  assert.deepEqual(stage.shown().querySelector('h1').log, ['focus']);
});

test('an older state, and the same once more, change nothing', async () => {
  const stage = await dialog({ first: state(5, 'ready') });
  const before = stage.shown();
  await stage.event(state(4, 'success'));
  await stage.event(state(5, 'failed'));
  assert.equal(stage.shown(), before);
});

test('where a field is wrong it gets the focus', async () => {
  const stage = await dialog();
  const wrong = el('input', { 'aria-invalid': 'true' });
  stage.more = () => [wrong];
  await stage.event(state(2, 'form'));
  assert.deepEqual(wrong.log, ['focus']);
});

test('without events the server is asked, more and more seldom while it does not answer', async () => {
  const stage = await dialog({ server: () => { throw new Error('no line'); } });
  await stage.drops();
  assert.equal(stage.streams[0].isOpen, false);
  const times = [];
  let count = 0;
  for (let second = 0; second < 60; second += 1) {
    if (stage.asked.length > count) times.push(second);
    count = stage.asked.length;
    await stage.pass(1000);
  }
  // After 2, 4, 8 and then every 10 seconds.
  assert.deepEqual(times, [0, 2, 6, 14, 24, 34, 44, 54]);
  assert.equal(stage.at(), 'ready', 'silence is no outcome');
});

test('once it answers it is asked every second, until the end', async () => {
  let now = state(1, 'ready');
  const stage = await dialog({ server: answers({ 'GET state': () => ({ status: 200, json: now }) }) });
  await stage.drops();
  await stage.pass(3000);
  assert.equal(stage.asked.length, 4);
  now = state(2, 'success');
  await stage.pass(1000);
  assert.equal(stage.at(), 'success');
  const before = stage.asked.length;
  await stage.pass(60_000);
  assert.equal(stage.asked.length, before, 'nothing comes after the end');
});

test('a server that is back is asked as often as before', async () => {
  let isBack = false;
  const stage = await dialog({
    server: answers({
      'GET state': () => {
        if (!isBack) throw new Error('no line');
        return { status: 200, json: state(1, 'ready') };
      },
    }),
  });
  await stage.drops();
  await stage.pass(14_000);
  isBack = true;
  await stage.pass(10_000);
  const before = stage.asked.length;
  await stage.pass(5000);
  assert.equal(stage.asked.length, before + 5);
});

test('events end with the dialog', async () => {
  for (const end of ['success', 'cancelled']) {
    const stage = await dialog();
    await stage.event(state(2, end));
    assert.deepEqual([stage.at(), stage.streams[0].isOpen], [end, false]);
    await stage.pass(60_000);
    assert.deepEqual(stage.calls, []);
  }
  const late = await dialog({ first: state(9, 'success') });
  assert.equal(late.streams.length, 0);
});

test('a dialog that is over shows the server\'s own page', async () => {
  for (const status of [404, 410]) {
    const stage = await dialog({ server: () => ({ status }) });
    await stage.drops();
    await stage.pass(5000);
    assert.deepEqual([stage.replaced, stage.asked.length], [[PATH], 1], String(status));
  }
});

test('the callback\'s word is a hint: the server is asked, and only our own origin is heard', async () => {
  const stage = await dialog({ server: answers({ 'GET state': state(2, 'checking') }) });
  await stage.hears('https://evil.example', {}, 'returned');
  await stage.hears('null', {}, 'returned');
  await stage.hears('https://app.acme.example', {}, 'returned');
  await stage.hears(OWN, {}, 'success');
  await stage.hears(OWN, {}, { message: 'vestibule-success', stage: 'success' });
  assert.deepEqual([stage.calls, stage.at()], [[], 'ready']);
  await stage.hears(OWN, {}, 'returned');
  assert.deepEqual([stage.calls, stage.at()], [[`GET ${PATH}/state`], 'checking']);
});

test('whoever looks at the page again sees where it stands', async () => {
  const stage = await dialog({ server: answers({ 'GET state': state(2, 'checking') }) });
  stage.document.visibilityState = 'hidden';
  stage.document.dispatchEvent(new Event('visibilitychange'));
  assert.deepEqual(stage.calls, []);
  stage.document.visibilityState = 'visible';
  stage.document.dispatchEvent(new Event('visibilitychange'));
  await settled();
  assert.equal(stage.at(), 'checking');
});

test('who is there is answered in this page: nothing from elsewhere takes the question away', async () => {
  const stage = await dialog({
    first: state(1, 'confirm_identity'),
    server: answers({ 'POST identity': state(3, 'ready', { start_url: '/start/two' }), 'GET state': state(2, 'waiting') }),
  });
  // Answered in another browser, and gone on there.
  await stage.event(state(2, 'success', { announce: true, auto: 'confirm' }));
  await stage.hears(OWN, {}, 'returned');
  assert.equal(stage.at(), 'confirm_identity');
  assert.deepEqual([stage.calls, stage.told], [[`GET ${PATH}/state`], []]);
  submit(stage, form('identity'));
  await settled();
  assert.equal(stage.at(), 'ready');
});

test('what went on elsewhere after a lost confirmation is not confirmed', async () => {
  const stage = await dialog({
    server: answers({ 'POST confirm': () => { throw new Error('no line'); }, 'GET state': state(4, 'installing') }),
  });
  await stage.event(state(3, 'checking', { auto: 'confirm' }));
  assert.equal(stage.at(), 'installing');
  await stage.pass(60_000);
  assert.deepEqual(stage.calls, [`POST ${PATH}/confirm`, `GET ${PATH}/state`]);
});

test('a pending credential is confirmed once for each state', async () => {
  const stage = await dialog({ server: answers({ 'POST confirm': state(4, 'success') }) });
  await stage.event(state(3, 'checking', { auto: 'confirm' }));
  await stage.event(state(3, 'checking', { auto: 'confirm' }));
  assert.deepEqual([stage.calls, stage.at()], [[`POST ${PATH}/confirm`], 'success']);
});

test('a form that comes back with the same state confirms and announces nothing twice', async () => {
  const held = new Promise(() => {});
  const checking = state(3, 'checking', { auto: 'confirm' });
  const stage = await dialog({ server: answers({ 'POST confirm': () => held, 'POST code': checking }) });
  await stage.event(checking);
  submit(stage, form('code'));
  await settled();
  assert.deepEqual(stage.calls, [`POST ${PATH}/confirm`, `POST ${PATH}/code`]);

  const over = state(4, 'success', { announce: true });
  const last = await dialog({ server: answers({ 'POST announcement': () => held, 'POST cancel': over }) });
  await last.event(over);
  submit(last, form('cancel'));
  await settled();
  assert.deepEqual(last.calls, [`POST ${PATH}/announcement`, `POST ${PATH}/cancel`]);
});

test('where confirming gets no answer the server is asked where it stands', async () => {
  const now = state(3, 'checking', { auto: 'confirm' });
  let fails = true;
  const stage = await dialog({
    server: answers({
      'POST confirm': () => {
        if (fails) throw new Error('no line');
        return { status: 200, json: state(5, 'success') };
      },
      'GET state': () => ({ status: 200, json: now }),
    }),
  });
  await stage.event(now);
  assert.deepEqual(stage.calls, [`POST ${PATH}/confirm`, `GET ${PATH}/state`]);
  await stage.pass(9999);
  assert.equal(stage.asked.length, 2, 'not again and again');
  // The request never arrived, so nothing changed at the server.
  fails = false;
  await stage.pass(1);
  assert.deepEqual([stage.calls.at(-1), stage.at()], [`POST ${PATH}/confirm`, 'success']);
  await stage.pass(60_000);
  assert.equal(stage.asked.length, 3);
});

const MESSAGES = [{ targetOrigin: 'https://app.acme.example', data: { message: 'vestibule-success' } }];

test('the parent is told what the server hands out, once', async () => {
  const stage = await dialog({ server: answers({ 'POST announcement': { messages: MESSAGES } }) });
  await stage.event(state(2, 'success', { announce: true }));
  await stage.event(state(2, 'success', { announce: true }));
  assert.deepEqual([stage.calls, stage.told.length], [[`POST ${PATH}/announcement`], 1]);
  assert.deepEqual(JSON.parse(JSON.stringify(stage.told)), MESSAGES);
});

test('nothing is told that the server did not hand out', async () => {
  const stage = await dialog({ server: answers({ 'POST announcement': () => ({ status: 204 }) }) });
  await stage.event(state(2, 'success', { announce: true }));
  assert.deepEqual(stage.told, []);
  const quiet = await dialog();
  await quiet.event(state(2, 'success', { announce: false }));
  assert.deepEqual([quiet.calls, quiet.told], [[], []]);
});

test('a page without a parent does not use the announcement up', async () => {
  const stage = await dialog({ isFramed: false });
  await stage.event(state(2, 'success', { announce: true }));
  assert.deepEqual(stage.calls, []);
});

test('an announcement whose answer is lost is asked for again, by the same page', async () => {
  let fails = true;
  const stage = await dialog({
    server: answers({
      'POST announcement': () => {
        if (fails) throw new Error('no line');
        return { status: 200, json: { messages: MESSAGES } };
      },
    }),
  });
  await stage.event(state(2, 'success', { announce: true }));
  assert.deepEqual(stage.told, []);
  fails = false;
  await stage.pass(10_000);
  await stage.pass(60_000);
  assert.equal(stage.told.length, 1);
  const [one, two] = stage.asked.map(({ body }) => new URLSearchParams(body).get('page'));
  assert.match(one, /^[0-9a-f]{32}$/);
  assert.equal(one, two);
  assert.equal(stage.asked.length, 2);
  const other = await dialog({ server: answers({ 'POST announcement': { messages: MESSAGES } }) });
  await other.event(state(2, 'success', { announce: true }));
  assert.notEqual(new URLSearchParams(other.asked[0].body).get('page'), one);
});

const popups = () => el('a', { 'data-popup': '', href: '/start/one' });

test('the outside system opens inside the click, with the link that is there', async () => {
  const anchor = popups();
  const offer = el('div', { 'data-opened': '' });
  offer.hidden = true;
  const stage = await dialog({ shows: [anchor, offer], server: answers({ 'POST start': { start_url: '/start/two' } }) });
  const event = click(stage, anchor);
  // Nothing was awaited: browsers open windows for clicks only.
  assert.deepEqual([stage.opened, event.defaultPrevented, stage.calls], [['/start/one'], true, []]);
  await stage.pass(1000);
  // A ticket works once, so the link is another one now.
  assert.deepEqual([stage.calls, anchor.href], [[`POST ${PATH}/start`], '/start/two']);
  assert.equal(offer.hidden, true);
  await stage.pass(2000);
  assert.equal(offer.hidden, false, 'a window that says nothing may be hidden: the other way is offered');
  assert.equal(stage.at(), 'ready');
});

test('a blocked window offers the tab at once and fails nothing', async () => {
  const anchor = popups();
  const offer = el('div', { 'data-opened': '' });
  offer.hidden = true;
  const stage = await dialog({ shows: [anchor, offer] });
  stage.blocksPopups = true;
  click(stage, anchor);
  assert.deepEqual([offer.hidden, stage.at()], [false, 'ready']);
  await stage.pass(5000);
  assert.deepEqual(stage.calls, [], 'the ticket was not used, so it stays');
});

test('a click that asks for another tab or window is the browser\'s', async () => {
  const anchor = popups();
  const stage = await dialog({ shows: [anchor] });
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { shiftKey: true }, { button: 1 }]) {
    assert.equal(click(stage, anchor, more).defaultPrevented, false);
  }
  assert.deepEqual(stage.opened, []);
});

test('the link in the page is renewed before it ends', async () => {
  const [anchor, tab] = [popups(), el('a', { 'data-start': '', href: '/start/one?tab=1' })];
  let number = 1;
  const stage = await dialog({
    shows: [anchor, tab],
    server: answers({ 'POST start': () => ({ status: 200, json: { start_url: `/start/${(number += 1)}` } }) }),
  });
  await stage.pass(89_000);
  assert.deepEqual(stage.calls, []);
  await stage.pass(1000);
  assert.deepEqual([anchor.href, tab.href], ['/start/2', '/start/2?tab=1']);
  await stage.pass(90_000);
  assert.equal(anchor.href, '/start/3');
});

test('a window that seems closed changes the hint and nothing else', async () => {
  const anchor = popups();
  const hint = el('p', { 'data-hint': 'Is the window gone?' });
  const stage = await dialog({ shows: [anchor, hint], server: answers({ 'POST start': { start_url: '/start/two' } }) });
  click(stage, anchor);
  await stage.pass(2000);
  const before = stage.calls;
  stage.popup.closed = true;
  await stage.pass(2000);
  assert.equal(hint.textContent, undefined);
  await stage.pass(1000);
  assert.equal(hint.textContent, 'Is the window gone?');
  await stage.pass(5000);
  assert.deepEqual([stage.calls, stage.at()], [before, 'ready']);
});

test('a form is sent once, with the button that sent it, and its answer is shown', async () => {
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  const stage = await dialog({
    first: state(1, 'form'),
    server: answers({ 'POST inputs': () => held.then(() => ({ status: 200, json: state(1, 'form', { html: '<again>' }) })) }),
  });
  const inputs = form('inputs', { api_key: 'sk & co' });
  assert.equal(submit(stage, inputs, { field: ['go', '1'] }).defaultPrevented, true);
  submit(stage, inputs);
  await settled();
  assert.deepEqual(stage.asked.map(({ url, body }) => [url, body]), [[`${PATH}/inputs`, 'api_key=sk+%26+co&go=1']]);
  assert.equal(stage.shown().attributes.get('aria-busy'), 'true');
  go();
  await settled();
  // The version is the same: what is wrong in a form is shown all the same.
  assert.deepEqual([stage.at(), stage.shown().attributes.has('aria-busy')], ['again', false]);
});

test('a form that gets no answer goes the way it goes without a script', async () => {
  for (const server of [() => { throw new Error('no line'); }, () => ({ status: 413 }), () => ({ status: 503 })]) {
    const stage = await dialog({ first: state(1, 'form'), server });
    const inputs = form('inputs');
    submit(stage, inputs);
    await settled();
    assert.deepEqual(inputs.log, ['submit']);
  }
});

test('forms that lead elsewhere are left alone', async () => {
  const stage = await dialog();
  const foreign = Object.assign(el('form'), { action: `${OWN}/dialogs/another/cancel` });
  assert.equal(submit(stage, foreign).defaultPrevented, false);
  assert.deepEqual(stage.calls, []);
});
