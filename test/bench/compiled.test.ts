import { expect, test } from 'vitest'
import { readLog } from '../../bench/compiled/driverLog.ts'
import { page, spills } from '../../bench/compiled/page.ts'
import type { Plan } from '../../bench/compiled/plan.ts'
import { resultsOf } from '../../bench/compiled/run.ts'

const statistics = (vgprs: number, spilled: number, inverse: number) => `
*** SHADER STATS ***
SGPRs: 108
VGPRs: ${vgprs}
Spilled SGPRs: 0
Spilled VGPRs: ${spilled}
Code size: 100
LDS size: 512
Scratch size: 0
Subgroups per SIMD: 12
Instructions: 9
Latency: 900
Inverse Throughput: ${inverse}
VALU: 5
SALU: 2
********************
`
const code = `
disasm:
BB0:
	v_fma_f32 v9, v1, v2, v3                                    ; 00000000
BB1:
	s_cmp_eq_i32 s1, 0                                          ; 00000000
BB2:
	ds_load_b128 v[0:3], v8 offset:16                           ; 00000000 00000000
	v_dual_fmac_f32 v4, v0, v1 :: v_dual_fmac_f32 v5, v2, v3    ; 00000000 00000000
	v_fmac_f32_e32 v6, v0, v2                                   ; 00000000
	v_fmac_f32_e32 v7, v0, v3                                   ; 00000000
	s_cbranch_scc0 BB2                                          ; 00000000
	s_branch BB1                                                ; 00000000
`
const log = `what Dawn says first
@@graft 0
${code}${statistics(96, 0, 514)}
@@graft 1
${statistics(24, 3, 7)}
@@graft 2

@!graft does not compile
`

test('a loop is told by the branch back to it, and pairs are two operations', () => {
  const first = readLog(log).get(0)
  expect(first).toMatchObject({
    vgprs: 96,
    spilled: 0,
    sharedBytes: 512,
    waves: 12,
    // one before the loops, and four in two loops of eight turns
    cyclesPerMultiplyAdd: 514 / (1 + 4 * 64),
    loop: {
      instructions: 5,
      multiplyAdds: 4,
      dualIssued: 2,
      share: 4 / 6,
      sharedBytesPerMultiplyAdd: 4,
    },
  })
})

test('what spills, what does not compile and what is not reached are told apart', () => {
  const pipeline = { name: 'contract/block', constants: { ROWS: 128 } }
  const plan: Plan = {
    adapter: 'a GPU that is not there',
    pipelines: Array.from({ length: 4 }, () => pipeline),
    steps: [{ name: 'alexnet-64 8', dispatches: 9, pipelines: [0, 1, 2, 3] }],
    products: [{ name: 'GEMM 1024', dispatches: 1, pipelines: [0] }],
  }
  const results = resultsOf('navi31', {
    stdout: `${JSON.stringify(plan)}\n`,
    stderr: log,
    status: 'SIGSEGV',
  })
  expect(results.pipelines.map(spills)).toEqual([false, true, false, false])
  expect(results.pipelines.map(({ error }) => error)).toEqual([
    undefined,
    undefined,
    'does not compile',
    'was not reached: the compiler ended with SIGSEGV',
  ])
  const text = page(results)
  expect(text).toContain('4 pipelines; 1 spill, 2 failed to compile.')
  expect(text).toMatch(/^\| GEMM 1024 \| .* \| 67 % \| 50 % \| 4\.00 \| 514 \| 2\.00 \|/m)
})

test('an adapter that cannot be opened is an error with the last line of why', () => {
  const outcome = { stdout: '', stderr: 'first\nno hardware adapter', status: 1 }
  expect(() => resultsOf('vega10', outcome)).toThrow(/vega10 .*: no hardware adapter/)
})
