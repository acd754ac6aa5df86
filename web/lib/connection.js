// Keeps one WebSocket open: reopened when it ends, checked when it is silent,
// and replaced before the server ends it.

import { around, fullJitter } from "./clock.js";
import { Failure } from "./failure.js";
import { unpack } from "./frames.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Frame} Frame
 * @typedef {import("./token.js").TokenSource} TokenSource
 */

/**
 * `online` is only said once the server has answered a ping on the connection.
 * @typedef {object} ConnectionState
 * @property {"connecting"|"online"|"waiting"|"stopped"} name
 * @property {number} [retryAt] ms since 1970, when waiting
 * @property {Failure} [failure] why it is waiting or stopped, where known
 */

/** @typedef {typeof globalThis.WebSocket} WebSocketClass */

const MINUTE = 60_000;

/** How long a handshake may take (ms). */
const HANDSHAKE_WITHIN = 15_000;
/** How long a pong may take (ms). */
const PONG_WITHIN = 10_000;
/** How long any frame may take after a sign that the connection may be dead (ms). */
const CHECK_WITHIN = 5_000;
/** Without a frame, before a ping (ms), and how much earlier or later it is: 8.5 to 9 minutes. API Gateway ends a connection that is idle for 10. */
const PING_EVERY = 8.75 * MINUTE;
const PING_SPREAD = 1 / 35;
/** API Gateway ends every connection after 2 hours. */
const LIFETIME = 110 * MINUTE;
/** A connection is replaced this long before its token ends (ms), or a tenth of what the token has left if that is less. */
const TOKEN_MARGIN = MINUTE;
/** Back-off before the next attempt: its base and its limit (ms). */
const RETRY_BASE = 1_000;
const RETRY_CAP = 30_000;
/** A connection that lasted this long was a good one: the next back-off starts small (ms). */
const GOOD_AFTER = 10_000;

export class Connection {
  /** @type {ConnectionState} */
  state = { name: "stopped" };

  /** @type {WebSocket|undefined} */
  #socket;
  /** Counts attempts to open, so that an answer to an earlier one is known as such. */
  #generation = 0;
  #attempt = 0;
  #onlineSince = 0;
  /** @type {Map<string, () => void>} what cancels each running timer */
  #timers = new Map();
  #url;
  #token;
  #clock;
  #WebSocket;
  #pingEvery;
  #on;

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {TokenSource} options.token
   * @param {Clock} options.clock
   * @param {WebSocketClass} options.WebSocket
   * @param {number} [options.pingEvery] ms without a frame before a ping, on average, 8.75 minutes at most
   * @param {object} on
   * @param {(state: ConnectionState) => void} on.state
   * @param {(frame: Frame) => void} on.frame every frame but what ends the connection
   */
  constructor({ url, token, clock, WebSocket, pingEvery = PING_EVERY }, on) {
    this.#url = url;
    this.#token = token;
    this.#clock = clock;
    this.#WebSocket = WebSocket;
    this.#pingEvery = Math.min(pingEvery, PING_EVERY);
    this.#on = on;
  }

  get online() {
    return this.state.name === "online";
  }

  start() {
    if (this.state.name === "stopped") void this.#open();
  }

  stop() {
    this.#end();
  }

