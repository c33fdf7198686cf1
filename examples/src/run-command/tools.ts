/**
 * `npx taskstream up --tools examples/dist/run-command/tools.js` with the commands in the environment:
 * `RUN_COMMANDS='{"test":["npm","test"],"build":["npm","run","build"]}'`, and `RUN_COMMANDS_IN` for their folder.
 */
import { runCommandTool } from './run-command.js';

const { RUN_COMMANDS: commands, RUN_COMMANDS_IN: workingDirectory } = process.env;

export default [
  runCommandTool({
    commands: JSON.parse(commands ?? '{"node-version":["node","--version"]}') as Record<string, string[]>,
    ...(workingDirectory !== undefined && { workingDirectory }),
  }),
];
