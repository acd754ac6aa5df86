// Web Push: this browser's subscription, by which the user is notified while the page is
// closed. pushworker.js shows what comes.

import { localStore, tried } from "../../lib/saved.js";
import { Failure } from "../../lib/streamroom.js";

/**
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 *
 * What the worker needs to know of what it shows.
 * @typedef {object} Known
 * @property {string} [userId]
 * @property {boolean} [text] whether what is written is shown
 * @property {Record<string, string>} [rooms] what groups are called, by id
 * @property {Record<string, string>} [people] what those are called who wrote last
 */

/** The worker, relative to the page. */
const WORKER = "app/pushworker.js";
/** Where it is kept whose subscription the browser has: one at a time, of one user. */
const OWNER = "streamroom pushes";
/** Of how many rooms the worker knows the names. */
const MOST_ROOMS = 100;
/** How long changes of the rooms gather before the worker gets them (ms). */
const GATHERING = 5_000;

/**
 * The page's policy allows this one Trusted Types policy, once: nothing else can be made to
 * run as a worker, nor this by another name. Browsers without Trusted Types take the text.
 */
const trusted = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("streamroom-worker", {
  createScriptURL(/** @type {string} */ url) {
    if (url !== WORKER) throw new TypeError(`invalid worker ${url}: want ${WORKER}`);
    return url;
  },
});

export class Pushes {
  /** @type {Streamroom|undefined} */
  #chat;
  /** The key with which to subscribe; empty where there is none, as far as is known. */
  #key = "";
  /** Whether the server has got the subscription since the user signed in: no need to once more. */
  #isHandedIn = false;
  #telling = 0;
  /** The end of a subscription that is under way: no other one begins before. */
  #ending = Promise.resolve();
  /** @type {(() => void)|undefined} ends the lock of the room that is seen */
  #unseen;
  #seen = "";
  #roomId = "";
  #knows;

  /**
   * @param {(chatRoomId: string) => void} goTo
   * @param {() => Known} knows what the worker needs to know
   */
  constructor(goTo, knows) {
    this.#knows = knows;
    navigator.serviceWorker?.addEventListener("message", ({ data }) => {
      if (data?.type === "open" && this.#chat) goTo(data.chatRoomId);
    });
    document.addEventListener("visibilitychange", () => {
      this.#look();
      if (document.hidden) void this.tell();
    });
  }

  /** @param {Streamroom} chat of the user who has signed in */
  begin(chat) {
    this.#chat = chat;
    this.#key = "";
    this.#isHandedIn = false;
    this.#look();
    // The server may have forgotten the subscription, or have another key by now: once for each
    // connection, until that is done. Another user in another tab may have chosen pushes since
    // then, and keeps them. With the rooms it is known how the server spells the user.
    let [due, ended] = [true, false];
    chat.on("state", ({ name }) => {
      due ||= name === "online";
    });
    chat.on("rooms", () => {
      if (chat !== this.#chat || !chat.rooms.loaded) return;
      if (!this.#isChosen && !ended) {
        ended = true;
        this.#ending = this.#end(undefined); // of the user before, who did not sign out
      }
      if (!this.#isAllowed) return;
      if (due && !this.#isHandedIn) {
        due = false;
        this.#subscribe(chat).then(
          () => void this.tell(), // what the worker knew is gone, if the subscription was another user's
          () => {},
        );
      }
      this.#telling ||= window.setTimeout(() => {
        this.#telling = 0;
        void this.tell();
      }, GATHERING);
    });
  }

  /** The user signed out, or has to sign in again. */
  end() {
    this.#chat = undefined;
    this.#look();
  }

  /** Whether this browser has the user's pushes: they switched them on, and no other user did since. */
  get isOn() {
    return this.#isAllowed && this.#isOwner;
  }

  /** @returns {Promise<boolean>} whether they can be switched on: by this browser, and by the server */
  async canBe() {
    if (!navigator.serviceWorker || !globalThis.PushManager || !globalThis.Notification) return false;
    this.#key ||= (await this.#chat?.pushKey()) ?? "";
    return this.#key !== "";
  }

