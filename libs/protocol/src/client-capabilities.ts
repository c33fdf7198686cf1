/**
 * Which capability a client must have declared before it may be asked. 2026-07-28 and 2025-11-25: elicitation, sampling,
 * roots.
 *
 * Invariant: an empty `elicitation` means forms; a mode or a feature that is named must be declared by its name.
 */
type Capabilities = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Capabilities =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is missing, in the form of `requiredCapabilities`, such as `{elicitation: {url: {}}}`; undefined when nothing is. */
export function lackingCapability(
  request: { readonly method: string; readonly params?: Readonly<Record<string, unknown>> | undefined },
  capabilities: Capabilities,
): Capabilities | undefined {
  const { method, params = {} } = request;
  switch (method) {
    case 'elicitation/create': {
      const declared = capabilities['elicitation'];
      if (params['mode'] === 'url') return has(declared, 'url') ? undefined : { elicitation: { url: {} } };
      const forms = isObject(declared) && (declared['form'] !== undefined || declared['url'] === undefined);
      return forms ? undefined : { elicitation: isObject(declared) ? { form: {} } : {} };
    }
    case 'sampling/createMessage': {
      const declared = capabilities['sampling'];
      if (params['tools'] !== undefined) return has(declared, 'tools') ? undefined : { sampling: { tools: {} } };
      return isObject(declared) ? undefined : { sampling: {} };
    }
    case 'roots/list':
      return isObject(capabilities['roots']) ? undefined : { roots: {} };
    default:
      return { [method]: {} };
  }
}

function has(declared: unknown, feature: string): boolean {
  return isObject(declared) && declared[feature] !== undefined;
}
