// Keeps one WebSocket open: reopened when it ends, checked when it is silent, and
// replaced before the server ends it by another one that is there first.

import { Attempt, endsConnection, PING, PONG_WITHIN, refusal } from "./attempt.js";
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

/** @typedef {import("./attempt.js").WebSocketClass} WebSocketClass */

const MINUTE = 60_000;

/** How long any frame may take after a sign that the connection may be dead (ms). */
const CHECK_WITHIN = 5_000;
/** Without a frame, before a ping (ms), and how much earlier or later it is: 8.5 to 9 minutes. API Gateway ends a connection that is idle for 10. */
const PING_EVERY = 8.75 * MINUTE;
const PING_SPREAD = 1 / 35;
/** The status with which a connection is closed that another one follows. */
const RETURNING = 4000;
/** API Gateway ends every connection after 2 hours. */
const LIFETIME = 110 * MINUTE;
/** Codes of failures after which no other connection is opened unasked. */
const ENDS = new Set(["unauthorized", "replaced", "disconnected"]);

/** A connection is replaced this long before its token ends (ms), or a tenth of what the token has left if that is less. */
const TOKEN_MARGIN = MINUTE;
/** How long a replaced connection still brings what was on its way when the other one began (ms): more than the 20 s that a broadcast may take. */
const LINGER = 30_000;
/** After a failure to replace a connection that works, before the next attempt (ms). */
const REPLACE_AGAIN = 20_000;
/** Back-off before the next attempt: its base and its limit (ms). */
const RETRY_BASE = 1_000;
const RETRY_CAP = 30_000;
/** A connection that lasted this long was a good one: the next back-off starts small (ms). */
const GOOD_AFTER = 10_000;

export class Connection {
  /** @type {ConnectionState} */
  state = { name: "stopped" };

