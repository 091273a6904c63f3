import { useEffect, useRef, useState } from 'preact/hooks'

/** The camera; `problem` says why there is none. */
export interface Webcam {
  readonly stream: MediaStream | null
  readonly problem: string | null
  readonly open: () => Promise<void>
  readonly close: () => void
}

/** The camera of this machine, opened when it is asked for, and closed with the page. */
export function useWebcam(): Webcam {
  const [stream, setStream] = useState<MediaStream | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const close = () => {
    for (const track of stream?.getTracks() ?? []) track.stop()
    setStream(null)
  }
  const open = async () => {
    try {
      const opened = await requireDevices().getUserMedia({
        video: { width: { ideal: 640 }, height: { ideal: 480 } },
      })
      for (const track of opened.getTracks())
        track.onended = () => {
          setStream(null)
          setProblem('The camera was unplugged, or another program took it. Turn it on again.')
        }
      setProblem(null)
      setStream(opened)
    } catch (error) {
      setProblem(cameraProblem(error))
    }
  }
  useEffect(
    () => () => {
      for (const track of stream?.getTracks() ?? []) track.stop()
    },
    [stream],
  )
  return { stream, problem, open, close }
}

/** The browser's cameras: pages that are loaded over plain http have none. */
function requireDevices(): MediaDevices {
  const devices: MediaDevices | undefined = navigator.mediaDevices
  if (!devices) throw new DOMException('no camera for this page', 'SecurityError')
  return devices
}

/** Why the camera cannot be used, and what to do. */
export function cameraProblem(error: unknown): string {
  const name = error instanceof DOMException ? error.name : ''
  if (name === 'NotFoundError' || name === 'OverconstrainedError')
    return 'There is no camera. Plug one in and try again, or add image files.'
  if (name === 'NotAllowedError')
    return (
      'The browser may not use the camera. Allow it beside the page’s address and try again, ' +
      'or add image files.'
    )
  if (name === 'SecurityError')
    return 'The browser gives its camera to pages from https or localhost only. Open this page so.'
  if (name === 'NotReadableError' || name === 'AbortError')
    return 'The camera is used by another program. Close that program and try again.'
  return `The camera could not be opened: ${error instanceof Error ? error.message : error}.`
}

/** Pixels of an image's edge that is taken from the camera. */
const edge = 256

/** What the camera sees, as in a mirror; `video` is filled in for `capture`. */
export function CameraView({
  stream,
  video,
}: {
  readonly stream: MediaStream
  readonly video: { current: HTMLVideoElement | null }
}) {
  useEffect(() => {
    if (video.current) video.current.srcObject = stream
  }, [stream])
  return (
    <video
      class="camera"
      ref={video}
      autoPlay
      playsInline
      muted
      aria-label="What the camera sees"
    />
  )
}

/** The middle square of what the camera sees now; null before its first image. */
export async function capture(video: HTMLVideoElement | null): Promise<Blob | null> {
  if (!video || video.videoWidth === 0) return null
  const side = Math.min(video.videoWidth, video.videoHeight)
  const [x, y] = [(video.videoWidth - side) / 2, (video.videoHeight - side) / 2]
  const canvas = new OffscreenCanvas(edge, edge)
  const context = canvas.getContext('2d')
  if (!context) return null
  context.drawImage(video, x, y, side, side, 0, 0, edge, edge)
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 })
}

/** Milliseconds between two images while the button is held. */
const interval = 120

/** A button that records images for as long as it is held, by pointer or by keyboard. */
export function HoldToRecord({
  video,
  name,
  onImage,
}: {
  readonly video: { readonly current: HTMLVideoElement | null }
  /** The class that is recorded, for a screen reader. */
  readonly name: string
  readonly onImage: (image: Blob) => void
}) {
  const [recording, setRecording] = useState(false)
  const tell = useRef(onImage)
  tell.current = onImage
  useEffect(() => {
    if (!recording) return
    let over = false
    const record = async () => {
      while (!over) {
        const image = await capture(video.current)
        if (image && !over) tell.current(image)
        await new Promise((resolve) => setTimeout(resolve, interval))
      }
    }
    void record()
    return () => {
      over = true
    }
  }, [recording])
  const holds = (key: string) => key === ' ' || key === 'Enter'
  return (
    <button
      type="button"
      class={recording ? 'record active' : 'record'}
      aria-label={`Hold to record ${name}`}
      aria-pressed={recording}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        setRecording(true)
      }}
      onPointerUp={() => setRecording(false)}
      onPointerCancel={() => setRecording(false)}
      onKeyDown={(event) => {
        if (!holds(event.key)) return
        event.preventDefault()
        setRecording(true)
      }}
      onKeyUp={(event) => {
        if (holds(event.key)) setRecording(false)
      }}
      onBlur={() => setRecording(false)}
      onContextMenu={(event) => event.preventDefault()}
    >
      {recording ? 'Recording…' : 'Hold to record'}
    </button>
  )
}
