// A browser in miniature for the tests of the page scripts: exactly what the scripts use, everything written down,
// and time that moves only when a test says so.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const source = (name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

/** Lets everything run that waits for nothing but its turn. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** `document.querySelector` for what the scripts ask: a name, attributes with and without a value, `^=`, `$=`. */
const fits = (element, selector) => {
  const [, name, rest] = /^([a-z0-9]*)(.*)$/i.exec(selector);
  if (name && element.name !== name) return false;
  const wanted = [...rest.matchAll(/\[([\w-]+)(?:=["']?([^\]"']*)["']?)?\]/g)];
  return wanted.every(([, key, value]) => element.attributes.has(key) && (value === undefined || element.attributes.get(key) === value));
};

const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

export class FakeElement extends EventTarget {
  constructor(name, attributes = {}, children = []) {
    super();
    Object.assign(this, { attributes: new Map(), children: [], parent: null, style: {}, log: [] });
    Object.defineProperty(this, 'name', { value: name, writable: true });
    this.localName = name;
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, value);
    this.append(...children);
  }

  get dataset() {
    const attributes = this.attributes;
    return new Proxy({}, {
      get: (_, key) => [...attributes].find(([name]) => name.startsWith('data-') && camel(name.slice(5)) === key)?.[1],
      has: (_, key) => [...attributes.keys()].some((name) => name.startsWith('data-') && camel(name.slice(5)) === key),
      set: (_, key, value) => Boolean(attributes.set(`data-${key}`, value)),
    });
  }

  get href() {
    return this.attributes.get('href');
  }

  set href(value) {
    this.attributes.set('href', value);
  }

  setAttribute(key, value) {
    this.attributes.set(key, String(value));
  }

  removeAttribute(key) {
    this.attributes.delete(key);
  }

  append(...children) {
    for (const child of children) child.parent = this;
    this.children.push(...children);
  }

  remove() {
    if (this.parent) this.parent.children = this.parent.children.filter((child) => child !== this);
    this.parent = null;
  }

  replaceWith(other) {
    const { parent } = this;
    parent.children = parent.children.map((child) => (child === this ? other : child));
    other.parent = parent;
    this.parent = null;
  }

  *[Symbol.iterator]() {
    for (const child of this.children) {
      yield child;
      yield* child;
    }
  }

  querySelectorAll(selector) {
    return [...this].filter((element) => fits(element, selector));
  }

  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }

  closest(selector) {
    for (let element = this; element; element = element.parent) if (fits(element, selector)) return element;
    return null;
  }

  focus() {
    this.log.push('focus');
  }

  submit() {
    this.log.push('submit');
  }

  getBoundingClientRect() {
    return { height: this.height ?? 0 };
  }
}

/** An element in short: `el('a', { href: '/x' }, [..])`. */
export const el = (name, attributes, children) => new FakeElement(name, attributes, children);

/** A window with one document in it. */
export class Stage {
  constructor({ origin = 'https://connect.example', path = '/', isFramed = true, ancestor } = {}) {
    this.timers = new Map();
    this.now = 0;
    this.opened = [];
    this.replaced = [];
    this.asked = [];
    this.streams = [];
    this.posted = [];
    /** What the server answers: `(path, init) => ({status, json})`; throw for a line that is dead. */
    this.server = () => ({ status: 500 });
    this.root = el('html', { lang: 'en' });
    this.body = el('body');
    this.root.append(this.body);
    this.window = new EventTarget();
    this.document = this.makeDocument();
    this.populate(origin, path, isFramed, ancestor);
    this.context = vm.createContext(this.window);
  }

  makeDocument() {
    const stage = this;
    return Object.assign(new EventTarget(), {
      documentElement: this.root,
      body: this.body,
      baseURI: 'https://app.acme.example/settings',
      visibilityState: 'visible',
      createElement: (name) => stage.made(new FakeElement(name)),
      getElementById: (id) => [...stage.root].find((element) => element.attributes.get('id') === id) ?? null,
      querySelector: (selector) => stage.root.querySelector(selector),
      execCommand: () => true,
    });
  }

  /** Hook for elements that need more than an element has. */
  made(element) {
    if (element.localName === 'iframe') element.contentWindow = {};
    if (element.localName === 'dialog') {
      element.showModal = () => element.log.push('showModal');
      element.close = () => element.log.push('close');
    }
    return element;
  }

  populate(origin, path, isFramed, ancestor) {
    const stage = this;
    const { window } = this;
    const parent = { postMessage: (data, target) => stage.posted.push({ target, data }) };
    Object.assign(window, {
      window,
      document: this.document,
      parent: isFramed ? parent : window,
      opener: null,
      location: {
        origin,
        href: origin + path,
        ancestorOrigins: ancestor === undefined ? undefined : [ancestor],
        replace: (to) => stage.replaced.push(to),
      },
      Element: FakeElement,
      Event,
      URL,
      URLSearchParams,
      console,
      crypto,
      AbortController,
      FormData: class {
        constructor(form, submitter) {
          return [...Object.entries(form.fields ?? {}), ...(submitter?.field ? [submitter.field] : [])];
        }
      },
      ResizeObserver: class {
        constructor(look) {
          stage.resized = look;
        }

        observe() {}
      },
      DOMParser: class {
        parseFromString(html) {
          return { getElementById: () => stage.markup(html) };
        }
      },
      EventSource: class extends EventTarget {
        constructor(url) {
          super();
          Object.assign(this, { url, isOpen: true });
          stage.streams.push(this);
        }

        close() {
          this.isOpen = false;
        }
      },
      setTimeout: (run, pause, ...rest) => stage.later(run, pause, rest),
      clearTimeout: (id) => stage.timers.delete(id),
      setInterval: (run, every) => stage.later(run, every, [], every),
      open: (url) => {
        const popup = stage.blocksPopups ? null : { closed: false, url };
        stage.opened.push(url);
        stage.popup = popup;
        return popup;
      },
      close: () => stage.replaced.push('closed'),
      getSelection: () => ({ selectAllChildren() {} }),
      fetch: async (url, init = {}) => {
        stage.asked.push({ url, method: init.method ?? 'GET', body: String(init.body ?? '') });
        const { status, json } = await stage.server(url, init);
        return { status, ok: status >= 200 && status < 300, json: async () => json };
      },
    });
  }

  /** What markup of the server becomes; tests say it. */
  markup() {
    return null;
  }

  later(run, pause, rest, every) {
    const id = Symbol('timer');
    this.timers.set(id, { at: this.now + pause, run: () => run(...rest), every });
    return id;
  }

  /** Moves the time, and runs what is due on the way, in its order. */
  async pass(milliseconds) {
    const end = this.now + milliseconds;
    for (;;) {
      await settled();
      const due = [...this.timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [id, timer] = due;
      this.now = Math.max(this.now, timer.at);
      if (timer.every) timer.at += timer.every;
      else this.timers.delete(id);
      timer.run();
    }
    this.now = end;
    await settled();
  }

  run(name) {
    vm.runInContext(source(name), this.context, { filename: name });
    return settled();
  }

  /** A `message` event. */
  hears(origin, from, data) {
    this.window.dispatchEvent(Object.assign(new Event('message'), { origin, source: from, data }));
    return settled();
  }

  /** The addresses that were asked, with their methods. */
  get calls() {
    return this.asked.map(({ method, url }) => `${method} ${url}`);
  }
}
