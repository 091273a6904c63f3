import { existsSync } from 'node:fs'

const usual = [
  process.env.GRAFT_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** A Chromium that is installed here, or null; GRAFT_CHROMIUM names another. Nothing is downloaded for a test. */
export const chromium: string | null = usual.find((path): path is string => path !== undefined && existsSync(path)) ?? null
