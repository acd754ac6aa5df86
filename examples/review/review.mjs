// Reviews messages: it refuses links to one site, and hides one word. As a Lambda function
// its handler is `review.handler`; here it is a server:
//
//   node examples/review/review.mjs
//   go run ./cmd/streamroom local --review http://127.0.0.1:9000/
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

export async function handler({ content }) {
  if (content.includes("https://spam.example")) return { action: "deny", reason: "no links to spam.example" };
  const hidden = content.replaceAll(/\bdarn\b/gi, "****");
  return hidden === content ? { action: "allow" } : { action: "replace", content: hidden };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const server = createServer(async (request, response) =>
    response.end(JSON.stringify(await handler(await json(request)))),
  );
  server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () =>
    console.log(`http://127.0.0.1:${server.address().port}/`),
  );
}
