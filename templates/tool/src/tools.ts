/** What a worker runs: the default export is an array of tools. */
import { countWords } from './count-words.js';

export default [countWords];
