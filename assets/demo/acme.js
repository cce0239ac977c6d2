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

// The backend asks the gateway's API what is connected; the cards show that and nothing that was guessed here.
let asking = 0;
async function refresh() {
  const number = ++asking;
  const answer = await fetch('/integrations');
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  if (number !== asking) return;
  for (const card of page.querySelectorAll('.card')) {
    const old = document.querySelector(`.card[data-connector=${card.dataset.connector}]`);
    const focused = old.contains(document.activeElement);
    old.replaceWith(card);
    if (focused) card.querySelector('button').focus({ preventScroll: true });
  }
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
      // Another height is another stage: a disconnect shows here too.
      onResize: refresh,
      onError: (error) => say(`The frame reports ${error.code}: ${error.message}`, 'bad'),
    });
    open = current;
    if (innerWidth < 900) $('panel').scrollIntoView({ block: 'start' });
    const { tenant, webhook_url } = await current;
    say(`Acme knows: ${name} is connected.`, 'good');
    show({ message: 'vestibule-success', tenant, webhook_url }, new URL(url).origin);
    await post('/integrations/connected', { tenant: tenant.id });
    await refresh();
  } catch (error) {
    if (error.code === 'install_cancelled') say('You cancelled; nothing was connected.');
    else if (error.code !== 'closed') say(error.message, 'bad');
  }
}

document.querySelector('.cards').addEventListener('click', ({ target }) => {
  const button = target.closest('[data-connect]');
  if (button) connect(button.dataset.connect, button.dataset.name);
});
