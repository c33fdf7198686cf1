/**
 * `npx taskstream up --tools examples/dist/agent/tools.js` runs the demonstration. With a model:
 * `AGENT_MODEL_URL=https://api.openai.com/v1 AGENT_MODEL=gpt-5-mini AGENT_MODEL_KEY=… npx taskstream up --tools …`
 */
import { agentTool } from './agent.js';
import { openAiModel } from './openai-model.js';
import { DEMONSTRATION, scriptedModel } from './scripted-model.js';

const { AGENT_MODEL_URL: baseUrl, AGENT_MODEL: model = 'default', AGENT_MODEL_KEY: apiKey } = process.env;

export default [
  agentTool(
    baseUrl === undefined
      ? scriptedModel(DEMONSTRATION)
      : openAiModel({ baseUrl, model, ...(apiKey !== undefined && { apiKey }) }),
  ),
];
