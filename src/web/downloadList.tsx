import { useState } from 'preact/hooks'
import { Problem } from './fields.tsx'
import { messageOf } from './hooks.ts'
import type { RemoteTrainer } from './remote.ts'
import { saveFile } from './saveFile.ts'
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

interface DownloadListProps {
  readonly trainer: RemoteTrainer
  /** Whether there is a network beside the images. */
  readonly trained: boolean
  readonly busy: boolean
  /** Saves images and network as one file, which the page opens again. */
  readonly onSave: () => Promise<void>
  readonly onDownload: () => void
}

/** The project, and the trained network in other programs' formats, as files. */
export function DownloadList(props: DownloadListProps) {
  const { trainer, trained, busy, onSave, onDownload } = props
  const [problem, setProblem] = useState<string>()
  const trying = async (work: () => Promise<void>) => {
    try {
      await work()
      setProblem(undefined)
    } catch (error) {
      setProblem(messageOf(error))
    }
  }
  const download = (format: Download) =>
    trying(async () => {
      const { name, blob } = await trainer.download(format)
      saveFile(name, blob)
      onDownload()
    })
  return (
    <>
      <ul class="downloads">
        <li>
          <button
            type="button"
            class={trained ? 'main' : undefined}
            disabled={busy}
            onClick={() => void trying(onSave)}
            aria-describedby="save-project"
          >
            Save the project
          </button>{' '}
          <span class="quiet" id="save-project">
            {trained ? 'images and network' : 'the images'} as one file on this machine; “Open a
            saved project” takes it
          </span>
        </li>
        {trained &&
          formats.map(({ format, name, text }) => (
            <li key={format}>
              <button
                type="button"
                disabled={busy}
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
    </>
  )
}
