import { useState } from 'preact/hooks'
import type { Download } from './contract.ts'
import { Problem } from './fields.tsx'
import type { RemoteTrainer } from './remote.ts'

const formats: readonly {
  readonly format: Download
  readonly name: string
  readonly text: string
}[] = [
  {
    format: 'run',
    name: 'Run folder (.zip)',
    text: 'unpacked, it is what graft predict, evaluate, report and inspect take',
  },
  {
    format: 'safetensors',
    name: 'safetensors',
    text: 'the weights, with class names and preprocessing',
  },
  { format: 'onnx', name: 'ONNX', text: 'the whole network, for ONNX Runtime and others' },
  { format: 'pytorch', name: 'PyTorch (.pth)', text: 'a state_dict with torchvision’s names' },
]

/** The trained network as files. */
export function Take({
  trainer,
  onTaken,
}: {
  readonly trainer: RemoteTrainer
  readonly onTaken: () => void
}) {
  const [problem, setProblem] = useState<string>()
  const take = async (format: Download) => {
    try {
      const { name, blob } = await trainer.download(format)
      save(name, blob)
      setProblem(undefined)
      onTaken()
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    }
  }
  return (
    <section aria-labelledby="take">
      <h3 id="take">Take it with you</h3>
      <ul class="downloads">
        {formats.map(({ format, name, text }) => (
          <li key={format}>
            <button
              type="button"
              onClick={() => void take(format)}
              aria-describedby={`take-${format}`}
            >
              {name}
            </button>{' '}
            <span class="quiet" id={`take-${format}`}>
              {text}
            </span>
          </li>
        ))}
      </ul>
      {problem && <Problem>{problem}</Problem>}
    </section>
  )
}

/** How long a download may take to begin, in milliseconds; its address is let go then. */
const patience = 60_000

function save(name: string, blob: Blob): void {
  const address = URL.createObjectURL(blob)
  const link = Object.assign(document.createElement('a'), { href: address, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), patience)
}
