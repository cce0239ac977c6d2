/** Types of the Vestibule embed script, version 1 (`/embed/v1.js`, which defines the global `Vestibule`). */

/** A tenant: one installation of one integration for one user. The shape is that of `GET /v1/tenants/{id}`. */
interface VestibuleTenant {
  id: number;
  [field: string]: unknown;
}

interface VestibuleResult {
  /** Secrets in it are masked. */
  tenant: VestibuleTenant;
  /**
   * Where the outside world may send webhooks of this tenant. A secret: keep it on your server. Absent in a sandbox
   * for which no origin is registered.
   */
  webhook_url?: string;
}

/** Why nothing was connected. */
interface VestibuleError extends Error {
  readonly name: 'VestibuleError';
  /**
   * A stable code: those of the landing's refusals (`token_expired`, ...), those of the dialog (`user_denied`,
   * `provider_down`, ...), `install_cancelled`, or `closed`.
   */
  readonly code: string;
}

interface VestibuleOptions {
  /** The page to open, such as `https://connect.example.com/acme/hubspot/auth`. Relative to the gateway. */
  url: string;
  /** The signed token. It is posted in a form field; without it, `url` carries it as `?tenant=`. */
  token?: string;
  /** Where the frame goes: an element or a CSS selector. Needed unless `modal` is set. */
  container?: Element | string;
  /** Shows the frame in a dialog over the page instead. */
  modal?: boolean;
  /** The organization's brand, with which the messages' names begin. Default: `vestibule`. */
  brand?: string;
  /** The frame's accessible name. Default: `Connect`. */
  title?: string;
  /** The accessible name of the button that closes a modal. Default: `Close`. */
  closeLabel?: string;
  /** Closes the frame when it is aborted. */
  signal?: AbortSignal;
  onSuccess?(result: VestibuleResult): void;
  /** Called for every error, also for those after which the person can try again. */
  onError?(error: VestibuleError): void;
  onCancel?(): void;
  onSave?(saved: { tenant: VestibuleTenant }): void;
  /** The content's height in CSS pixels. The frame has it already. */
  onResize?(height: number): void;
}

/**
 * Resolves at success. Rejects with a {@link VestibuleError} when the landing is refused, the person cancels, or the
 * frame is closed before. An error that can be mended in the frame leaves it pending: see `onError`.
 */
interface VestibuleConnection extends Promise<VestibuleResult> {
  readonly frame: HTMLIFrameElement;
  /** Takes the frame away. Call it when you have shown what you want to show after success. */
  close(): void;
}

interface VestibuleScript {
  open(options: VestibuleOptions): VestibuleConnection;
  readonly VestibuleError: new (code: string, message: string) => VestibuleError;
}

declare const Vestibule: VestibuleScript;

interface Window {
  readonly Vestibule: VestibuleScript;
}
