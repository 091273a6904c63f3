import { readFileSync } from 'node:fs'

/** The version in package.json, which lies two folders above src/cli and dist/cli alike. */
export const graftVersion: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
).version
