// What the tests need of a page.

/**
 * @param {string} name
 * @returns {Promise<object[]>} docs/vectors/{name}.json
 */
export const readVectors = async (name) => (await fetch(`/vectors/${name}.json`)).json();
