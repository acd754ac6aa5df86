import { run } from "./check.js";
import "./unit.js";
import "./liveness.js";
import "./outbox.js";
import "./photo.js";
import "./elsewhere.js";
import "./attachments.js";
import "./rooms.js";
import "./text.js";
import "./parts.js";
import "./typing.js";
import { addLists } from "./lists.js";
import { addReads, addVectors } from "./vectors.js";

const { readVectors } = await import(typeof window === "undefined" ? "./node.js" : "./page.js");
addVectors(await readVectors("recovery"));
addLists(await readVectors("lists"));
addReads(await readVectors("reads"));
await run();
