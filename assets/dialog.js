// The dialog: shows what the server says, opens the outside system on a click, and tells the parent window.
// The server is the truth. Stages come as rendered markup, by events and, where these fail, by polling.
(() => {
  'use strict';

  const { path, brand, targetOrigins, startLifetime, state: first } = JSON.parse(
    document.getElementById('dialog').textContent,
  );
  /** A start link is renewed this long before it ends, in seconds. */
  const MARGIN = 30;
  /** Pauses between two looks at the server, in milliseconds: the first, and the longest. */
  const [SHORTEST, LONGEST] = [1000, 10000];

  /** Names this page to the server, which hands an announcement to one page only, however often that one asks. */
  const self = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

  let state = first;
  let isBusy = false;
  let confirmed = -1;
  let announced = -1;
  let popup = null;
  let closedFor = 0;

  const isOver = () => state.stage === 'success' || state.stage === 'cancelled';
  const main = () => document.getElementById('main');
  /** Who is there is asked in this page and answered in this page: an answer given elsewhere does not count. */
  const asks = () => main().dataset.stage === 'confirm_identity';

  // --- What is asked of the server ----------------------------------------------------------------------------

  /** The dialog is over or the server does not understand: its own page says what it is. */
  const reload = () => window.location.replace(path);

  /** Posts as this page's own origin. Returns the answer's JSON, or null where there is none. */
  const post = async (what, body = new URLSearchParams()) => {
    const answer = await fetch(`${path}/${what}`, { method: 'POST', body, headers: { accept: 'application/json' } });
    if (answer.status === 410) reload();
    if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
    return answer.status === 204 ? null : answer.json();
  };

  const confirm = async () => {
    if (state.auto !== 'confirm' || confirmed === state.version) return;
    confirmed = state.version;
    try {
      show(await post('confirm'));
    } catch {
      // Perhaps it never arrived: the server is asked where it stands, and if that is still here, once more.
      follow.poll();
      window.setTimeout(() => {
        confirmed = -1;
        confirm();
      }, LONGEST);
    }
  };

  const announce = async () => {
    if (!state.announce || announced === state.version || window.parent === window) return;
    announced = state.version;
    try {
      const answer = await post('announcement', new URLSearchParams({ page: self }));
      if (answer) window.page.tell(answer.messages);
    } catch {
      announced = -1;
      window.setTimeout(announce, LONGEST);
    }
  };

  // --- What is shown ------------------------------------------------------------------------------------------

  /** Where the keyboard goes after a change: to what is wrong, else to the heading of the new stage. */
  const focusOn = (shown) => {
    const wrong = shown.querySelector('[aria-invalid=true]');
    (wrong ?? shown.querySelector('h1')).focus();
  };

  /** Puts rendered markup in place of what is shown. */
  const put = (html) => {
    const shown = new DOMParser().parseFromString(html, 'text/html').getElementById('main');
    if (!shown) return;
    main().replaceWith(shown);
    document.body.dataset.stage = shown.dataset.stage;
    window.page.writeDays(shown);
    focusOn(shown);
  };

  /**
   * Shows a newer state. What was `asked` for by a form is shown also where the version did not change: a form
   * comes back with what is wrong in it.
   */
  const show = (next, asked = false) => {
    if (!next || next.version < state.version || (!asked && (asks() || next.version === state.version))) return;
    state = next;
    if (state.html) put(state.html);
    closedFor = 0;
    link.renewed();
    follow.check();
    confirm();
    announce();
  };

  // --- Forms --------------------------------------------------------------------------------------------------

  const send = async (form, button) => {
    isBusy = true;
    main().setAttribute('aria-busy', 'true');
    const fields = new URLSearchParams(new FormData(form, button));
    try {
      show(await post(new URL(form.action).pathname.slice(path.length + 1), fields), true);
    } catch {
      // The form goes the way it would go without a script, and the server's page says what is wrong.
      form.submit();
    } finally {
      isBusy = false;
      main().removeAttribute('aria-busy');
    }
  };

  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!new URL(form.action).pathname.startsWith(`${path}/`)) return;
    event.preventDefault();
    if (!isBusy) send(form, event.submitter);
  });

  // --- The window of the outside system -----------------------------------------------------------------------

  const link = {
    timer: 0,

    /** A fresh link came with the state: it is renewed before it ends. */
    renewed() {
      window.clearTimeout(this.timer);
      if (state.start_url) this.timer = window.setTimeout(() => this.renew(), (startLifetime - MARGIN) * 1000);
    },

    async renew() {
      try {
        const { start_url: url } = await post('start');
        state = { ...state, start_url: url };
        for (const anchor of main().querySelectorAll('[data-popup]')) anchor.href = url;
        for (const anchor of main().querySelectorAll('[data-start]')) anchor.href = `${url}?tab=1`;
        this.renewed();
      } catch {
        window.clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.renew(), LONGEST);
      }
    },
  };

  /** A window that did not open, or did and says nothing: the other way is offered, nothing has failed. */
  const offerTab = (version) => {
    const offer = main().querySelector('[data-opened]');
    if (offer && state.version === version) offer.hidden = false;
  };

  const open = (anchor) => {
    // Inside the click, with nothing awaited before: browsers open windows for clicks only.
    popup = window.open(anchor.href, '_blank', 'popup,width=560,height=720');
    closedFor = 0;
    const { version } = state;
    if (popup) window.setTimeout(offerTab, 3000, version);
    else offerTab(version);
    // The ticket in this link works once.
    if (popup) window.setTimeout(() => link.renew(), 1000);
  };

  document.addEventListener('click', (event) => {
    const anchor = event.target instanceof Element ? event.target.closest('a[data-popup]') : null;
    if (!anchor || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(anchor);
  });

  // A window that seems closed may be alive behind another policy of the outside system: only the hint changes.
  window.setInterval(() => {
    const hint = main().querySelector('[data-hint]');
    closedFor = popup?.closed ? closedFor + 1 : 0;
    if (hint && closedFor === 3) hint.textContent = hint.dataset.hint;
  }, 1000);

  // --- Following the server -----------------------------------------------------------------------------------

  const follow = {
    events: null,
    timer: 0,
    pause: SHORTEST,

    listen() {
      this.events = new EventSource(`${path}/events`);
      this.events.addEventListener('stage', (event) => {
        this.pause = SHORTEST;
        show(JSON.parse(event.data));
      });
      this.events.addEventListener('error', () => this.fallBack());
    },

    /** Events do not get through, or the server stops: from now on it is asked. */
    fallBack() {
      this.events?.close();
      this.events = null;
      this.poll();
    },

    async poll() {
      window.clearTimeout(this.timer);
      try {
        const answer = await fetch(`${path}/state`, { headers: { accept: 'application/json' } });
        if (answer.status === 410 || answer.status === 404) return reload();
        if (!answer.ok) throw new Error(String(answer.status));
        this.pause = SHORTEST;
        show(await answer.json());
      } catch {
        this.pause = Math.min(this.pause * 2, LONGEST);
      }
      if (!this.events && !isOver()) this.timer = window.setTimeout(() => this.poll(), this.pause);
    },

    /** Nothing comes after the end. */
    check() {
      if (!isOver()) return;
      this.events?.close();
      this.events = null;
      window.clearTimeout(this.timer);
    },
  };

  // The callback's page may say that it is there. It is believed nothing: the server is asked.
  window.addEventListener('message', (event) => {
    if (event.origin === window.location.origin && event.data === 'returned' && !isOver()) follow.poll();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && !isOver()) follow.poll();
  });

  // --- Beginning ----------------------------------------------------------------------------------------------

  window.page.writeDays(main());
  window.page.tellHeight(brand, targetOrigins);
  if (!isOver()) follow.listen();
  link.renewed();
  confirm();
  announce();
})();
