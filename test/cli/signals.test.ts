import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { exists, graft, Workplace } from './run.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
const signals = Object.keys(codes) as (keyof typeof codes)[]

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const quick = ['--weights', 'alexnet-64-tinyimagenet100'] as const

describe.skipIf(process.platform === 'win32')('signals', () => {
  test.each(signals)('%s keeps the last epoch of a training', async (signal) => {
    const run = place.path(signal)
    let sent = false
    const stopped = await graft(
      [
        'train',
        place.photos,
        ...quick,
        '--scenario',
        'small-similar',
        '--epochs',
        '5000',
        '--out',
        run,
        '--json',
      ],
      {
        onStdout: (text, kill) => {
          if (sent || !text.includes('"type":"epoch"')) return
          sent = true
          kill(signal)
        },
      },
    )
    expect([stopped.code, stopped.complaints]).toEqual([
      codes[signal],
      [expect.stringMatching(/stopped: epoch \d+ is kept in .* --resume' continues/)],
    ])
    expect(stopped.events().at(-1)).toMatchObject({ type: 'result', aborted: true })
    expect(await exists(join(run, 'weights.safetensors'))).toBe(true)
    expect((await readdir(run)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test.each(signals)('%s ends a command that keeps nothing, at once', async (signal) => {
    const web = await new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      const child = spawn(process.execPath, ['src/cli/graft.js', 'check', '--cases', '50'])
      child.stdout.once('data', () => child.kill(signal))
      child.on('close', (code, by) => resolve({ code, signal: by }))
    })
    expect(web).toEqual({ code: null, signal })
  })

  /** What the work may be doing when the signal arrives, or begin because of it. */
  const busy = {
    'a file that never opens': 'open(fifo).then(() => {}, () => {}); setInterval(() => {}, 1000)',
    'a file that never opens, at the end': 'open(fifo).then(() => {}, () => {}); ended = true',
    'an event loop that never turns again': 'for (;;);',
  }

  describe.each(Object.entries(busy))('%s', (_, work) => {
    test.each([
      ['SIGTERM', 'SIGTERM'],
      ['SIGINT', 'SIGINT'],
      ['SIGHUP', 'SIGHUP'],
      ['SIGTERM', 'SIGINT'],
      ['SIGINT', 'SIGHUP'],
    ] as const)('%s, then %s: the second ends the process', async (first, second) => {
      const folder = await mkdtemp(join(tmpdir(), 'graft-signals-'))
      const fifo = join(folder, 'fifo')
      spawnSync('mkfifo', [fifo])
      const program = `
        import { open } from 'node:fs/promises'
        import { Stop } from ${JSON.stringify(new URL('../../src/cli/interrupt.ts', import.meta.url).href)}
        const fifo = ${JSON.stringify(fifo)}
        let ended = false
        const stop = new Stop(() => process.stdout.write('stopping'))
        stop.signal.addEventListener('abort', () => { ${work} })
        process.stdout.write('ready')
        const until = setInterval(() => ended && clearInterval(until), 10)`
      const end = await new Promise<string | null>((resolve) => {
        const args = ['--import', 'tsx', '--input-type=module', '-e', program]
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
        child.stdout.on('data', (text) => {
          if (String(text) === 'ready') {
            // Twice, as from the terminal and from npm: one request.
            child.kill(first)
            child.kill(first)
          } else child.kill(second)
        })
        child.on('close', (_code, by) => resolve(by))
      })
      await rm(folder, { recursive: true })
      expect(end).toBe(second)
    })
  })

  test.each(signals)('%s closes a server, without a complaint', async (signal) => {
    let sent = false
    const served = await graft(['inspect', '--variant', 'alexnet-64', ...quick, '--serve'], {
      onStdout: (text, kill) => {
        if (sent || !/^open +http/m.test(text)) return
        sent = true
        kill(signal)
      },
    })
    expect([served.code, served.complaints]).toEqual([0, []])
  })
})
