// Vestibule embed script, version 1. Opens a page of the gateway in a frame of yours, keeps the frame as high as
// its content, and tells you what happened in it. No dependency. Types: v1.d.ts beside this file.
//
//   const connection = Vestibule.open({ url: 'https://connect.example.com/acme/hubspot/auth', token, container });
//   const { tenant, webhook_url } = await connection;
(() => {
  'use strict';

  /** Relative addresses are the gateway's own, which is where this script came from. */
  const home = document.currentScript?.src || document.baseURI;
  let frames = 0;

  class VestibuleError extends Error {
    constructor(code, message) {
      super(message);
      this.name = 'VestibuleError';
      this.code = code;
    }
  }

  /** Refusals of the landing end the matter: only a new token helps. Other errors can be mended in the frame. */
  const isFinal = (code) => /^(token_|claim_)|_unknown$|^frame_origin_forbidden$/.test(code);

  const makeFrame = (title) => {
    const frame = document.createElement('iframe');
    frames += 1;
    frame.name = `vestibule-${frames}`;
    frame.title = title;
    frame.allow = 'clipboard-write';
    // The gateway may read which origin embeds it, and nothing else of the address.
    frame.referrerPolicy = 'origin';
    Object.assign(frame.style, { display: 'block', width: '100%', height: '320px', border: '0' });
    return frame;
  };

  /** The token in a form field: it stands in no address, history or log. */
  const postToken = (url, token, frame) => {
    const form = document.createElement('form');
    Object.assign(form, { method: 'post', action: url.href, target: frame.name, hidden: true });
    const field = document.createElement('input');
    Object.assign(field, { type: 'hidden', name: 'tenant', value: token });
    form.append(field);
    document.body.append(form);
    form.submit();
    form.remove();
  };

  /** A dialog over the page: Escape and the button close it, and the focus goes back where it was. */
  const makeModal = (frame, title, label, close) => {
    const dialog = document.createElement('dialog');
    dialog.setAttribute('aria-label', title);
    Object.assign(dialog.style, { width: 'min(480px, calc(100vw - 32px))', padding: '0', border: '0', borderRadius: '12px', overflow: 'hidden auto' });
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = '\u00d7';
    button.setAttribute('aria-label', label);
    Object.assign(button.style, { position: 'absolute', insetBlockStart: '8px', insetInlineEnd: '8px', zIndex: '1', width: '32px', height: '32px', border: '0', borderRadius: '8px', background: 'transparent', color: 'inherit', font: '20px/1 system-ui, sans-serif', cursor: 'pointer' });
    button.addEventListener('click', close);
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      close();
    });
    dialog.append(button, frame);
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
  };

  const find = (container) => {
    const found = typeof container === 'string' ? document.querySelector(container) : container;
    if (!(found instanceof Element)) throw new TypeError('Vestibule.open: container is no element of this page; give one, or modal: true');
    return found;
  };

  const open = (options) => {
    const { token, brand = 'vestibule', title = 'Connect', closeLabel = 'Close', signal } = options;
    if (!options.url) throw new TypeError('Vestibule.open: url is missing');
    const url = new URL(options.url, home);
    const place = options.modal ? null : find(options.container);
    const frame = makeFrame(title);
    let modal = null;
    let settle;
    let isDone = false;
    const promise = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Whoever uses callbacks only is not told of a rejection that nobody waits for.
    promise.catch(() => {});

    const handlers = {
      success(data) {
        // However often a frame says it, one connection succeeds once.
        if (isDone) return;
        isDone = true;
        const told = { tenant: data.tenant, webhook_url: data.webhook_url };
        options.onSuccess?.(told);
        settle.resolve(told);
      },
      error(data) {
        const error = new VestibuleError(data.code, data.detail);
        options.onError?.(error);
        if (isFinal(data.code)) settle.reject(error);
      },
      'install-cancel'() {
        options.onCancel?.();
        settle.reject(new VestibuleError('install_cancelled', 'the person stopped before the end'));
        if (modal) close();
      },
      'save-sync'(data) {
        options.onSave?.({ tenant: data.tenant });
      },
      'content-height-change'(data) {
        const height = Number(data.height);
        if (!Number.isFinite(height) || height < 0) return;
        frame.style.height = `${Math.ceil(height)}px`;
        options.onResize?.(height);
      },
    };

    // Another window, another origin, another brand: not ours.
    const heard = (event) => {
      if (event.source !== frame.contentWindow || event.origin !== url.origin) return;
      const message = event.data?.message;
      if (typeof message !== 'string' || !message.startsWith(`${brand}-`)) return;
      const name = message.slice(brand.length + 1);
      if (Object.hasOwn(handlers, name)) handlers[name](event.data);
    };

    const close = () => {
      window.removeEventListener('message', heard);
      signal?.removeEventListener('abort', close);
      modal?.close();
      modal?.remove();
      frame.remove();
      settle.reject(signal?.aborted ? signal.reason : new VestibuleError('closed', 'the page was closed before the end'));
    };

    if (signal?.aborted) {
      settle.reject(signal.reason);
      return Object.assign(promise, { frame, close });
    }
    window.addEventListener('message', heard);
    signal?.addEventListener('abort', close);
    if (!token) frame.src = url.href;
    if (options.modal) modal = makeModal(frame, title, closeLabel, close);
    else place.append(frame);
    if (token) postToken(url, token, frame);
    return Object.assign(promise, { frame, close });
  };

  window.Vestibule = Object.freeze({ open, VestibuleError });
})();
