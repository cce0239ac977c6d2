// What every page of ours does beyond its markup: telling the parent window, its own height, small conveniences.
// Everything here is a help: without scripts the pages still work.
(() => {
  'use strict';

  const root = document.documentElement;
  const isFramed = window.parent !== window;

  /**
   * The targets that can be the parent. A browser delivers only to the exact origin and complains about every
   * other, so where it tells who the parent is, nothing is sent into the void.
   */
  const reachable = (targets) => {
    const parent = window.location.ancestorOrigins?.[0];
    return parent === undefined ? targets : targets.filter((target) => target === '*' || target === parent);
  };

  /** Sends each message `{targetOrigin, data}` to the parent window; nothing is ever sent to an opener. */
  const tell = (messages) => {
    if (!isFramed) return;
    const targets = reachable(messages.map((message) => message.targetOrigin));
    for (const { targetOrigin, data } of messages) {
      if (targets.includes(targetOrigin)) window.parent.postMessage(data, targetOrigin);
    }
  };

  /** Tells the parent how high the content is, now and whenever that changes. */
  const tellHeight = (brand, targets) => {
    if (!isFramed) return;
    let told = 0;
    const measure = () => {
      const height = Math.ceil(root.getBoundingClientRect().height);
      if (height === told) return;
      told = height;
      const data = { message: `${brand}-content-height-change`, height };
      tell(targets.map((targetOrigin) => ({ targetOrigin, data })));
    };
    new ResizeObserver(measure).observe(root);
    measure();
  };

  /** The clipboard may be closed to frames: then the text is selected and copied the old way. */
  const copy = async (source) => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      return true;
    } catch {
      window.getSelection().selectAllChildren(source);
      return document.execCommand('copy');
    }
  };

  const copyReference = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !(await copy(source))) return;
    button.textContent = button.dataset.done;
    const live = document.getElementById(button.dataset.live);
    if (live) live.textContent = button.dataset.done;
  };

  const reveal = (button) => {
    const field = document.getElementById(button.dataset.reveal);
    if (!field) return;
    const shows = field.type === 'password';
    field.type = shows ? 'text' : 'password';
    const label = shows ? button.dataset.hide : button.dataset.show;
    button.setAttribute('aria-label', `${label}: ${button.dataset.field}`);
    button.textContent = label;
  };

  document.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest('button') : null;
    if (button?.dataset.copy) copyReference(button);
    if (button?.dataset.reveal) reveal(button);
    if (button && 'close' in button.dataset) window.close();
  });

  /** Days in the person's own way of writing them. */
  const writeDays = (within) => {
    const format = new Intl.DateTimeFormat(root.lang, { dateStyle: 'long' });
    for (const time of within.querySelectorAll('time[datetime]')) {
      time.textContent = format.format(new Date(time.dateTime));
    }
  };

  /** The end of the popup: a word to the page that waits, as a short cut only, and then the window closes. */
  const endPopup = () => {
    if (!('callback' in document.body.dataset)) return;
    try {
      window.opener?.postMessage('returned', window.location.origin);
    } catch {
      // The outside system cut the two windows apart; the waiting page learns it from the server.
    }
    const button = document.querySelector('[data-close]');
    if (button && window.opener) button.hidden = false;
    if ('closes' in document.body.dataset) window.close();
  };

  /** A refused landing tells the parent why, under the brand's names. */
  const tellRefusal = () => {
    const data = document.getElementById('messages');
    const messages = data ? JSON.parse(data.textContent) : [];
    if (messages.length === 0) return;
    tell(messages);
    const brand = messages[0].data.message.replace(/-error$/, '');
    tellHeight(brand, messages.map((message) => message.targetOrigin));
  };

  window.page = { tell, tellHeight, writeDays };
  tellRefusal();
  endPopup();
})();