  /** Has this browser notified; rejects with a Failure. The user has allowed notifications. */
  async switchOn() {
    const chat = this.#chat;
    if (!chat) return;
    try {
      await this.#subscribe(chat);
    } catch (err) {
      if (err instanceof Failure) throw err;
      throw new Failure("unavailable", "The browser could not subscribe to notifications. Try again.", { cause: err });
    }
    tried(() => localStore()?.setItem(this.#place, "on"));
    await this.tell();
  }

  /** Leaves to the worker what it needs to know, if it shows pushes, and the rooms are known here. */
  async tell() {
    if (!this.isOn || !this.#chat?.rooms.loaded) return;
    const known = JSON.stringify(this.#knows());
    try {
      const cache = await caches.open("streamroom push");
      await cache.put("app/known", new Response(known));
    } catch (err) {
      console.warn("tell the worker", err); // it shows what it knew before
    }
  }

  /** Ends the user's pushes in this browser; those of another user, in another tab, stay. */
  async switchOff() {
    const chat = this.#chat;
    const wasOwner = this.#isOwner;
    tried(() => localStore()?.removeItem(this.#place));
    if (wasOwner) await this.#end(chat);
  }

  /**
   * Ends the subscription that this browser has, what it showed, and what the worker knows.
   * @param {Streamroom|undefined} chat whose subscription it is, if they are signed in; else the push service tells the server
   */
  async #end(chat) {
    if (!navigator.serviceWorker) return;
    try {
      const registration = await navigator.serviceWorker.getRegistration(WORKER);
      const subscription = await registration?.pushManager.getSubscription();
      const ended = subscription && chat?.unsubscribe(subscription.endpoint).catch(() => {});
      tried(() => localStore()?.removeItem(OWNER));
      for (const shown of (await registration?.getNotifications()) ?? []) shown.close();
      await subscription?.unsubscribe();
      await registration?.unregister();
      await caches.delete("streamroom push");
      await ended;
    } catch (err) {
      console.warn("end the pushes", err); // the push service tells the server in time
    }
  }

  /** @param {string} chatRoomId the room that is open; empty for none */
  opened(chatRoomId) {
    this.#roomId = chatRoomId;
    this.#look();
  }

  /** @param {string} chatRoomId which the user has read, here or elsewhere */
  async read(chatRoomId) {
    if (!this.isOn) return;
    const registration = await navigator.serviceWorker.getRegistration(WORKER);
    for (const shown of (await registration?.getNotifications({ tag: this.#tag(chatRoomId) })) ?? []) shown.close();
  }

  get #isChosen() {
    return tried(() => localStore()?.getItem(this.#place)) === "on";
  }

  /** Whether the user has switched pushes on in this browser, which allows them still. */
  get #isAllowed() {
    return this.#isChosen && globalThis.Notification?.permission === "granted";
  }

  /** Whether the browser's subscription, if it has one, is the user's: another tab may change that. */
  get #isOwner() {
    return this.#chat !== undefined && tried(() => localStore()?.getItem(OWNER)) === this.#chat.userId;
  }

  get #place() {
    return `streamroom push ${encodeURIComponent(this.#chat?.userId ?? "")}`;
  }

  /** @param {string} chatRoomId */
  #tag(chatRoomId) {
    return `streamroom ${this.#chat?.userId} ${chatRoomId}`;
  }

  /**
   * Subscribes with the server's key, if that was not done, and hands the subscription in.
   * Rejects with a Failure where another user's subscription can't be ended.
   * @param {Streamroom} chat
   */
  async #subscribe(chat) {
    await this.#ending;
    const key = await chat.pushKey();
    if (!key) throw new Failure("not_found", "The server sends no notifications any more.");
    // Another one's goes on at the server, and its pushes would be shown to this user.
    const owner = tried(() => localStore()?.getItem(OWNER));
    if (owner !== chat.userId) {
      await this.#end(undefined);
      const left = await navigator.serviceWorker.getRegistration(WORKER);
      if (await left?.pushManager.getSubscription())
        throw new Failure("another_user", "The browser could not end another user’s notifications. Try again.");
    }
    tried(() => localStore()?.setItem(OWNER, chat.userId));
    const url = trusted?.createScriptURL(WORKER) ?? WORKER;
    const registration = await navigator.serviceWorker.register(url, { updateViaCache: "none" });
    await activated(registration);
    let subscription = await registration.pushManager.getSubscription();
    if (subscription && !isOf(subscription, key)) {
      await chat.unsubscribe(subscription.endpoint);
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    await chat.subscribe(subscription);
    this.#isHandedIn ||= chat === this.#chat;
  }

  /** Holds a lock while the open room is seen: the worker shows nothing of it. */
  #look() {
    const seen = this.#chat && this.#roomId && !document.hidden ? `shows ${this.#tag(this.#roomId)}` : "";
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#unseen?.();
    this.#unseen = undefined;
    if (!seen) return;
    const held = new Promise((resolve) => {
      this.#unseen = () => resolve(undefined);
    });
    navigator.locks?.request(seen, { mode: "shared" }, () => held).catch(() => {});
  }
}

/**
 * Waits until a worker is active, without which there is no subscription. (serviceWorker.ready
 * is for workers that have the page in their scope.)
 * @param {ServiceWorkerRegistration} registration
 */
async function activated({ active, waiting, installing }) {
  const worker = installing ?? waiting;
  if (active || !worker) return;
  await new Promise((resolve) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated" || worker.state === "redundant") resolve(undefined);
    });
  });
}

/**
 * Whether a subscription is of the server's key.
 * @param {PushSubscription} subscription
 * @param {string} key base64url
 */
function isOf(subscription, key) {
  const bytes = new Uint8Array(subscription.options.applicationServerKey ?? []);
  const text = btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
  return text === key.replaceAll("=", "");
}

/**
 * What the worker needs to know of a user's rooms.
 * @param {Streamroom} chat
 * @param {boolean} text whether what is written is shown
 * @returns {Known}
 */
export function knownOf(chat, text) {
  /** @type {Record<string, string>} */
  const rooms = {};
  /** @type {Record<string, string>} */
  const people = {};
  for (const { chatRoomId, type, name, lastMessage } of chat.rooms.list().slice(0, MOST_ROOMS)) {
    if (type === "group") rooms[chatRoomId] = name ?? "";
    for (const userId of [type === "group" ? "" : chat.otherIn(chatRoomId), lastMessage?.senderId ?? ""])
      if (userId && userId !== chat.userId) people[userId] = chat.labelOf(userId);
  }
  return { userId: chat.userId, text, rooms, people };
}
