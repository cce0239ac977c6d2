// The tour's page: reads the story as it happens, ticks off the steps, and asks Harbor for a webhook.
const lines = document.getElementById('lines');
const element = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text ?? '' });

function tick(milestone) {
  const step = document.querySelector(`[data-step=${milestone}]`);
  if (!step || step.classList.contains('is-done')) return;
  step.classList.add('is-done');
  step.querySelector('.done').hidden = false;
}

function add(line) {
  document.getElementById('empty').hidden = true;
  const item = element('li', `line ${line.at}${line.bad ? ' bad' : ''}`);
  const head = element('p', 'at');
  head.append(element('span', 'who', line.who), element('time', '', line.time));
  item.append(head, element('h3', '', line.title), element('p', 'text', line.text));
  if (line.detail) {
    const [name, text] = line.detail;
    const details = element('details', '');
    const pre = element('pre', '');
    pre.tabIndex = 0;
    pre.append(element('code', '', text));
    details.append(element('summary', '', name), pre);
    item.append(details);
  }
  lines.prepend(item);
  if (line.milestone) tick(line.milestone);
}

const live = document.getElementById('live');
const story = new EventSource('/story');
story.onmessage = (event) => add(JSON.parse(event.data));
story.onopen = () => { live.textContent = 'Live'; };
story.onerror = () => { live.textContent = 'The demo does not answer; is it still running?'; };

document.getElementById('send').addEventListener('click', async () => {
  const said = document.getElementById('sent');
  try {
    const answer = await (await fetch('/webhook', { method: 'POST' })).json();
    said.textContent = answer.sent ? 'Sent.' : 'Nobody listens yet: connect Harbor first.';
  } catch {
    said.textContent = 'The demo does not answer.';
  }
});
