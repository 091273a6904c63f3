import { useEffect, useRef, useState } from 'preact/hooks'
import { counted, thousands } from '../base/format.ts'
import { printable } from '../base/printable.ts'
import type { ImageDataset } from '../data/dataset.ts'
import { ClassCards } from './classCards.tsx'
import { FileButton, Problem } from './fields.tsx'
import { messageOf } from './hooks.ts'
import { addClass, emptyProject, freeName, type Project, projectOf } from './project.ts'
import { bringsFiles, type Selection, selectionFrom } from './selection.ts'
import { CameraView, useWebcam } from './webcam.tsx'

interface ImagesProps {
  readonly project: Project
  /** The dataset of the project, or what it lacks. */
  readonly data: ImageDataset | string
  /** Takes other classes and images in place of these. */
  readonly onProject: (project: Project) => void
  readonly onEdit: (edit: (project: Project) => Project) => void
  readonly onSamples: () => Promise<void>
  readonly onOpenFile: (file: File) => Promise<void>
  readonly busy: boolean
}

/** Where images come from, and the classes that they are in. */
export function Images({
  project,
  data,
  onProject,
  onEdit,
  onSamples,
  onOpenFile,
  busy,
}: ImagesProps) {
  const [over, setOver] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const camera = useWebcam()
  const video = useRef<HTMLVideoElement | null>(null)
  const begun = project.classes.length > 0
  const replace = async (next: Project | string) => {
    if (typeof next === 'string') setProblem(next)
    else if (!begun || confirm('The classes and images on this page will be replaced. Go on?')) {
      setProblem(null)
      onProject(next)
    }
  }
  const trying = async (work: () => Promise<void>) => {
    setProblem(null)
    await work().catch((error: unknown) => setProblem(messageOf(error)))
  }
  const take = (event: Event) =>
    void trying(async () => {
      const selection = await selectionFrom(event)
      const saved = savedFile(selection)
      if (saved) await onOpenFile(saved)
      else await replace(projectOf(selection))
    })
  useEffect(() => {
    // Anywhere on the page: outside the frame, the browser would open the dropped image.
    const onDrag = (event: DragEvent) => {
      event.preventDefault()
      setOver(event.type === 'dragover')
    }
    const onDrop = (event: DragEvent) => {
      // A class's card has taken it for itself.
      const taken = event.defaultPrevented
      onDrag(event)
      if (!taken && !busy && bringsFiles(event)) take(event)
    }
    document.addEventListener('dragover', onDrag)
    document.addEventListener('dragleave', onDrag)
    document.addEventListener('drop', onDrop)
    return () => {
      document.removeEventListener('dragover', onDrag)
      document.removeEventListener('dragleave', onDrag)
      document.removeEventListener('drop', onDrop)
    }
  })
  const openCamera = async () => {
    if (!begun) onProject(['class 1', 'class 2'].reduce(addClass, emptyProject))
    await camera.open()
  }
  return (
    <section aria-labelledby="images">
      <h2 id="images">
        <span class="step">1</span> Collect images
      </h2>
      <div class={`drop${over ? ' over' : ''}${begun ? ' small' : ''}`}>
        {busy ? (
          <p>Images can be changed after the training.</p>
        ) : (
          <>
            {!begun && (
              <p>
                <button
                  type="button"
                  class="main"
                  aria-describedby="samples-note"
                  onClick={() => void trying(onSamples)}
                >
                  Try it with sample images
                </button>
              </p>
            )}
            <p class="choices">
              {camera.stream ? (
                <button type="button" onClick={camera.close}>
                  Turn the webcam off
                </button>
              ) : (
                <button type="button" onClick={() => void openCamera()}>
                  Use the webcam
                </button>
              )}
              <FileButton folder onFiles={take}>
                {begun ? 'Choose another folder' : 'Choose a folder'}
              </FileButton>
              <FileButton
                accept=".zip"
                onFiles={({ currentTarget: { files } }) => {
                  const file = files?.item(0)
                  if (file) void trying(() => onOpenFile(file))
                }}
              >
                Open a saved project
              </FileButton>
              {!begun && (
                <button
                  type="button"
                  onClick={() => onProject(['class 1', 'class 2'].reduce(addClass, emptyProject))}
                >
                  Start with empty classes
                </button>
              )}
            </p>
            {!begun && <p>Or drop a folder or a saved project anywhere on this page.</p>}
          </>
        )}
      </div>
      {camera.problem && <Problem>{camera.problem}</Problem>}
      {problem && <Problem>{problem}</Problem>}
      {!begun && <Layouts />}
      {camera.stream && !busy && (
        <div class="recorder">
          <CameraView stream={camera.stream} video={video} />
          <p>
            Show the camera the first thing, and hold the button of its class. Turn it and move it
            meanwhile: different images teach more. Then the next class.
          </p>
        </div>
      )}
      {begun && (
        <>
          {typeof data !== 'string' && <Found project={project} data={data} />}
          <PassedOver passedOver={project.passedOver} />
          <ClassCards
            project={project}
            data={data}
            onEdit={onEdit}
            busy={busy}
            video={camera.stream ? video : null}
          />
          {!busy && (
            <p>
              <button
                type="button"
                onClick={() => onEdit((before) => addClass(before, freeName(before)))}
              >
                Add a class
              </button>
            </p>
          )}
        </>
      )}
    </section>
  )
}

/** A saved project that was dropped. */
function savedFile({ files }: Selection): File | null {
  const [only, ...others] = files
  const { path = '', file } = only ?? {}
  return others.length === 0 && /\.zip$/i.test(path) && file instanceof File ? file : null
}

function Layouts() {
  return (
    <>
      <p class="quiet" id="samples-note">
        The sample images are emoji drawings in five classes, from the package
        emoji-datasource-google (MIT license). They come with this page, and training on them takes
        a minute or less.
      </p>
      <p>
        A folder has one folder for each class, with its images inside:{' '}
        <code>photos/cat/1.jpg</code>, <code>photos/dog/1.jpg</code>. Or it is already divided:{' '}
        <code>photos/train/cat/…</code> and <code>photos/val/cat/…</code> in place of it. JPEG, PNG
        or WebP; a few dozen of each class are enough for a start.
      </p>
      <p>
        Images are read by this page, on this machine, those of the webcam too. They are not
        uploaded.
      </p>
    </>
  )
}

function PassedOver({ passedOver }: Pick<Project, 'passedOver'>) {
  if (passedOver.length === 0) return null
  const raw = passedOver.some(([ending]) => /heic|heif|avif|tiff?|bmp|gif/.test(ending))
  const shown = passedOver.slice(0, 4).map(([ending, count]) => `${thousands(count)} ${ending}`)
  const more = passedOver.length > shown.length ? ' and others' : ''
  return (
    <p class="quiet">
      Not read, because they are not JPEG, PNG or WebP: {shown.join(', ')}
      {more}.{raw ? ' Convert those images to use them.' : ''}
    </p>
  )
}

function Found({ project, data }: { readonly project: Project; readonly data: ImageDataset }) {
  const { classes, train, val } = data
  const remarks = [...project.remarks, ...(data.remarks ?? [])]
  return (
    <>
      <p data-testid="found">
        <strong>{project.name}</strong>: {counted(classes.length, 'class', 'classes')},{' '}
        {counted(train.length, 'image')} to train on, {thousands(val.length)} held out to validate.
      </p>
      {[...new Set(remarks)].map((remark) => (
        <p key={remark} class="quiet" data-testid="remark">
          Note: {printable(remark)}.
        </p>
      ))}
    </>
  )
}
