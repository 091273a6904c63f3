/** What the page is given when it is bundled, in place of these names. */
declare const GRAFT_VERSION: string
declare const GRAFT_REFERENCES: Readonly<Record<string, string>>

export const version = GRAFT_VERSION

/**
 * The float64 references in TypeScript, by their files' names, which are the operators' where there
 * is one.
 */
export const references = GRAFT_REFERENCES
