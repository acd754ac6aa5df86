// The people of a Cognito user pool, who sign in by name and password, on this
// page: for a pool without a page of its own.

import { Failure } from "../lib/failure.js";
import { claimsOf } from "../lib/token.js";
import { tabStore } from "./tabstore.js";

const KEY = "streamroom.refresh";
const ANSWER_WITHIN = 10_000;

export class UserPool {
  /** @type {"password"} */
  asks = "password";
  #endpoint;
  #clientId;
  #userClaim;

  /**
   * @param {object} config
   * @param {string} config.tokenURL Cognito's endpoint
   * @param {string} [config.clientId] the pool's app client
   * @param {string} [config.userClaim] the claim that is the user id
   */
  constructor({ tokenURL, clientId, userClaim = "username" }) {
    this.#endpoint = tokenURL;
    this.#clientId = clientId;
    this.#userClaim = userClaim;
  }

  /**
   * @param {string} name
   * @param {string} password
   * @returns {Promise<{user: string, token: () => Promise<string>}>} rejects with a Failure
   */
  async signIn(name, password) {
    const { AccessToken: token, RefreshToken: refresh } = await this.#ask("USER_PASSWORD_AUTH", {
      USERNAME: name,
      PASSWORD: password,
    });
    tabStore.setItem(KEY, refresh ?? "");
    let first = token;
    return {
      user: String(claimsOf(token)[this.#userClaim] ?? name), // as the pool spells it
      token: async () => {
        const current = first || (await this.#renew());
        first = "";
        return current;
      },
    };
  }

  /** Tokens for the user who signed in before, in this tab. */
  resume() {
    return () => this.#renew();
  }

  forget() {
    tabStore.removeItem(KEY);
  }

  async #renew() {
    const refresh = tabStore.getItem(KEY);
    if (!refresh) throw new Failure("unauthorized", "Sign in again.");
    try {
      return (await this.#ask("REFRESH_TOKEN_AUTH", { REFRESH_TOKEN: refresh })).AccessToken;
    } catch (err) {
      const failure = Failure.from(err);
      if (failure.code !== "unauthorized") throw failure;
      throw new Failure("unauthorized", "You have been signed out. Sign in again.", { cause: err });
    }
  }

  /**
   * @param {string} flow
   * @param {Record<string, string>} parameters
   * @returns {Promise<{AccessToken: string, RefreshToken?: string}>}
   */
  async #ask(flow, parameters) {
    let response;
    let answer;
    try {
      response = await fetch(this.#endpoint, {
        method: "POST",
        headers: {
          "Content-Type": "application/x-amz-json-1.1",
          "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
        },
        body: JSON.stringify({ AuthFlow: flow, ClientId: this.#clientId, AuthParameters: parameters }),
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_WITHIN),
      });
      answer = await response.json();
    } catch (err) {
      if (response)
        throw new Failure("unavailable", `The server answered ${response.status}.`, {
          status: response.status,
          cause: err,
        });
      throw Failure.ofFetch(err);
    }
    if (!response.ok) throw refusal(response.status, answer);
    if (!answer.AuthenticationResult) {
      throw new Failure(
        "unauthorized",
        "This account needs a new password or a second factor first, which this page can’t ask for.",
      );
    }
    return answer.AuthenticationResult;
  }
}

/**
 * @param {number} status
 * @param {{__type?: string, message?: string}} answer
 */
function refusal(status, { __type = "", message = "" }) {
  if (status === 429 || __type.includes("TooManyRequests"))
    return new Failure("rate_limited", "Too many requests.", { status });
  if (status >= 500) return new Failure("unavailable", `The server answered ${status}.`, { status });
  return new Failure("unauthorized", message || "The sign-in was not accepted.", { status });
}
