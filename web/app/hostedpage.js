// The people of a Cognito user pool, who sign in on the pool's own page: the
// authorization code flow with PKCE (RFC 7636). A password is never typed here,
// and second factors and forgotten passwords are that page's business.

import { Failure } from "../lib/failure.js";
import { claimsOf } from "../lib/token.js";
import { tabStore } from "./tabstore.js";

/** Where the refresh token is kept, and what was begun before going to the page: for this tab only. */
const KEY = "streamroom.refresh";
const BEGUN = "streamroom.signin";
const ANSWER_WITHIN = 10_000;

/**
 * @typedef {object} Tokens
 * @property {string} access_token
 * @property {string} [refresh_token]
 */

export class HostedPage {
  /** @type {"page"} */
  asks = "page";
  #url;
  #clientId;
  #userClaim;
  /** Where the pool's page comes back to: this page, as it is registered with the pool. */
  #here = new URL(".", location.href).href;

  /**
   * @param {object} config
   * @param {string} config.signInURL the pool's domain
   * @param {string} config.clientId the pool's app client
   * @param {string} [config.userClaim] the claim that is the user id
   */
  constructor({ signInURL, clientId, userClaim = "username" }) {
    this.#url = signInURL.replace(/\/+$/, "");
    this.#clientId = clientId;
    this.#userClaim = userClaim;
  }

  /**
   * Goes to the pool's page.
   * @returns {Promise<never>} rejects with a Failure where that can't be done, or for a user who is still here, or back
   */
  async signIn() {
    if (!crypto.subtle) throw new Failure("unauthorized", "Signing in needs https.");
    if (!tabStore.lasts)
      throw new Failure("unauthorized", "Signing in needs the browser’s storage. Allow this site to keep data.");
    const verifier = random();
    const state = random();
    const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    tabStore.setItem(BEGUN, JSON.stringify({ verifier, state, hash: location.hash }));
    location.assign(
      `${this.#url}/oauth2/authorize?${new URLSearchParams({
        response_type: "code",
        client_id: this.#clientId,
        redirect_uri: this.#here,
        scope: "openid",
        state,
        code_challenge: base64URL(new Uint8Array(challenge)),
        code_challenge_method: "S256",
      })}`,
    );
    // The page is on its way out. A browser that goes back may show it as it was left; one
    // that was stopped stays.
    return new Promise((_, reject) => {
      const again = () => reject(new Failure("unauthorized", ""));
      window.addEventListener("pageshow", again, { once: true });
      setTimeout(again, ANSWER_WITHIN);
    });
  }

  /**
   * Takes up a visitor who comes back from the pool's page.
   * @returns {Promise<{user: string, token: () => Promise<string>}|undefined>} undefined for others; rejects with a Failure
   */
  async arrive() {
    const answer = new URLSearchParams(location.search);
    const begun = JSON.parse(tabStore.getItem(BEGUN) ?? "null");
    tabStore.removeItem(BEGUN);
    if (!answer.has("code") && !answer.has("error")) return undefined;
    // A code is good for one use: a reload must not try it again.
    history.replaceState(null, "", location.pathname + (begun?.hash ?? ""));
    if (!begun || answer.get("state") !== begun.state)
      throw new Failure("unauthorized", "That sign-in was not begun here. Sign in again.");
    const error = answer.get("error");
    if (error) throw new Failure("unauthorized", answer.get("error_description") ?? "The sign-in was not accepted.");
    const tokens = await this.#ask({
      grant_type: "authorization_code",
      code: answer.get("code") ?? "",
      redirect_uri: this.#here,
      code_verifier: begun.verifier,
    });
    tabStore.setItem(KEY, tokens.refresh_token ?? "");
    let first = tokens.access_token;
    return {
      user: String(claimsOf(first)[this.#userClaim] ?? ""),
      token: async () => {
        const token = first || (await this.#renew());
        first = "";
        return token;
      },
    };
  }

  /** Tokens for the user who signed in before, in this tab. */
  resume() {
    return () => this.#renew();
  }

  /** @param {boolean} everywhere signs out at the pool, too, or its page would sign the same user in again */
  forget(everywhere) {
    const token = tabStore.getItem(KEY);
    tabStore.removeItem(KEY);
    if (!everywhere) return;
    if (token) {
      fetch(`${this.#url}/oauth2/revoke`, {
        method: "POST",
        body: new URLSearchParams({ token, client_id: this.#clientId }),
        credentials: "omit",
        keepalive: true,
      }).catch(() => {}); // it ends by itself
    }
    location.assign(
      `${this.#url}/logout?${new URLSearchParams({ client_id: this.#clientId, logout_uri: this.#here })}`,
    );
  }

  async #renew() {
    const token = tabStore.getItem(KEY);
    if (!token) throw new Failure("unauthorized", "Sign in again.");
    const tokens = await this.#ask({ grant_type: "refresh_token", refresh_token: token });
    // A pool that rotates them gives another.
    if (tokens.refresh_token) tabStore.setItem(KEY, tokens.refresh_token);
    return tokens.access_token;
  }

  /**
   * @param {Record<string, string>} grant
   * @returns {Promise<Tokens>}
   */
  async #ask(grant) {
    let response;
    let tokens;
    try {
      response = await fetch(`${this.#url}/oauth2/token`, {
        method: "POST",
        body: new URLSearchParams({ ...grant, client_id: this.#clientId }),
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_WITHIN),
      });
      tokens = await response.json();
    } catch (err) {
      if (!response) throw Failure.ofFetch(err);
      throw new Failure("unavailable", `The sign-in service answered ${response.status}.`, {
        status: response.status,
        cause: err,
      });
    }
    if (response.status === 429) throw new Failure("rate_limited", "Too many requests.", { status: 429 });
    if (response.status >= 500)
      throw new Failure("unavailable", `The sign-in service answered ${response.status}.`, { status: response.status });
    if (!response.ok || typeof tokens?.access_token !== "string")
      throw new Failure("unauthorized", "You have been signed out. Sign in again.", { status: response.status });
    return tokens;
  }
}

/** 43 characters that no one can guess. */
const random = () => base64URL(crypto.getRandomValues(new Uint8Array(32)));

/** @param {Uint8Array} bytes */
function base64URL(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
