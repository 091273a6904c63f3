import { useMemo, useState } from 'preact/hooks'
import { at } from '../base/at.ts'
import { counted, thousands } from '../base/format.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import { FoldedTable } from '../report/sections/table.tsx'
import { FileButton } from './fields.tsx'
import {
  addImages,
  leftOutOf,
  nameProblem,
  type Project,
  type ProjectImage,
  pathOf,
  removeClass,
  removeImage,
  renameClass,
} from './project.ts'
import { bringsFiles, imagesFrom } from './selection.ts'
import { Thumbnail } from './thumbnail.tsx'
import { HoldToRecord } from './webcam.tsx'

interface ClassCardsProps {
  readonly project: Project
  readonly data: ImageDataset | string
  readonly onEdit: (edit: (project: Project) => Project) => void
  readonly busy: boolean
  /** What the camera shows, while it is on. */
  readonly video: { readonly current: HTMLVideoElement | null } | null
}

/** This many classes are cards; the others are listed in a table until they are asked for. */
const shownClasses = 12

/** The classes, each with its images, its name to change, and ways to add images. */
export function ClassCards(props: ClassCardsProps) {
  const { project, data } = props
  const [all, setAll] = useState(false)
  const counts = useMemo(() => countsOf(project, data), [project, data])
  const shown = all ? counts : counts.slice(0, shownClasses)
  const rest = counts.slice(shown.length)
  return (
    <>
      <ul class="classes">
        {shown.map((count, i) => (
          <ClassCard key={i} {...props} {...count} />
        ))}
      </ul>
      {rest.length > 0 && (
        <>
          <FoldedTable
            caption={counted(rest.length, 'more class', 'more classes')}
            header={['class', 'to train on', 'held out']}
            rows={rest.map(({ name, held, images }) => [name, images.length - held, held])}
            numbers={[1, 2]}
          />
          <p>
            <button type="button" onClick={() => setAll(true)}>
              Show all classes
            </button>
          </p>
        </>
      )}
    </>
  )
}

interface ClassCount {
  readonly name: string
  readonly images: readonly ProjectImage[]
  /** How many of them are held out; 0 as long as the project cannot be divided. */
  readonly held: number
}

function countsOf({ classes, images }: Project, data: ImageDataset | string): ClassCount[] {
  const byClass = new Map(classes.map((name) => [name, [] as ProjectImage[]]))
  for (const image of images) byClass.get(image.class)?.push(image)
  const held = typeof data === 'string' ? [] : countByClass(data.val, data.classes.length)
  return [...byClass].map(([name, ofClass]) => ({
    name,
    images: ofClass,
    held: typeof data === 'string' ? 0 : at(held, data.classes.indexOf(name)),
  }))
}

/** Images of a class that are shown at once, and when all are asked for. */
const [few, many] = [8, 400]

function ClassCard(props: ClassCardsProps & ClassCount) {
  const { onEdit, busy, video, name, images, held, data } = props
  const [open, setOpen] = useState(false)
  const [note, setNote] = useState<string | null>(null)
  const shown = images.slice(0, open ? many : few)
  const add = async (event: Event) => {
    const { images: files, offered } = await imagesFrom(event)
    setNote(leftOutOf(offered, files.length))
    const named = files.map((file) => ({ name: file.name, file }))
    onEdit((project) => addImages(project, name, named))
  }
  const record = (file: Blob) =>
    onEdit((project) => addImages(project, name, [{ name: webcamName(project, name), file }]))
  return (
    <li
      class="card"
      onDrop={(event) => {
        if (busy || !bringsFiles(event)) return
        // The page leaves to this card what is taken here.
        event.preventDefault()
        void add(event)
      }}
    >
      <ClassName {...props} />
      <p class="quiet">
        {images.length === 0
          ? 'no images yet'
          : typeof data === 'string'
            ? counted(images.length, 'image')
            : `${thousands(images.length - held)} to train on, ${thousands(held)} held out`}
      </p>
      <div class={open ? 'thumbnails all' : 'thumbnails'}>
        {shown.map((image) =>
          open && !busy ? (
            <button
              key={pathOf(image)}
              type="button"
              class="remove"
              aria-label={`Remove ${image.name}`}
              title={`Remove ${image.name}`}
              onClick={() => onEdit((project) => removeImage(project, image))}
            >
              <Thumbnail file={image.file} />
            </button>
          ) : (
            <Thumbnail key={pathOf(image)} file={image.file} />
          ),
        )}
      </div>
      {open && images.length > many && (
        <p class="quiet">The first {many} are shown. Press one to remove it.</p>
      )}
      {open && images.length <= many && <p class="quiet">Press an image to remove it.</p>}
      {note && <p class="quiet">{note}</p>}
      {!busy && (
        <p class="card-buttons">
          {video && <HoldToRecord video={video} name={name} onImage={record} />}
          <FileButton accept="image/jpeg,image/png,image/webp" multiple onFiles={add}>
            Add images<span class="unseen"> to {name}</span>
          </FileButton>
          {images.length > 0 && (
            <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
              {open ? 'Show fewer' : 'Show all'}
              <span class="unseen"> of {name}</span>
            </button>
          )}
          <button
            type="button"
            onClick={() => {
              if (images.length === 0 || confirm(`Remove “${name}” and its images?`))
                onEdit((project) => removeClass(project, name))
            }}
          >
            Remove<span class="unseen"> the class {name}</span>
          </button>
        </p>
      )}
    </li>
  )
}

const webcamName = ({ images }: Project, name: string) => {
  const count = images.filter((image) => image.class === name).length
  return `webcam-${String(count + 1).padStart(4, '0')}.jpg`
}

/** A class's name, which can be changed in its place. */
function ClassName({ project, onEdit, busy, name }: ClassCardsProps & ClassCount) {
  const [draft, setDraft] = useState<string | null>(null)
  const problem = draft === null || draft.trim() === name ? null : nameProblem(project, draft)
  const finish = () => {
    if (draft !== null && problem === null && draft.trim() !== name)
      onEdit((before) => renameClass(before, name, draft))
    setDraft(null)
  }
  if (busy)
    return (
      <p>
        <bdi class="name">{name}</bdi>
      </p>
    )
  return (
    <>
      <input
        class="name"
        type="text"
        dir="auto"
        aria-label={`Name of the class ${name}`}
        aria-invalid={problem !== null}
        title="Change the name"
        value={draft ?? name}
        onInput={({ currentTarget }) => setDraft(currentTarget.value)}
        onBlur={finish}
        onKeyDown={({ key, currentTarget }) => {
          if (key === 'Enter') currentTarget.blur()
          if (key === 'Escape') setDraft(null)
        }}
      />
      <p class="field-problem" aria-live="polite">
        {problem}
      </p>
    </>
  )
}