  /**
   * Stays away from the server until it is started again.
   * @param {Failure} [failure]
   */
  #end(failure) {
    this.#leave();
    this.#become({ name: "stopped", failure });
  }

  /**
   * Sends a frame on a connection that is online.
   * @param {object} frame
   */
  send(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  /**
   * The device or its user gave a sign that the connection may be dead, or is wanted:
   * stops waiting, or pings; without any frame the connection is replaced.
   */
  check() {
    if (this.state.name === "waiting") {
      void this.#open();
    } else if (this.online && !this.#timers.has("check")) {
      this.#timer("check", CHECK_WITHIN, () => this.#silent());
      this.send({ action: "ping" });
    }
  }

  /** Asks for a pong; without one the connection is replaced. */
  #ping() {
    if (this.#timers.has("pong")) return;
    this.#timer("pong", PONG_WITHIN, () => this.#silent());
    this.send({ action: "ping" });
  }

  #silent() {
    this.#retry(new Failure("timeout", "The connection went silent."));
  }

  async #open() {
    this.#leave();
    const generation = this.#generation;
    this.#become({ name: "connecting" });
    let socket;
    try {
      const token = await this.#token.get();
      if (generation !== this.#generation) return;
      socket = new this.#WebSocket(this.#url, ["streamroom", token]);
    } catch (err) {
      if (generation !== this.#generation) return;
      const failure = Failure.from(err);
      if (failure.code === "unauthorized") this.#become({ name: "stopped", failure });
      else this.#retry(failure);
      return;
    }
    let opened = false;
    this.#socket = socket;
    this.#timer("handshake", HANDSHAKE_WITHIN, () => this.#retry(new Failure("timeout", "The server did not answer.")));
    socket.onopen = () => {
      opened = true;
      this.#stopTimer("handshake");
      this.#ping();
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => {
      // A browser doesn't say why a handshake failed; the token may be why.
      if (!opened) this.#token.drop();
      this.#retry(new Failure("network", event.reason || "The connection was lost."));
    };
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#stopTimer("check");
    if (this.online) this.#heartbeat();
    const generation = this.#generation;
    for (const frame of unpack(data)) {
      if (frame.type === "pong") this.#ponged(frame);
      else if (frame.type === "error" && frame.code === "replaced")
        this.#end(new Failure("replaced", frame.message ?? ""));
      else if (frame.type === "error" && this.#isLast(frame.code)) this.#retry();
      else this.#on.frame(frame);
      if (generation !== this.#generation) return;
    }
  }

  /**
   * Whether the server asks for a new connection, perhaps with a new token.
   * @param {string} [code]
   */
  #isLast(code) {
    if (code === "token_expired" || code === "unauthorized") this.#token.drop();
    else if (code !== "reconnect") return false;
    return true;
  }

  /** @param {Frame} pong */
  #ponged(pong) {
    this.#answered();
    this.#on.frame(pong);
  }

  /** The next ping is due after some minutes without a frame. */
  #heartbeat() {
    this.#timer("heartbeat", around(this.#clock, this.#pingEvery, PING_SPREAD), () => this.#ping());
  }

  #answered() {
    this.#stopTimer("pong");
    this.#heartbeat();
    if (this.online) return;
    this.#onlineSince = this.#clock.now();
    const left = this.#token.remaining;
    const life = Math.min(around(this.#clock, LIFETIME, 0.05), left - Math.min(TOKEN_MARGIN, left / 10));
    this.#timer("replace", life, () => {
      this.#token.drop();
      void this.#open();
    });
    this.#become({ name: "online" });
  }

  /** @param {Failure} [failure] */
  #retry(failure) {
    if (this.online && this.#clock.now() - this.#onlineSince > GOOD_AFTER) this.#attempt = 0;
    const delay = fullJitter(this.#clock, this.#attempt++, RETRY_BASE, RETRY_CAP);
    this.#leave();
    this.#timer("retry", delay, () => void this.#open());
    this.#become({ name: "waiting", retryAt: this.#clock.now() + delay, failure });
  }

  /** Lets go of the socket, without waiting for a network that may be gone. */
  #leave() {
    this.#generation++;
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {ConnectionState} state */
  #become(state) {
    this.state = state;
    this.#on.state(state);
  }

  /**
   * @param {string} name
   * @param {number} ms
   * @param {() => void} call
   */
  #timer(name, ms, call) {
    this.#stopTimer(name);
    this.#timers.set(
      name,
      this.#clock.after(ms, () => {
        this.#timers.delete(name);
        call();
      }),
    );
  }

  /** @param {string} name */
  #stopTimer(name) {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}
