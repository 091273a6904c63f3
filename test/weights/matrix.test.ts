import { expect, test } from 'vitest'
import { testEngine } from '../support/engine.ts'
import { pytorch } from '../support/pytorch.ts'
import { tryMatrix } from './matrix.ts'

test.skipIf(!pytorch)(
  'a sample of how PyTorch’s training scripts save AlexNets (skipped without python3-torch)',
  async () => {
    const { count, wrong } = await tryMatrix(await testEngine(), 'sample')
    expect(wrong).toEqual([])
    expect(count).toBeGreaterThan(100)
  },
  600_000,
)
