// One try to open a socket: a token, a handshake, and the answer to a ping, if wanted.

import { Failure } from "./failure.js";
import { unpack } from "./frames.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Frame} Frame
 * @typedef {import("./token.js").TokenSource} TokenSource
 * @typedef {typeof globalThis.WebSocket} WebSocketClass
 */

/** How long a handshake may take (ms). */
const HANDSHAKE_WITHIN = 15_000;
/** How long a pong may take (ms). */
export const PONG_WITHIN = 10_000;

export const PING = JSON.stringify({ action: "ping" });

/**
 * Whether an error says that its connection is of no more use.
 * @param {Frame} frame
 */
export const endsConnection = ({ type, code = "" }) =>
  type === "error" && ["replaced", "disconnected", "reconnect", "token_expired", "unauthorized"].includes(code);

export class Attempt {
  /** @type {WebSocket|undefined} */
  #socket;
  #ended = false;
  #cancelTimer = () => {};
  #on;
  #clock;
  #token;
  #ping;

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {TokenSource} options.token
   * @param {Clock} options.clock
   * @param {WebSocketClass} options.WebSocket
   * @param {boolean} options.ping whether the server must answer one
   * @param {object} on
   * @param {(socket: WebSocket, pong?: Frame) => void} on.opened the socket is the caller's from here on
   * @param {(frame: Frame) => void} on.frame any frame that comes before the pong, and in its batch
   * @param {(failure?: Failure) => void} on.failed `unauthorized`: there will be no token; `replaced`: there are too many connections; `disconnected`: the server ended them; undefined: the server wants a new one
   */
  constructor({ url, token, clock, WebSocket, ping }, on) {
    this.#on = on;
    this.#ping = ping;
    this.#clock = clock;
    this.#token = token;
    void this.#open(url, WebSocket);
  }

  /** Gives up; nothing is called any more. */
  close() {
    const socket = this.#leave();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /**
   * @param {string} url
   * @param {WebSocketClass} WebSocket
   */
  async #open(url, WebSocket) {
    let socket;
    try {
      const token = await this.#token.get();
      if (this.#ended) return;
      socket = new WebSocket(url, ["streamroom", token]);
    } catch (err) {
      if (!this.#ended) this.#fail(Failure.from(err));
      return;
    }
    let opened = false;
    this.#socket = socket;
    this.#within(HANDSHAKE_WITHIN, "The server did not answer.");
    socket.onopen = () => {
      opened = true;
      if (!this.#ping) return this.#succeed(socket);
      this.#within(PONG_WITHIN, "The connection went silent.");
      socket.send(PING);
    };
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = (event) => {
      // A browser doesn't say why a handshake failed; the token may be why.
      if (!opened) this.#token.drop();
      this.#fail(new Failure("network", event.reason || "The connection was lost."));
    };
  }

  /**
   * @param {WebSocket} socket
   * @param {unknown} data
   */
  #receive(socket, data) {
    for (const frame of unpack(data)) {
      if (endsConnection(frame)) {
        if (this.#ended) socket.close();
        else this.#fail(refusal(frame, this.#token));
        return;
      }
      if (frame.type !== "pong" || this.#ended) {
        this.#on.frame(frame);
        continue;
      }
      this.#succeed(socket, frame);
    }
  }

  /**
   * @param {WebSocket} socket
   * @param {Frame} [pong]
   */
  #succeed(socket, pong) {
    this.#leave();
    this.#on.opened(socket, pong);
  }

  /** @param {Failure} [failure] */
  #fail(failure) {
    this.close();
    this.#on.failed(failure);
  }

  /** Lets go of the socket. */
  #leave() {
    this.#ended = true;
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = undefined;
    return socket;
  }

  /**
   * @param {number} ms
   * @param {string} message
   */
  #within(ms, message) {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(ms, () => this.#fail(new Failure("timeout", message)));
  }
}

/**
 * What an error that ends a connection leads to: a failure if it ends the client, too.
 * A token that the server doesn't take is dropped.
 * @param {Frame} frame
 * @param {TokenSource} token
 */
export function refusal({ code, message = "" }, token) {
  if (code === "replaced" || code === "disconnected") return new Failure(code, message);
  if (code !== "reconnect") token.drop();
  return undefined;
}
