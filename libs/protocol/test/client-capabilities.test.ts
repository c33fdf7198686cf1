import { describe, expect, it } from 'vitest';
import { lackingCapability } from '../src/client-capabilities.js';

const form = { method: 'elicitation/create', params: { mode: 'form', message: 'm' } };
const bare = { method: 'elicitation/create', params: { message: 'm' } };
const url = { method: 'elicitation/create', params: { mode: 'url', url: 'https://example.com' } };
const sampling = { method: 'sampling/createMessage', params: { messages: [] } };
const withTools = { method: 'sampling/createMessage', params: { messages: [], tools: [] } };
const roots = { method: 'roots/list' };

describe('what a client must have declared before it is asked', () => {
  it.each([
    [form, {}, { elicitation: {} }],
    [form, { elicitation: {} }, undefined],
    [bare, { elicitation: {} }, undefined],
    [form, { elicitation: { form: {} } }, undefined],
    [form, { elicitation: { form: {}, url: {} } }, undefined],
    [form, { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    [form, { elicitation: true }, { elicitation: {} }],
    [url, {}, { elicitation: { url: {} } }],
    [url, { elicitation: {} }, { elicitation: { url: {} } }],
    [url, { elicitation: { form: {} } }, { elicitation: { url: {} } }],
    [url, { elicitation: { url: {} } }, undefined],
    [sampling, {}, { sampling: {} }],
    [sampling, { sampling: {} }, undefined],
    [withTools, { sampling: {} }, { sampling: { tools: {} } }],
    [withTools, { sampling: { tools: {} } }, undefined],
    [roots, {}, { roots: {} }],
    [roots, { roots: { listChanged: true } }, undefined],
    [{ method: 'other/thing' }, { elicitation: {} }, { 'other/thing': {} }],
  ])('%j of a client with %j: %j', (request, capabilities, lacking) => {
    expect(lackingCapability(request, capabilities)).toEqual(lacking);
  });
});
