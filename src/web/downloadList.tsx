import { useState } from 'preact/hooks'
import { Problem } from './fields.tsx'
import { messageOf } from './hooks.ts'
import type { RemoteTrainer } from './remote.ts'
import type { Download } from './workerApi.ts'

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
export function DownloadList({
  trainer,
  onDownload,
}: {
  readonly trainer: RemoteTrainer
  readonly onDownload: () => void
}) {
  const [problem, setProblem] = useState<string>()
  const download = async (format: Download) => {
    try {
      const { name, blob } = await trainer.download(format)
      save(name, blob)
      setProblem(undefined)
      onDownload()
    } catch (error) {
      setProblem(messageOf(error))
    }
  }
  return (
    <section aria-labelledby="downloads">
      <h3 id="downloads">Download it</h3>
      <ul class="downloads">
        {formats.map(({ format, name, text }) => (
          <li key={format}>
            <button
              type="button"
              onClick={() => void download(format)}
              aria-describedby={`download-${format}`}
            >
              {name}
            </button>{' '}
            <span class="quiet" id={`download-${format}`}>
              {text}
            </span>
          </li>
        ))}
      </ul>
      {problem && <Problem>{problem}</Problem>}
    </section>
  )
}

/** Milliseconds after which the download has certainly begun, and its object URL is released. */
const releaseAfter = 60_000

function save(name: string, blob: Blob): void {
  const address = URL.createObjectURL(blob)
  const link = Object.assign(document.createElement('a'), { href: address, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), releaseAfter)
}
