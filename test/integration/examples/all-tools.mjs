/** The tools of all examples in one worker. */
import agent from '../../../examples/dist/agent/tools.js';
import batch from '../../../examples/dist/batch/tools.js';
import runCommand from '../../../examples/dist/run-command/tools.js';

export default [...agent, ...batch, ...runCommand];
