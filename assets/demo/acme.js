// Acme's own page: asks its backend for a token, opens the gateway's frame with it, shows what it heard.
const $ = (id) => document.getElementById(id);
let open = null;

async function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (answer.status === 401) location.assign('/login');
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

function say(text, kind) {
  const news = $('news');
  news.textContent = text;
  news.className = kind || '';
}

function show(data, origin) {
  $('from').textContent = origin;
  $('name').textContent = data.message;
  const url = data.webhook_url || '';
  $('hook').textContent = url ? `${url.slice(0, url.lastIndexOf('/') + 9)}…` : 'not told in this sandbox';
  $('tenant').textContent = JSON.stringify(data.tenant, null, 2);
  $('message').hidden = false;
}

function mark(connector, tenant) {
  const card = document.querySelector(`.card[data-connector=${connector}]`);
  const state = card.querySelector('[data-state]');
  state.replaceChildren(Object.assign(document.createElement('span'), { className: 'on', textContent: 'Connected' }));
  state.append(` just now, tenant ${tenant.id}`);
  const button = card.querySelector('button');
  button.className = 'second';
  button.firstChild.textContent = 'Manage';
}

async function connect(connector, name) {
  if (open) open.close();
  $('message').hidden = true;
  $('hint')?.remove();
  $('panel').textContent = `Connect ${name}`;
  say('');
  try {
    const { url, token } = await post('/integrations/token', { connector });
    const current = Vestibule.open({
      container: '#connect', url, token, title: `Connect ${name}`,
      onError: (error) => say(`The frame said: ${error.message} (${error.code})`, 'bad'),
    });
    open = current;
    if (innerWidth < 900) $('panel').scrollIntoView({ block: 'start' });
    const { tenant, webhook_url } = await current;
    say(`Acme knows: ${name} is connected.`, 'good');
    show({ message: 'vestibule-success', tenant, webhook_url }, new URL(url).origin);
    mark(connector, tenant);
    await post('/integrations/connected', { tenant: tenant.id });
  } catch (error) {
    if (error.code === 'install_cancelled') say('You cancelled; nothing was connected.');
    else if (error.code !== 'closed') say(error.message, 'bad');
  }
}

for (const button of document.querySelectorAll('[data-connect]')) {
  button.addEventListener('click', () => connect(button.dataset.connect, button.dataset.name));
}
