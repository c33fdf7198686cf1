/**
 * The tools of the recovery tests: small ones that count, and those that leave steps, checkpoints and questions behind.
 */
import durable from '../support/durable-tools.mjs';
import plain from '../support/fixture-tools.mjs';

export default [...plain, ...durable];
