import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runFiles } from '../../src/base/runFiles.ts'
import { writingRun } from '../../src/cli/runWriter.ts'

test.each(Object.values(runFiles))(
  'a pipe in the place of %s is refused before a run is resumed, not written to for ever',
  async (name) => {
    const folder = await mkdtemp(join(tmpdir(), 'graft-writer-'))
    execFileSync('mkfifo', [join(folder, name)])
    const resumed = writingRun(folder, { resume: true }, async () => 'resumed')
    await expect(resumed).rejects.toThrow(`${join(folder, name)} is neither a file nor a folder`)
    await rm(folder, { recursive: true })
  },
)
