/** `BATCH_ROOT=/data npx taskstream up --tools examples/dist/batch/tools.js` */
import { batchTool } from './batch.js';

export default [batchTool({ root: process.env['BATCH_ROOT'] ?? '.' })];
