// The service worker: shows a notification for each push, and leads to its room. It has no
// token, and handles no request of the page's; see ui/push.js for what the page leaves here.

/**
 * What the page knows, as ui/push.js leaves it.
 * @typedef {object} Known
 * @property {string} [userId]
 * @property {boolean} [text] whether what is written is shown
 * @property {Record<string, string>} [rooms] what groups are called, by id
 * @property {Record<string, string>} [people] what those are called who wrote last
 */

/**
 * A push, as docs/protocol.md has it.
 * @typedef {object} Push
 * @property {string} type
 * @property {string} chatRoomId
 * @property {string} messageId
 * @property {string} senderId
 * @property {number} timestamp ms since 1970
 * @property {boolean} [mentioned]
 * @property {string} [content] if the deployment has it
 */

/** How much of a message a notification shows (characters). */
const MOST = 140;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (globalThis));
/** The page is beside the folder that this is in. */
const page = new URL("..", worker.registration.scope);

worker.addEventListener("install", (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener("push", (event) => event.waitUntil(show(event.data)));
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.chatRoomId));
});

/** @param {PushMessageData|null} data */
async function show(data) {
  const push = read(data);
  if (!push) return;
  const { chatRoomId, messageId, timestamp } = push;
  const known = await recall();
  const tag = `streamroom ${known.userId ?? ""} ${chatRoomId}`;
  if (await isShown(tag)) return;
  const [before] = await worker.registration.getNotifications({ tag });
  const { messageIds = [] } = before?.data ?? {};
  // The same one may come twice, and does not sound again.
  const again = messageIds.includes(messageId);
  const all = again ? messageIds : [...messageIds, messageId];
  const options = {
    body: bodyOf(push, known, all.length),
    tag,
    dir: /** @type {NotificationDirection} */ ("auto"),
    timestamp,
    renotify: !again,
    silent: again,
    data: { chatRoomId, messageIds: all },
  };
  await worker.registration.showNotification(titleOf(push, known), options);
}

/**
 * @param {PushMessageData|null} data
 * @returns {Push|undefined} undefined for what this is too old to know
 */
function read(data) {
  try {
    const push = data?.json();
    const ids = [push?.chatRoomId, push.messageId, push.senderId];
    return push.type === "message" && ids.every((id) => typeof id === "string") ? push : undefined;
  } catch {
    return undefined;
  }
}

/** @returns {Promise<Known>} what the page has left here */
async function recall() {
  try {
    const cache = await caches.open("streamroom push");
    return (await (await cache.match("known"))?.json()) ?? {};
  } catch {
    return {};
  }
}

/**
 * Whether a tab that is seen has the room open: the page holds a lock as long as it does.
 * @param {string} name
 */
async function isShown(name) {
  const { held = [] } = await navigator.locks.query();
  return held.some((lock) => lock.name === `shows ${name}`);
}

/**
 * @param {Push} push
 * @param {Known} known
 */
function titleOf({ chatRoomId, senderId, mentioned }, { rooms = {}, people = {} }) {
  const sender = people[senderId];
  const room = rooms[chatRoomId];
  const names = [...(sender ? [isolated(sender)] : []), ...(room ? [isolated(room)] : [])];
  if (names.length > 0) return names.join(" in ");
  return mentioned ? "You are mentioned" : "New message";
}

/**
 * @param {Push} push
 * @param {Known} known
 * @param {number} count of messages that are notified of
 */
function bodyOf({ content, mentioned }, { text = true }, count) {
  if (content && text) return beginning(content);
  if (count > 1) return `${count} new messages`;
  return mentioned ? "1 new message, which mentions you" : "1 new message";
}

/** @param {string} text */
function beginning(text) {
  const letters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
  return letters.length > MOST ? `${letters.slice(0, MOST).join("")}…` : text;
}

/**
 * Keeps a name's direction from what is around it.
 * @param {string} name
 */
const isolated = (name) => `\u2068${name}\u2069`;

/** @param {string} chatRoomId */
async function open(chatRoomId) {
  const tabs = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const own = tabs.filter(({ url }) => new URL(url).pathname === page.pathname);
  const tab =
    own.find(({ focused }) => focused) ?? own.find(({ visibilityState }) => visibilityState === "visible") ?? own[0];
  if (!tab) {
    await worker.clients.openWindow(new URL(`#/room/${encodeURIComponent(chatRoomId)}`, page));
    return;
  }
  tab.postMessage({ type: "open", chatRoomId });
  await tab.focus().catch(() => {}); // the browser may refuse it: the room is open nonetheless
}
