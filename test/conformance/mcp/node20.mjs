/**
 * Lets the conformance suite, which is written for Node 22, load on Node 20: `fs.globSync` does not exist there.
 * The suite only needs it to look for client fixtures, which are not run here; calling it says so.
 */
import { register } from 'node:module';

const SHIM = `export * from 'node:fs'; export { default } from 'node:fs';
export function globSync() { throw new Error('fs.globSync needs Node 22'); }`;
const HOOKS = `const shim = 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(SHIM)});
export function resolve(specifier, context, next) {
  const ofSuite = context.parentURL?.includes('/@modelcontextprotocol/conformance/') === true;
  return ofSuite && specifier === 'fs' ? { url: shim, shortCircuit: true } : next(specifier, context);
}`;

const [major] = process.versions.node.split('.').map(Number);
if (major < 22) register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
