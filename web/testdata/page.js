// What the tests need of a page.

/** @returns {Promise<object[]>} docs/vectors/recovery.json */
export const readVectors = async () => (await fetch("/vectors/recovery.json")).json();
