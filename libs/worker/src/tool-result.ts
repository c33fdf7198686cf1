/**
 * What a tool gives back, in the shape of MCP.
 */

/** One block of a tool's result, as MCP defines them; passed on as it is. */
export type ContentBlock = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A `CallToolResult`. */
export interface ToolResult {
  readonly content: ReadonlyArray<ContentBlock>;
  readonly structuredContent?: Readonly<Record<string, unknown>>;
  readonly isError?: boolean;
}
