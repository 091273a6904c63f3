import type { NoEngine } from './hooks.ts'

/** Shown instead of the whole page where nothing can be computed. */
export function NoGpu({ problem, noGpu }: NoEngine) {
  if (!noGpu)
    return (
      <main class="nogpu">
        <div role="alert">
          <h1>Graft could not be started</h1>
          <p>{problem}</p>
        </div>
      </main>
    )
  return (
    <main class="nogpu">
      <div role="alert">
        <h1>Graft needs WebGPU, which this browser does not offer here</h1>
        <p>Training runs on your own graphics hardware, through WebGPU. To get it:</p>
        <ul>
          {!globalThis.isSecureContext && (
            <li>
              <strong>Open this page by https, or from localhost.</strong> Browsers do not offer
              WebGPU to pages loaded over plain http.
            </li>
          )}
          <li>
            Chrome or Edge 113 and newer have it on Windows, macOS and ChromeOS, from 121 on Android
            too.
          </li>
          <li>
            On Linux, start Chrome with <code>--enable-unsafe-webgpu --enable-features=Vulkan</code>
            , or enable <code>chrome://flags/#enable-unsafe-webgpu</code>.
          </li>
          <li>
            Safari has it from version 26, Firefox from 141 on Windows and 145 on macOS with Apple
            silicon.
          </li>
          <li>
            If your browser is one of these: check that hardware acceleration is on in its settings,
            and that <code>chrome://gpu</code> lists WebGPU as enabled.
          </li>
        </ul>
        <p>
          Without a GPU at all, Graft runs in Node on the CPU:{' '}
          <code>npx graft-webgpu train photos</code>.
        </p>
        <p class="quiet">The browser says: {problem.split(';')[0]}.</p>
      </div>
    </main>
  )
}
