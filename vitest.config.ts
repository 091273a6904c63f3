import { defineConfig } from 'vitest/config'

// One worker, one process: every GPU test shares one engine, since several software adapters on two cores starve each other.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    isolate: false,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A page in a browser shares two cores with a software adapter: it may answer late.
    expect: { poll: { timeout: 30_000 } },
  },
})
