// The open room: its messages, and its members.

import { isPassing } from "../../lib/failure.js";
import { Failure, isolated } from "../../lib/streamroom.js";
import { Details, report } from "./details.js";
import { askingFirst } from "./dialogs.js";
import { announce, becomeAvatar, byId, within } from "./dom.js";
import { MembersDialog } from "./members.js";
import { MessagesView } from "./messages.js";
import { noteFor } from "./notes.js";
import { firstUnread, Older } from "./older.js";
import { RoomSearch } from "./search.js";
import { TypingLine } from "./typing.js";
import { coordinates, counted, describe, fileName, filesIn, placeText, seenText } from "./words.js";
import { Writing } from "./writing.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 */

/** A device whose keyboard covers the page when something to write in has the focus. */
const TOUCH = window.matchMedia("(pointer: coarse)");

/** Whether nothing that can be seen has the focus. */
function nothingHasFocus() {
  const at = document.activeElement ?? document.body;
  return at === document.body || at.getClientRects().length === 0;
}

/**
 * What a room is called.
 * @param {Streamroom} chat
 * @param {{name?: string, type: string, chatRoomId: string}} room
 */
export function titleOf(chat, room) {
  if (room.name) return room.name;
  if (room.type !== "dm") return room.chatRoomId;
  const other = chat.otherIn(room.chatRoomId);
  return other ? chat.labelOf(other) : "Direct message";
}

export class Conversation {
  /** The open room's id; empty when none is. */
  id = "";

  /** @type {Streamroom|undefined} */
  #chat;
  /** @type {Failure|undefined} why the room can't be shown */
  #failure;
  /** The first message that is new to the reader; empty for none. */
  #divider = "";
  /** Whether it was asked whom the user blocks. */
  #askedBlocks = false;
  /** Whether the reader marked a message as unread: what is shown isn't read then. */
  #keptUnread = false;

  #head = byId("room-head", HTMLElement);
  #avatar = byId("room-avatar", HTMLElement);
  #name = byId("room-name", HTMLElement);
  #kind = byId("room-kind", HTMLElement);
  #place = byId("room-place", HTMLElement);
  #stage = byId("stage", HTMLElement);
  #note = byId("room-note", HTMLElement);
  #membersButton = byId("room-members", HTMLButtonElement);
  #messages;
  #about;
  #older;
  #search;
  #searchButton = byId("room-search", HTMLButtonElement);
  #writing;
  #typing = new TypingLine();
  #membersDialog;
  #local;
  #changed;
  #drawn;
  #listed;

