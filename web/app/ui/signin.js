// Signing in, and staying signed in within a tab: two tabs may be two people.

import { failureOf } from "../../lib/api.js";
import { Failure } from "../../lib/streamroom.js";
import { tabStore } from "../tabstore.js";
import { byId, within } from "./dom.js";
import { describe } from "./words.js";

const KEY = "streamroom.user";
/** The server's limit on a name, in bytes. */
const MAX_NAME = 128;

/** Who this tab is signed in as; empty when no one is. */
export function rememberedUser() {
  return tabStore.getItem(KEY) ?? "";
}

/** @param {string} user empty to forget */
export function remember(user) {
  if (user) tabStore.setItem(KEY, user);
  else tabStore.removeItem(KEY);
}

/**
 * Gets a token by name alone.
 * @param {string} tokenURL
 * @param {string} user
 * @returns {Promise<string>}
 */
export async function localToken(tokenURL, user) {
  let response;
  try {
    response = await fetch(tokenURL, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user }),
      credentials: "omit",
    });
  } catch (err) {
    throw Failure.ofFetch(err);
  }
  if (!response.ok) {
    const failure = await failureOf(response);
    // This name won't do: asking again changes nothing.
    if (response.status < 500 && response.status !== 429) throw new Failure("unauthorized", failure.message, failure);
    throw failure;
  }
  const { token } = await response.json();
  return token;
}

/** Everyone, by name alone: the local server's way. */
export class AnyName {
  /** @type {"name"} */
  asks = "name";
  #tokenURL;

  /** @param {string} tokenURL */
  constructor(tokenURL) {
    this.#tokenURL = tokenURL;
  }

  /**
   * @param {string} user
   * @returns {Promise<{user: string, token: () => Promise<string>}>}
   */
  async signIn(user) {
    let first = await localToken(this.#tokenURL, user);
    return {
      user,
      token: async () => {
        const token = first || (await localToken(this.#tokenURL, user));
        first = "";
        return token;
      },
    };
  }

  /** @param {string} user */
  resume(user) {
    return () => localToken(this.#tokenURL, user);
  }

  forget() {}
}

/** The form that asks for a name, and for a password where there is one. */
export class SignIn {
  #root = byId("signin", HTMLElement);
  #form = within(this.#root, "form", HTMLFormElement);
  #name = byId("signin-name", HTMLInputElement);
  #password = byId("signin-password", HTMLInputElement);
  #problem = byId("signin-error", HTMLElement);
  #submit = within(this.#root, "button", HTMLButtonElement);
  #asks;

  /**
   * @param {"name"|"password"|"page"} asks for a name, for a password as well, or on a page of its own
   * @param {(user: string, password: string) => Promise<void>} signIn rejects with a Failure that is shown
   */
  constructor(asks, signIn) {
    this.#asks = asks;
    byId("signin-name-field", HTMLElement).hidden = asks === "page";
    byId("signin-password-field", HTMLElement).hidden = asks !== "password";
    byId("signin-hint", HTMLElement).hidden = asks !== "name";
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const user = this.#name.value.trim();
      const password = this.#password.value;
      const wrong =
        asks === "page" ? "" : problemWith(user) || (asks === "password" && !password ? "Type your password." : "");
      this.#say(wrong);
      if (wrong || this.#submit.disabled) return;
      this.#submit.disabled = true;
      try {
        await signIn(user, password);
        this.#password.value = "";
      } catch (err) {
        const failure = Failure.from(err);
        this.#say(failure.code === "unauthorized" ? failure.message : describe(failure));
      } finally {
        this.#submit.disabled = false;
      }
    });
  }

  /** @param {string} [problem] why it is shown again */
  show(problem = "") {
    this.#root.hidden = false;
    this.#say(problem);
    (this.#asks === "page" ? this.#submit : this.#name).focus();
  }

  /**
   * Shows a problem that no name will solve.
   * @param {string} problem
   */
  refuse(problem) {
    this.show(problem);
    this.#name.disabled = this.#submit.disabled = true;
  }

  hide() {
    this.#root.hidden = true;
  }

  /** @param {string} problem */
  #say(problem) {
    this.#problem.textContent = problem;
    this.#name.setAttribute("aria-invalid", String(problem !== ""));
    if (problem && this.#asks !== "page") this.#name.focus();
  }
}

/**
 * @param {string} user
 * @returns {string} empty when the name will do
 */
function problemWith(user) {
  if (!user) return "Type a name first.";
  if (/[\p{Cc}#]/u.test(user)) return "A name can’t have # or control characters in it.";
  if (new TextEncoder().encode(user).length > MAX_NAME) return "That name is too long.";
  return "";
}
