// Runs the tests of the library in Node.js: node web/testdata/run.js

import "./all.js";

const { results } = globalThis;
const failed = results.filter(({ problem }) => problem);
for (const { name, problem } of failed) console.error(`${name}\n${problem}\n`);
console.log(`${results.length - failed.length} of ${results.length} tests passed`);
process.exitCode = failed.length > 0 || results.length === 0 ? 1 : 0;