  /**
   * @param {boolean} local people sign in by name alone
   * @param {object} on
   * @param {() => void} on.changed what is shown is not what is so any more
   * @param {() => void} on.drawn it is to be shown now, as what isn't shown can't have the focus
   * @param {(room: string) => void} on.listed the members of a room are about to be shown
   */
  constructor(local, { changed, drawn, listed }) {
    this.#local = local;
    this.#changed = changed;
    this.#drawn = drawn;
    this.#listed = listed;
    const now = () => ({ room: this.id, chat: this.#chat });
    this.#about = new Details({
      now,
      listed: () => this.#membersDialog.isOpen,
      changed,
      answered: (room) => this.#failure && isPassing(this.#failure.code) && void this.open(room),
    });
    this.#writing = new Writing(this.#about, {
      now,
      sent: () => {
        this.#divider = "";
        this.#keptUnread = false;
        this.#messages.toEnd();
      },
      focus: (messageId) => this.#messages.focus(messageId),
    });
    this.#messages = new MessagesView({
      older: (asked) => void this.#older.load(asked),
      seen: (messageId) => this.#seen(messageId),
      retry: (id) => this.#chat?.retry(id),
      discard: (id) => this.#chat?.discard(id),
      acts: this.#writing.acts,
      quoted: (messageId) => void this.#older.find(messageId),
      react: (message, reaction, add) => void this.#writing.reacting.react(message, reaction, add),
      linkTo: async ({ attachmentId = "" }) => {
        if (!this.#chat) throw new Failure("unauthorized", "");
        return this.#chat.linkTo(this.id, attachmentId);
      },
      failed: (err) => announce(describe(Failure.from(err)), true),
      rendered: () => this.#search.paint(),
      leave: () => this.#writing.composer.focus(),
    });
    this.#search = new RoomSearch({
      now,
      show: (messageId) => this.#messages.toMessage(messageId),
      older: (done, pages) => this.#older.until(done, pages),
      leave: (messageId) => (messageId ? this.#messages.focus(messageId) : this.#writing.composer.focus()),
    });
    this.#searchButton.addEventListener("click", () => this.search());
    this.#older = new Older({
      now,
      changed,
      draw: () => this.draw(Date.now()),
      find: (messageId) => this.#messages.find(messageId),
    });
    this.#membersDialog = new MembersDialog({
      add: (room, userId) => this.#change((chat) => askingFirst((only) => chat.addMember(room, userId, only))),
      remove: (room, userId) => this.#change((chat) => chat.removeMember(room, userId)),
      rename: (room, name) => this.#change((chat) => chat.renameRoom(room, name)),
      retain: async (room, days) => (await this.#chat?.retain(room, days)) ?? 0,
      setRole: async (room, userId, role) => this.#chat?.setRole(room, userId, role),
      mute: async (room, userId, ms) => {
        const until = ms && (this.#chat?.now ?? 0) + ms;
        await this.#chat?.mute(room, userId, until);
        return until;
      },
      ban: (room, userId) => this.#change((chat) => chat.ban(room, userId)),
      unban: async (room, userId) => this.#chat?.unban(room, userId),
      bans: async (room, cursor) => (await this.#chat?.bans(room, cursor)) ?? { bans: [] },
      reports: async (room, cursor) => (await this.#chat?.reports(room, cursor)) ?? { reports: [] },
      dismiss: async (room, messageId) => this.#chat?.dismissReports(room, messageId),
      deleteReported: async (room, messageId) => {
        await this.#chat?.delete(room, messageId);
        await this.#chat?.dismissReports(room, messageId);
      },
      held: (room, messageId) => this.#chat?.timeline(room).messages.find((m) => m.messageId === messageId),
      goTo: (messageId) => {
        this.#membersDialog.close();
        void this.#older.find(messageId);
      },
      block: async (userId, blocked) => (blocked ? this.#chat?.block(userId) : this.#chat?.unblock(userId)),
      labelOf: (userId) => this.#chat?.labelOf(userId) ?? userId,
      places: {
        share: (room, visibility) => this.#change((chat) => chat.share(room, visibility)),
        place: (room, place) => this.#change(async (chat) => void (await chat.place(room, place))),
        unplace: (room) => this.#change((chat) => chat.unplace(room)),
      },
      more: () => this.#about.more(),
      leave: async (room, direct) => {
        if (direct) await this.#chat?.hideDirect(room);
        else await this.#chat?.removeMember(room, this.#me);
        if (room !== this.id) return;
        this.#membersDialog.close();
        // A public room stays open: it offers to be joined again, and may be hard to find.
        if (this.#about.room?.visibility !== "public") location.hash = "#/";
      },
    });
    this.#membersButton.addEventListener("click", () => this.showMembers());
  }

  /**
   * A user signed in or out.
   * @param {Streamroom|undefined} chat
   */
  become(chat) {
    this.close();
    this.#writing.composer.clear();
    this.#chat = chat;
    this.#askedBlocks = false;
  }

  get #me() {
    return this.#chat?.userId ?? "";
  }

  close() {
    this.id = this.#divider = "";
    this.#stage.removeAttribute("aria-busy");
    this.#about.clear();
    this.#failure = undefined;
    this.#membersDialog.clear();
    this.#name.textContent = this.#kind.textContent = this.#place.textContent = this.#avatar.textContent = "";
    this.#note.replaceChildren();
    this.#search.close();
    this.#messages.clear();
    this.#typing.show([]);
    this.#writing.composer.show("");
  }

  /**
   * Whether the reader was not led to where they begin yet: what is shown until then isn't
   * read. Screen readers are told that more is to come.
   */
  get #opening() {
    return this.#stage.getAttribute("aria-busy") === "true";
  }

  /** @param {boolean} opening */
  set #opening(opening) {
    this.#stage.setAttribute("aria-busy", String(opening));
  }

  /**
   * Opens a room, or opens it again. It can be written in at once.
   * @param {string} id
   * @param {boolean} [chosen] the user wants to be there: the composer has the focus; else it has it where nothing does
   */
  async open(id, chosen = false) {
    const chat = this.#chat;
    if (!chat) return;
    this.id = id;
    this.#failure = undefined;
    this.#opening = true;
    this.#keptUnread = false;
    this.#drawn();
    // Not when the answers come: who has begun to write writes on, and who is elsewhere stays there.
    if (!TOUCH.matches && !document.querySelector("dialog[open]") && (chosen || nothingHasFocus()))
      this.#writing.composer.focus();
    const unread = () => chat.rooms.get(id)?.unread ?? 0;
    const wasUnread = unread() > 0;
    const details = this.#about.read();
    try {
      await chat.open(id);
    } catch (err) {
      report(Failure.from(err));
      if (id === this.id) this.#failure = Failure.from(err);
    }
    if (id !== this.id || !this.#chat) return;
    if (wasUnread && !chat.readUpTo(id)) await details;
    if (id !== this.id) return;
    // Until here nothing that is shown is read: what came in the meantime is unread, too.
    const reader = { me: this.#me, unread: unread(), readUpTo: chat.readUpTo(id), marked: chat.unreadFrom(id) };
    this.#divider = firstUnread(chat.timeline(id).messages, reader);
    this.draw(Date.now());
    if (this.#divider) this.#messages.toMessage(this.#divider);
    this.#opening = false;
  }

  /** Opens the search within the room, if there is something to search in. */
  search() {
    if (!this.#searchButton.hidden && this.id) this.#search.open();
  }

  showMembers() {
    if (!this.id || this.#membersDialog.isOpen || !this.#about.room) return;
    this.#showDetails();
    this.#listed(this.id);
    this.#membersDialog.open();
    void this.#about.read();
    this.#readBlocks();
  }

  /** Asks whom the user blocks: another device may have changed it. */
  #readBlocks() {
    this.#askedBlocks = true;
    this.#chat?.blocks().catch((err) => report(Failure.from(err)));
  }

  /** What the user may do in the room. */
  get #role() {
    return this.#chat?.standing(this.id)?.role ?? this.#about.room?.role;
  }

  /**
   * A message of someone else arrived, in this room.
   * @param {Message} message
   */
  arrived({ messageId, senderId, content = "", attachments = [] }) {
    if (!this.#chat) return;
    const reading = !document.hidden && this.#messages.atEnd;
    if (!reading && (this.#chat.rooms.get(this.id)?.unread ?? 0) <= 1) this.#divider = messageId;
    this.#messages.arrived();
    const files = attachments.map(({ name }) => fileName(name)).join(", ");
    const said = [content, files && `${filesIn(attachments.length)}: ${files}`].filter(Boolean).join(" ");
    announce(`${isolated(this.#chat.labelOf(senderId))}: ${said}`);
  }

  /** A message of the room was marked as unread: it stays so until the room is opened again, or answered. */
  marked() {
    if (!this.#chat) return;
    this.#keptUnread = true;
    this.#divider = this.#chat.unreadFrom(this.id);
    announce("Marked as unread, in this browser. The others still see that you have read it.", true);
    this.#changed();
  }

  /** @param {{userId: string, joined: boolean}} change */
  memberChanged({ userId, joined }) {
    if (userId !== this.#me) void this.#about.read();
    else if (joined) void this.open(this.id);
    else {
      this.#failure = new Failure("removed", "");
      this.#membersDialog.close();
      void this.#about.read();
    }
  }

  /** Ask again what became of the room and its members while there was no connection. */
  reconnected() {
    this.#askedBlocks = false;
    if (this.#failure && isPassing(this.#failure.code)) void this.open(this.id);
    else void this.#about.read();
  }

  /** The name of the room changed, or who can join it, or its place. */
  roomChanged() {
    void this.#about.read();
  }

  /** @param {number} now ms since 1970 */
  draw(now) {
    const { id } = this;
    const chat = this.#chat;
    if (!chat) return;
    const known = chat.rooms.get(id) ?? this.#about.room;
    const title = known ? titleOf(chat, known) : id;
    const timeline = chat.timeline(id);
    // It was read after all, when what was missed was: it can be written in, too.
    if (timeline.loaded && this.#failure && isPassing(this.#failure.code)) this.#failure = undefined;
    const group = known?.type !== "dm";
    if (!group && !this.#askedBlocks) this.#readBlocks();
    const count = this.#about.room?.memberCount ?? 0;
    this.#head.hidden = id === "";
    becomeAvatar(this.#avatar, title);
    this.#avatar.classList.toggle("person", !group);
    this.#name.textContent = title;
    const seen = group ? undefined : chat.presenceOf(chat.otherIn(id));
    this.#avatar.classList.toggle("online", seen?.online ?? false);
    this.#kind.textContent = group ? this.#present(chat) : seenText(seen, now) || "Direct message";
    const place = this.#about.room?.place;
    const where = place ? placeText(place, now) || coordinates(place) : "";
    if (this.#place.textContent !== where) this.#place.textContent = where;
    this.#membersButton.hidden = count === 0 || this.#failure !== undefined;
    within(this.#membersButton, "span", HTMLElement).textContent = counted(count, "member", "members");
    if (this.#membersDialog.isOpen) this.#showDetails();

    this.#typing.show(this.#failure ? [] : chat.typingIn(id).map((userId) => chat.labelOf(userId)));
    const note = this.#noteFor(chat, timeline);
    const { composer } = this.#writing;
    const [had, wasOpen] = [document.activeElement, composer.isOpen];
    if (id !== "" && !this.#failure) this.#writing.show(title, group, now);
    else composer.show("", title);
    this.#messages.visible = note === undefined;
    this.#searchButton.hidden = note !== undefined;
    this.#note.hidden = note === undefined;
    if (note && this.#note.textContent !== note.textContent) this.#note.replaceChildren(note);
    if (note === undefined) {
      this.#search.update(timeline.messages);
      this.#messages.show({
        ...timeline,
        // Before its history what was just written or came is all there is.
        hasOlder: timeline.hasOlder || !timeline.loaded,
        loadingOlder: this.#older.loading(id) || !timeline.loaded,
        me: this.#me,
        moderates: group && (this.#role === "owner" || this.#role === "moderator"),
        now,
        divider: this.#divider,
        nameOf: (userId) => chat.labelOf(userId),
        namesOf: (userId) => [chat.nameOf(userId), userId],
        readersOf: (message) => chat.readersOf(message),
        reactionsOf: (message) => chat.reactionsOf(message),
      });
    }
    // What goes from the screen hands its focus on: to why the room can't be shown, and back.
    if (this.#failure && composer.contains(had)) (note ? this.#note : byId("scroller", HTMLElement)).focus();
    else if (!wasOpen && composer.isOpen && this.#note.contains(had) && !TOUCH.matches) composer.focus();
  }

  /**
   * Some of those who are in the room, by name.
   * @param {Streamroom} chat
   */
  #present(chat) {
    const others = this.#about.members
      .filter((m) => m.userId !== this.#me)
      .slice(0, 8)
      .map((m) => isolated(chat.labelOf(m.userId)));
    return others.length > 0 ? `${others.join(", ")}, you` : "";
  }

  #showDetails() {
    const chat = this.#chat;
    const details = this.#about.room;
    if (!chat || !details) return;
    this.#membersDialog.show({ ...details, role: this.#role }, this.#about.members, {
      me: this.#me,
      title: titleOf(chat, chat.rooms.get(this.id) ?? details),
      more: details.cursor !== undefined,
      standingOf: (userId) => chat.standing(this.id, userId),
      isBlocked: (userId) => chat.isBlocked(userId),
      nameOf: (userId) => chat.nameOf(userId),
      labelOf: (userId) => chat.labelOf(userId),
      seenOf: (userId) => (userId === this.#me ? "" : seenText(chat.presenceOf(userId), Date.now())),
    });
  }

  /** @param {(chat: Streamroom) => Promise<void>} change of the room or its members */
  async #change(change) {
    if (this.#chat) await change(this.#chat);
    await this.#about.read();
  }

  /** @param {import("../../lib/streamroom.js").Upload} upload that went on, or ended */
  uploadChanged(upload) {
    this.#writing.composer.uploadChanged(upload);
  }

  /** @param {string} chatRoomId whose draft was changed in another tab */
  draftChanged(chatRoomId) {
    this.#writing.composer.draftChanged(chatRoomId);
  }

  /** How many files are attached to what was not sent yet. */
  get attached() {
    return this.#writing.composer.attached;
  }

  /** @param {Parameters<import("./reactions.js").Reacting["told"]>[1]} change someone reacted to a message */
  reacted(change) {
    this.#writing.reacting.told(this.id, change);
  }

  /** @param {string} messageId */
  #seen(messageId) {
    if (document.hidden || !this.id || this.#opening) return;
    if (!this.#keptUnread || !this.#chat?.unreadFrom(this.id)) this.#chat?.markRead(this.id, messageId);
  }

  /**
   * What stands in place of messages.
   * @param {Streamroom} chat
   * @param {ReturnType<Streamroom["timeline"]>} timeline
   */
  #noteFor(chat, timeline) {
    const known = {
      id: this.id,
      timeline,
      details: this.#about.room,
      members: this.#about.members,
      failure: this.#failure,
      local: this.#local,
    };
    return noteFor(chat, known, (id) => id === this.id && void this.open(id));
  }
}