  /** @type {WebSocket|undefined} the one to send on */
  #socket;
  /** @type {Attempt|undefined} */
  #attempt;
  /** @type {WebSocket|undefined} the next one to send on, while this one is asked if it still works */
  #next;
  /** How many pings have no pong yet. */
  #pings = 0;
  /** How many pongs answer pings from before #next was open. */
  #unasked = 0;
  /** @type {Map<WebSocket, () => void>} those that were replaced and still bring frames, and what ends each */
  #lingering = new Map();
  /** The server's name of the connection. */
  #id = "";
  /** Counts connections, so that the rest of a batch is left when one ends. */
  #generation = 0;
  #failures = 0;
  #onlineSince = 0;
  /** From when on the connection is replaced instead of pinged (ms since 1970): no later ping would come in time. */
  #replaceFrom = 0;
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
    if (this.state.name === "stopped") this.#open();
  }

  stop() {
    this.#end();
  }

  /**
   * Stays away from the server until it is started again.
   * @param {Failure} [failure]
   */
  #end(failure) {
    this.#leave(true);
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
      this.#open();
    } else if (this.online && !this.#timers.has("check")) {
      this.#timer("check", CHECK_WITHIN, () => this.#silent());
      this.#sendPing();
    }
  }

  /** Asks for a pong; without one the connection is replaced. */
  #ping() {
    if (this.#timers.has("pong")) return;
    if (this.#clock.now() >= this.#replaceFrom && !this.#attempt) return this.#replace();
    this.#ask();
  }

  #ask() {
    this.#timer("pong", PONG_WITHIN, () => this.#silent());
    this.#sendPing();
  }

  #sendPing() {
    this.#pings++;
    this.#socket?.send(PING);
  }

  #silent() {
    this.#lost(new Failure("timeout", "The connection went silent."));
  }

  /**
   * The connection has ended. If the next one is there it goes on with that, and asks for
   * what was missed.
   * @param {Failure} failure
   */
  #lost(failure) {
    const next = this.#next;
    if (!next) return this.#retry(failure);
    this.#next = undefined;
    if (this.#socket) release(this.#socket);
    this.#socket = undefined;
    this.#use(next);
    this.#become({ name: "online" });
    this.#ask();
  }

  #open() {
    this.#leave();
    this.#become({ name: "connecting" });
    this.#try(this.#url, true, (failure) => this.#retry(failure));
  }

  /**
   * Opens a connection beside this one. If that still works when the other one is there,
   * nothing was missed between them, and nothing has to be asked for.
   */
  #replace() {
    if (this.#attempt || this.#next) return;
    this.#token.drop();
    const url = new URL(this.#url);
    if (this.#id) url.searchParams.set("replaces", this.#id);
    this.#try(url.href, false, () => {
      this.#replaceFrom = Infinity; // until the timer, pings are pings
      this.#timer("replace", around(this.#clock, REPLACE_AGAIN, 0.5), () => this.#replace());
      this.#ping();
    });
  }

  /**
   * @param {string} url
   * @param {boolean} ping
   * @param {(failure?: Failure) => void} failed where another attempt may do better
   */
  #try(url, ping, failed) {
    this.#attempt = new Attempt(
      { url, token: this.#token, clock: this.#clock, WebSocket: this.#WebSocket, ping },
      {
        opened: (socket, pong) => {
          this.#attempt = undefined;
          if (this.#socket) this.#prepare(socket);
          else this.#use(socket, pong);
        },
        frame: (frame) => this.#on.frame(frame),
        failed: (failure) => {
          this.#attempt = undefined;
          if (failure && ENDS.has(failure.code)) this.#end(failure);
          else failed(failure);
        },
      },
    );
  }

  /**
   * Has the next socket there, and asks this one if it still works.
   * @param {WebSocket} next
   */
  #prepare(next) {
    this.#next = next;
    this.#unasked = this.#pings;
    next.onopen = null;
    next.onmessage = (event) => {
      for (const frame of unpack(event.data)) {
        if (endsConnection(frame)) return this.#giveUpNext();
        this.#on.frame(frame);
      }
    };
    next.onclose = () => this.#giveUpNext();
    this.#ask();
  }

  #giveUpNext() {
    if (this.#next) release(this.#next);
    this.#next = undefined;
    this.#timer("replace", around(this.#clock, REPLACE_AGAIN, 0.5), () => this.#replace());
  }

  /**
   * Goes on with a socket.
   * @param {WebSocket} socket
   * @param {Frame} [pong]
   */
  #use(socket, pong) {
    if (this.#socket) this.#linger(this.#socket);
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
    this.#generation++;
    this.#socket = socket;
    this.#id = pong?.connectionId ?? "";
    this.#pings = 0;
    socket.onopen = null;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(new Failure("network", event.reason || "The connection was lost."));
    this.#onlineSince = this.#clock.now();
    const left = this.#token.remaining;
    const life = Math.min(around(this.#clock, LIFETIME, 0.05), left - Math.min(TOKEN_MARGIN, left / 10));
    this.#replaceFrom = this.#onlineSince + life - Math.min(this.#pingEvery * (1 + PING_SPREAD), life / 4);
    this.#timer("replace", life, () => this.#replace());
    this.#heartbeat();
    if (!this.online) this.#become({ name: "online" });
    if (pong) this.#on.frame(pong);
  }

  /**
   * Takes what still comes on a socket that was replaced: a broadcast that began
   * before the other one was there, answers to what was sent.
   * @param {WebSocket} socket
   */
  #linger(socket) {
    const end = () => {
      cancel();
      this.#lingering.delete(socket);
      release(socket);
    };
    const cancel = this.#clock.after(LINGER, end);
    this.#lingering.set(socket, end);
    socket.onclose = end;
    socket.onmessage = (event) => {
      for (const frame of unpack(event.data)) {
        if (endsConnection(frame)) return end();
        if (frame.type !== "pong") this.#on.frame(frame);
        if (!this.#lingering.has(socket)) return;
      }
    };
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#stopTimer("check");
    if (this.#id) this.#heartbeat(); // a ping there must be, by which it is named when it is replaced
    const generation = this.#generation;
    for (const frame of unpack(data)) {
      if (endsConnection(frame)) this.#refused(frame);
      else if (frame.type === "pong") this.#ponged(frame);
      else this.#on.frame(frame);
      if (generation !== this.#generation) return;
    }
  }

  /** @param {Frame} error */
  #refused(error) {
    const failure = refusal(error, this.#token);
    if (this.#next) this.#lost(new Failure("network", "The server ended the connection."));
    else if (failure) this.#end(failure);
    else this.#retry();
  }

  /**
   * The connection works. If the next one was there before, it is that one's turn.
   * @param {Frame} pong
   */
  #ponged(pong) {
    this.#stopTimer("pong");
    this.#id = pong.connectionId ?? this.#id;
    this.#pings--;
    this.#heartbeat();
    const next = this.#next;
    if (next && this.#unasked-- <= 0) {
      this.#next = undefined;
      this.#use(next);
    }
    this.#on.frame(pong);
  }

  /** The next ping is due after some minutes without a frame. */
  #heartbeat() {
    this.#timer("heartbeat", around(this.#clock, this.#pingEvery, PING_SPREAD), () => this.#ping());
  }

  /** @param {Failure} [failure] */
  #retry(failure) {
    if (this.online && this.#clock.now() - this.#onlineSince > GOOD_AFTER) this.#failures = 0;
    const delay = fullJitter(this.#clock, this.#failures++, RETRY_BASE, RETRY_CAP);
    this.#leave();
    this.#timer("retry", delay, () => this.#open());
    this.#become({ name: "waiting", retryAt: this.#clock.now() + delay, failure });
  }

  /**
   * Lets go of all sockets, without waiting for a network that may be gone.
   * @param {boolean} [ended] no other follows: others are told that the user is gone
   */
  #leave(ended = false) {
    this.#generation++;
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
    this.#attempt?.close();
    this.#attempt = undefined;
    if (this.#next) release(this.#next);
    this.#next = undefined;
    for (const end of [...this.#lingering.values()]) end();
    if (this.#socket) release(this.#socket, ended ? undefined : RETURNING);
    this.#socket = undefined;
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

/**
 * @param {WebSocket} socket
 * @param {number} [status]
 */
function release(socket, status) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close(status);
}
